import { FrazilError } from "../errors.ts";
import type { PartitionField, PartitionSpec } from "../metadata/table-metadata.ts";
import { fieldById, fieldByName } from "../schema/schema.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import { parseTransform, type Transform, transformResultType } from "./transform.ts";

/** Partition field ids start here (spec, "Partition Specs"); one less is `last-partition-id` of a table that never had one. */
export const FIRST_PARTITION_ID = 1000;

/** The spec of a table that is not partitioned. */
export const UNPARTITIONED: PartitionSpec = { specId: 0, fields: [] };

/** Whether files of a spec belong to no partition: it has no fields, or void ones alone, as version 1 leaves them (`isUnpartitioned` in Java). */
export function isUnpartitioned({ fields }: PartitionSpec): boolean {
  return fields.every(({ transform }) => transform === "void");
}

/** Ends a partition field's name, as Java and Spark name them: `created_at_day`. */
const SUFFIX: Record<Exclude<Transform["kind"], "other">, string> = {
  identity: "",
  bucket: "_bucket",
  truncate: "_trunc",
  year: "_year",
  month: "_month",
  day: "_day",
  hour: "_hour",
  void: "_null",
};
const HINT = "write region, day(created_at), hour(ts), month(d), year(d), bucket(16, id) or truncate(4, name)";

/**
 * Builds spec 0 from a job's `partition_by`: `region`, `day(created_at)`, `bucket(16, id)`, `truncate(4, s)`.
 * @throws FrazilError kind `config` naming the expression and what is wrong with it.
 */
export function parsePartitionBy(expressions: readonly string[], schema: Schema): PartitionSpec {
  const fields: PartitionField[] = [];
  for (const expression of expressions) {
    const { transform, column } = parseExpression(expression);
    const source = fieldByName(schema, column);
    if (source === null) {
      throw refused(
        expression,
        `column ${JSON.stringify(column)} does not exist`,
        schema.fields.map((f) => f.name).join(", "),
      );
    }
    const parsed = parseTransform(transform);
    if (parsed.kind === "other") throw refused(expression, `transform ${transform} is not known`, HINT);
    if (!isPrimitive(source.type)) throw refused(expression, `${typeText(source.type)} cannot be partitioned by`, HINT);
    transformResultType(parsed, source.type);
    const name = column + SUFFIX[parsed.kind];
    if (parsed.kind !== "identity" && fieldByName(schema, name) !== null) {
      throw refused(expression, `its partition field ${name} would have the name of a column`, "rename the column");
    }
    // Java refuses to build a spec with two fields for one column that say the same at different widths.
    if (fields.some((field) => field.sourceId === source.id && family(field.transform) === family(transform))) {
      throw refused(
        expression,
        `column ${column} is already partitioned by a transform of this kind`,
        "keep one of the two",
      );
    }
    fields.push({ sourceId: source.id, fieldId: FIRST_PARTITION_ID + fields.length, name, transform });
  }
  return { specId: 0, fields };
}

/** Transforms of one family on one column are redundant. */
function family(transform: string): string {
  return /^(year|month|day|hour)$/.test(transform) ? "time" : transform.replace(/\[.*/, "");
}

function parseExpression(expression: string): { transform: string; column: string } {
  const call = /^\s*([a-z]+)\s*\(\s*(?:(\d+)\s*,\s*)?(.+?)\s*\)\s*$/i.exec(expression);
  if (call === null) return { transform: "identity", column: expression.trim() };
  const [, name = "", parameter, column = ""] = call;
  const transform = name.toLowerCase();
  return { transform: parameter === undefined ? transform : `${transform}[${parameter}]`, column };
}

function refused(expression: string, why: string, hint: string): FrazilError {
  return new FrazilError("config", "PARTITION_BY", `partition_by ${JSON.stringify(expression)}: ${why}`, { hint });
}

/** A partition field with all that applying it needs. */
export interface BoundField {
  readonly field: PartitionField;
  readonly transform: Transform;
  /** Type of the source column. */
  readonly sourceType: PrimitiveType;
  /** Type of the partition values. */
  readonly resultType: PrimitiveType;
}

/**
 * Looks up source columns and transforms of a spec. A `void` field whose column was dropped counts as an int column.
 * @throws FrazilError kind `unsupported` for transforms not known here and for source columns that do not exist.
 */
export function bindSpec(spec: PartitionSpec, schema: Schema): BoundField[] {
  return spec.fields.map((field) => {
    const transform = parseTransform(field.transform);
    const source = fieldById(schema, field.sourceId);
    if (source === null && transform.kind === "void") {
      return { field, transform, sourceType: { kind: "int" }, resultType: { kind: "int" } };
    }
    if (source === null || !isPrimitive(source.type)) {
      const message = `partition field ${field.name} reads column id ${field.sourceId}, which is no primitive column of the schema`;
      throw new FrazilError("unsupported", "PARTITION_SOURCE", message);
    }
    const resultType = transformResultType(transform, source.type);
    return { field, transform, sourceType: source.type, resultType };
  });
}
