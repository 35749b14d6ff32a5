import {
  applyTransform,
  bindSpec,
  compareValues,
  currentSchema,
  type DataFile,
  decodeValue,
  fieldByName,
  isPrimitive,
  type NestedField,
  parseTransform,
  partitionPath,
  type PrimitiveType,
  type Schema,
  specById,
  type TableMetadata,
  type Transform,
  transformResultType,
  type Value,
} from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import { type Comparison, type Condition, parseCondition, type Term } from "./condition.ts";
import { literalValue } from "./literal.ts";

/** Whether a file may be rewritten. */
export type FileScope = (file: DataFile) => boolean;

/**
 * The files of a partition that is named as its folder is: `region=eu`, or `region=eu/created_at_day=2026-11-20`; a part names all that
 * have it.
 * @throws FrazilError `config` for a part that no partition spec of the table has.
 */
export function partitionScope(metadata: TableMetadata, name: string): FileScope {
  const schema = currentSchema(metadata);
  const wanted = name.split("/").filter((part) => part !== "");
  const known = new Set(metadata.partitionSpecs.flatMap((spec) => spec.fields.map((field) => field.name)));
  for (const part of wanted) {
    if (part.includes("=") && known.has(decodeURIComponent(part.split("=")[0] ?? ""))) continue;
    throw refused(name, `no partition is named ${JSON.stringify(part)}`, `partition fields: ${[...known].join(", ")}`);
  }
  return (file) => {
    const parts = partitionPath(specById(metadata, file.specId), schema, file.partition).split("/");
    return wanted.every((part) => parts.includes(part));
  };
}

/**
 * The files that may hold rows for which a condition is true, by their partition values where it names a partition field
 * (`created_at_day`, `day(created_at)`, `region`), else by the bounds of the column. A file that does not say counts.
 *
 * @param nowMs what `now` means. @throws FrazilError `config` naming what is wrong in the condition.
 */
export function whereScope(metadata: TableMetadata, text: string, nowMs: number): FileScope {
  const schema = currentSchema(metadata);
  const test = testOf(parseCondition(text), (term) => rangeOf(metadata, schema, term, text), nowMs, text);
  return (file) => test(file);
}

/** What a file's rows have of a term: values from `low` to `high` (null: not known, or none), and whether some are null. */
interface Range {
  readonly low: Value | null;
  readonly high: Value | null;
  readonly mayBeNull: boolean;
  readonly mayHaveValues: boolean;
}

interface RangedTerm {
  readonly type: PrimitiveType;
  readonly transform: Transform;
  of(file: DataFile): Range;
}

function testOf(
  condition: Condition,
  termOf: (term: Term) => RangedTerm,
  nowMs: number,
  text: string,
): (file: DataFile) => boolean {
  if (condition.kind !== "comparison") {
    const parts = condition.parts.map((part) => testOf(part, termOf, nowMs, text));
    return condition.kind === "and"
      ? (file) => parts.every((part) => part(file))
      : (file) => parts.some((part) => part(file));
  }
  const term = termOf(condition.term);
  const literals = condition.literals.map((literal) => {
    const value = literalValue(term.type, term.transform, literal, nowMs);
    if (value !== null) return value;
    throw refused(
      text,
      `${literal.text} is no value of ${condition.term.text}`,
      "write 7, 'eu', '2026-11-20' or now - 7d",
    );
  });
  return (file) => mayMatch(condition.operator, term.of(file), literals, term.type);
}

function mayMatch(
  operator: Comparison["operator"],
  { low, high, mayBeNull, mayHaveValues }: Range,
  literals: readonly Value[],
  type: PrimitiveType,
): boolean {
  if (operator === "is null") return mayBeNull;
  if (!mayHaveValues) return false;
  if (operator === "is not null" || low === null || high === null) return true;
  const compare = (a: Value, b: Value): number => compareValues(type, a, b);
  const [literal] = literals;
  if (literal === undefined) return false;
  switch (operator) {
    case "=":
    case "in":
      return literals.some((each) => compare(low, each) <= 0 && compare(each, high) <= 0);
    case "<>":
      return compare(low, literal) !== 0 || compare(high, literal) !== 0;
    case "<":
      return compare(low, literal) < 0;
    case "<=":
      return compare(low, literal) <= 0;
    case ">":
      return compare(high, literal) > 0;
    case ">=":
      return compare(high, literal) >= 0;
  }
}

const UNKNOWN: Range = { low: null, high: null, mayBeNull: true, mayHaveValues: true };

function rangeOf(metadata: TableMetadata, schema: Schema, term: Term, text: string): RangedTerm {
  const source = termSource(metadata, schema, term, text);
  const { type: sourceType } = source.field;
  if (!isPrimitive(sourceType)) throw refused(text, `${term.text} has no order`, "name a column of a primitive type");
  let type: PrimitiveType;
  try {
    type = transformResultType(source.transform, sourceType);
  } catch (error) {
    throw refused(text, `${term.text}: ${error instanceof Error ? error.message : String(error)}`, "");
  }
  // Where a spec has the very field, its value is exact.
  const places = new Map(
    metadata.partitionSpecs.map((spec) => [
      spec.specId,
      bindSpec(spec, schema).findIndex(
        ({ field }) => field.sourceId === source.field.id && field.transform === source.transformText,
      ),
    ]),
  );
  return {
    type,
    transform: source.transform,
    of(file) {
      const place = places.get(file.specId) ?? -1;
      if (place < 0) return boundsOf(file, source.field.id, sourceType, source.transform);
      const value = file.partition[place] ?? null;
      return { low: value, high: value, mayBeNull: value === null, mayHaveValues: value !== null };
    },
  };
}

/** By the bounds of the column. Buckets have none: their order is not that of the values. */
function boundsOf(file: DataFile, fieldId: number, type: PrimitiveType, transform: Transform): Range {
  const nulls = file.nullValueCounts?.get(fieldId);
  const counted = {
    mayBeNull: nulls === undefined || nulls > 0n,
    mayHaveValues: nulls === undefined || nulls < file.recordCount,
  };
  const [low, high] = [file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)];
  if (low === undefined || high === undefined || transform.kind === "bucket") return { ...UNKNOWN, ...counted };
  const made = (bytes: Uint8Array): Value | null => applyTransform(transform, type, decodeValue(type, bytes));
  return { low: made(low), high: made(high), ...counted };
}

/** What a term is of: a column, put through a transform. */
export interface TermSource {
  readonly field: NestedField;
  readonly transform: Transform;
  /** As metadata spells it: `identity`, `bucket[16]`. */
  readonly transformText: string;
}

/**
 * A term names a partition field, a transform of a column, or a column.
 * @throws FrazilError `config`, code `COMPACT_SCOPE`, for one that the table does not have.
 */
export function termSource(metadata: TableMetadata, schema: Schema, term: Term, text: string): TermSource {
  if (term.transform === null) {
    for (const spec of metadata.partitionSpecs.toReversed()) {
      const named = spec.fields.find((field) => field.name === term.name);
      const field = schema.fields.find(({ id }) => id === named?.sourceId);
      if (named === undefined || field === undefined) continue;
      return { field, transform: parseTransform(named.transform), transformText: named.transform };
    }
  }
  const field = fieldByName(schema, term.name);
  const transformText = term.transform ?? "identity";
  const transform = parseTransform(transformText);
  if (field !== null && transform.kind !== "other") return { field, transform, transformText };
  const known = [
    ...metadata.partitionSpecs.flatMap((spec) => spec.fields.map(({ name }) => name)),
    ...schema.fields.map(({ name }) => name),
  ];
  throw refused(text, `${term.text} is no partition field and no column`, [...new Set(known)].join(", "));
}

function refused(text: string, why: string, hint: string): FrazilError {
  return new FrazilError("config", "COMPACT_SCOPE", `${JSON.stringify(text)}: ${why}`, hint === "" ? {} : { hint });
}
