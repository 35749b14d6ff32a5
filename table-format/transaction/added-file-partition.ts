import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import type { PartitionSpec } from "../metadata/table-metadata.ts";
import { defaultColumn } from "../parquet/default-value.ts";
import { type BoundField, bindSpec } from "../partition/spec.ts";
import { applyTransform } from "../partition/transform.ts";
import { fieldById } from "../schema/schema.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import { compareValues, valueAt } from "../values/single-value.ts";
import type { ColumnSummary } from "./footer-metrics.ts";

/** How Hive and Iceberg name the folder of the null partition. */
const NULL_FOLDERS: ReadonlySet<string> = new Set(["__HIVE_DEFAULT_PARTITION__", "null"]);

/** Values by column name that the folders of a file say, Hive style: `part=a/day=2024-01-01`. Null for the null partition. */
export function folderValues(filePath: string): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>();
  for (const folder of filePath.split("/").slice(0, -1)) {
    const at = folder.indexOf("=");
    if (at <= 0) continue;
    const [name, text] = [folder.slice(0, at), folder.slice(at + 1)].map((part) => decoded(part)) as [string, string];
    values.set(name, NULL_FOLDERS.has(text) ? null : text);
  }
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/**
 * The partition of a file that is to be added. A column of the file counts by its bounds: they must show that all rows are of one
 * partition. A column that the file lacks is taken from the folders that the file lies in, for fields without a transform; else from the
 * column's default.
 *
 * @throws FrazilError kind `data`, code `FILE_PARTITION`, naming the file and the partition field
 */
export function partitionOfFile(
  filePath: string,
  spec: PartitionSpec,
  schema: Schema,
  summaries: ReadonlyMap<number, ColumnSummary>,
): (Value | null)[] {
  const folders = folderValues(filePath);
  return bindSpec(spec, schema).map((bound) => {
    const { field, transform, sourceType } = bound;
    if (transform.kind === "void") return null;
    const summary = summaries.get(field.sourceId);
    const column = fieldById(schema, field.sourceId);
    const folder =
      transform.kind === "identity" ? (folders.get(field.name) ?? folders.get(column?.name ?? "")) : undefined;
    const isNamed = folder !== undefined || (transform.kind === "identity" && folders.has(field.name));
    if (summary !== undefined) {
      const value = valueOfColumn(bound, summary);
      if (value !== undefined) return value;
      if (!isNamed || !isUnknown(summary)) throw severalPartitions(filePath, bound, summary);
    }
    if (isNamed) return folder === undefined || folder === null ? null : parsed(filePath, bound, folder);
    const initial = column?.initialDefault;
    const value = valueAt(defaultColumn(sourceType, initial ?? null, 1), 0);
    return applyTransform(transform, sourceType, value);
  });
}

/** Undefined where the bounds do not show one value. */
function valueOfColumn(
  { transform, sourceType, resultType }: BoundField,
  summary: ColumnSummary,
): Value | null | undefined {
  const { nulls, rows, lower, upper } = summary;
  if (nulls === rows) return null;
  if (nulls !== 0n || lower === null || upper === null) return undefined;
  const low = applyTransform(transform, sourceType, lower);
  const high = applyTransform(transform, sourceType, upper);
  // Of a bucket the ends say nothing of what lies between them.
  if (transform.kind === "bucket" && compareValues(sourceType, lower, upper) !== 0) return undefined;
  return low !== null && high !== null && compareValues(resultType, low, high) === 0 ? low : undefined;
}

/** Whether the file does not say what its column holds. */
function isUnknown({ nulls, lower, upper }: ColumnSummary): boolean {
  return nulls === null || (nulls === 0n && (lower === null || upper === null));
}

/** A folder's text as a value of its column. */
function parsed(filePath: string, { field, sourceType }: BoundField, text: string): Value | null {
  try {
    return valueAt(defaultColumn(sourceType, jsonOf(sourceType, text), 1), 0);
  } catch (cause) {
    const message = `${filePath}: expected a ${sourceType.kind} in the folder ${field.name}=${text}`;
    throw new FrazilError("data", "FILE_PARTITION", message, { cause });
  }
}

/** As the JSON single-value form has it. */
function jsonOf({ kind }: PrimitiveType, text: string): unknown {
  switch (kind) {
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "int":
    case "long":
      return /^-?\d{1,19}$/.test(text) ? BigInt(text) : text;
    case "float":
    case "double":
      return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
    default:
      return text;
  }
}

function severalPartitions(filePath: string, { field }: BoundField, summary: ColumnSummary): FrazilError {
  const found = isUnknown(summary) ? "a file whose footer does not say" : "rows of several";
  const message = `${filePath}: expected rows of one value of partition field ${field.name}, found ${found}`;
  return new FrazilError("data", "FILE_PARTITION", message, {
    hint: "write one file a partition, with statistics",
  });
}
