import {
  bindSpec,
  currentSchema,
  type DataFile,
  isPrimitive,
  partitionPath,
  specById,
  type TableMetadata,
  transformResultType,
} from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { type Condition, parseCondition } from "../compact/condition.ts";
import { termSource } from "../compact/file-scope.ts";
import { literalValue } from "../compact/literal.ts";
import { termText, valueLiteral } from "./sql.ts";

/**
 * The condition of `--where` in Spark's words, which takes the same files by the same bounds and partitions.
 *
 * @param nowMs what `now` means
 * @throws FrazilError `config` naming what is wrong, or what Spark does not know.
 */
export function conditionText(metadata: TableMetadata, catalog: string, text: string, nowMs: number): string {
  const schema = currentSchema(metadata);
  const textOf = (condition: Condition): string => {
    if (condition.kind !== "comparison") {
      return condition.parts.map((part) => `(${textOf(part)})`).join(` ${condition.kind.toUpperCase()} `);
    }
    const { term, operator, literals } = condition;
    const { field, transform, transformText } = termSource(metadata, schema, term, text);
    const left = termText(catalog, transformText, field.name);
    if (operator === "is null" || operator === "is not null") return `${left} ${operator.toUpperCase()}`;
    const source = must(isPrimitive(field.type) ? field.type : null, "a term that the plan has taken has an order");
    const type = transformResultType(transform, source);
    const values = literals.map((literal) => {
      const value = must(literalValue(type, transform, literal, nowMs), "a literal that the plan has taken is a value");
      return valueLiteral(type, value);
    });
    return operator === "in" ? `${left} IN (${values.join(", ")})` : `${left} ${operator} ${values[0] ?? ""}`;
  };
  return textOf(parseCondition(text));
}

/**
 * The partition of `--partition` as a condition, by the values that the planned files have for it.
 * @throws FrazilError `config` for a transform that Spark does not know.
 */
export function partitionText(
  metadata: TableMetadata,
  catalog: string,
  name: string,
  files: readonly DataFile[],
): string {
  const parts = name.split("/").filter((part) => part !== "");
  return parts.map((part) => `(${partText(metadata, catalog, part, files)})`).join(" AND ");
}

function partText(metadata: TableMetadata, catalog: string, part: string, files: readonly DataFile[]): string {
  const schema = currentSchema(metadata);
  for (const file of files) {
    const spec = specById(metadata, file.specId);
    const place = partitionPath(spec, schema, file.partition).split("/").indexOf(part);
    const bound = bindSpec(spec, schema)[place];
    const source = schema.fields.find(({ id }) => id === bound?.field.sourceId);
    if (bound === undefined || source === undefined) continue;
    const left = termText(catalog, bound.field.transform, source.name);
    const value = file.partition[place] ?? null;
    if (value === null) return `${left} IS NULL`;
    return `${left} = ${valueLiteral(bound.resultType, value)}`;
  }
  throw new FrazilError("config", "COMPACT_SCOPE", `no planned file is in partition ${part}`);
}
