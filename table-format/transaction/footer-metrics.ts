import type { Value } from "../manifest/data-file.ts";
import type { EncodedFile } from "../parquet/data-file-writer.ts";
import { type FileLeaf, type FileNode, leavesOf } from "../parquet/file-columns.ts";
import type { DataFileFooter } from "../parquet/footer.ts";
import { lowerBound, upperBound } from "../parquet/metrics.ts";
import { rowGroupRanges } from "../parquet/row-group-range.ts";
import { nestedFields } from "../schema/schema.ts";
import { isPrimitive } from "../schema/type-json.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import { compareValues } from "../values/single-value.ts";

/** Bounds of strings and bytes are cut as our own writer cuts them: `truncate(16)`. */
const BOUND_LENGTH = 16;
/** Columns past this place have sizes alone (`write.metadata.metrics.max-inferred-column-defaults`). */
const MAX_MEASURED_COLUMNS = 100;
const utf8 = new TextEncoder();

/** What a footer says of a column with one value a row. */
export interface ColumnSummary {
  readonly type: PrimitiveType;
  readonly rows: bigint;
  /** Null where a row group does not say. */
  readonly nulls: bigint | null;
  /** Of all values that are not null, as far as every row group that has some says. Not always a value of the file: writers may cut them. */
  readonly lower: Value | null;
  readonly upper: Value | null;
}

/** What a manifest entry says of a file, taken from its footer: all but its size. */
export type FooterMetrics = Omit<EncodedFile, "fileSizeBytes">;

/** Summaries of the columns that a table knows and that hold one value a row, by field id. */
export function summarizeColumns(footer: DataFileFooter, schema: Schema): ReadonlyMap<number, ColumnSummary> {
  const rangesOf = rowGroupRanges(footer);
  const { row_groups: groups } = footer.metadata;
  const summaries = new Map<number, ColumnSummary>();
  const leaves = leavesById(footer.columns.values());
  for (const { id, name, type } of nestedFields(schema.fields)) {
    const leaf = leaves.get(id);
    if (leaf === undefined || leaf.repetition > 0 || !isPrimitive(type)) continue;
    let [nulls, complete]: [bigint | null, boolean] = [0n, true];
    let [lower, upper]: [Value | null, Value | null] = [null, null];
    for (const [place, group] of groups.entries()) {
      const counted =
        group.columns[leaf.place]?.meta_data?.statistics?.null_count ?? (leaf.definition === 0 ? 0n : null);
      nulls = nulls === null || counted === null ? null : nulls + counted;
      if (counted !== null && counted === group.num_rows) continue;
      const range = rangesOf(place)({ fieldId: id, name, type, isNested: false });
      if (range === null || range.lower === null || range.upper === null) {
        complete = false;
        continue;
      }
      if (lower === null || compareValues(type, range.lower, lower) < 0) lower = range.lower;
      if (upper === null || compareValues(type, range.upper, upper) > 0) upper = range.upper;
    }
    const rows = footer.metadata.num_rows;
    summaries.set(id, { type, rows, nulls, lower: complete ? lower : null, upper: complete ? upper : null });
  }
  return summaries;
}

/** The metrics of a data file by its footer alone (spec, "Data File Fields"). NaN are not counted there. */
export function footerMetrics(
  { metadata, columns }: DataFileFooter,
  summaries: ReadonlyMap<number, ColumnSummary>,
): FooterMetrics {
  const columnSizes = new Map<number, bigint>();
  const valueCounts = new Map<number, bigint>();
  const nullValueCounts = new Map<number, bigint>();
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  for (const [id, leaf] of leavesById(columns.values())) {
    const chunks = metadata.row_groups.map(
      (group) => group.columns[leaf.place]?.meta_data?.total_compressed_size ?? 0n,
    );
    columnSizes.set(
      id,
      chunks.reduce((sum, size) => sum + size, 0n),
    );
    const summary = summaries.get(id);
    if (summary === undefined || leaf.place >= MAX_MEASURED_COLUMNS) continue;
    const { type, rows, nulls, lower, upper } = summary;
    valueCounts.set(id, rows);
    if (nulls !== null) nullValueCounts.set(id, nulls);
    if (lower === null || upper === null) continue;
    const low = lowerBound(type, stored(type, lower, -0), BOUND_LENGTH);
    const high = upperBound(type, stored(type, upper, 0), BOUND_LENGTH);
    if (low !== null) lowerBounds.set(id, low);
    if (high !== null) upperBounds.set(id, high);
  }
  return {
    recordCount: metadata.num_rows,
    columnSizes,
    valueCounts,
    nullValueCounts,
    nanValueCounts: null,
    lowerBounds,
    upperBounds,
    splitOffsets: splitOffsets(metadata.row_groups),
  };
}

/** As `lowerBound` wants values: strings in UTF-8. Zeros of floats get the sign that keeps both of them within the bounds. */
function stored(type: PrimitiveType, value: Value, zero: number): Value {
  if (typeof value === "string") return utf8.encode(value);
  return (type.kind === "float" || type.kind === "double") && value === 0 ? zero : value;
}

/** Where row groups begin; null unless they ascend, since readers rely on it. */
function splitOffsets(groups: DataFileFooter["metadata"]["row_groups"]): bigint[] | null {
  const offsets: bigint[] = [];
  for (const { columns } of groups) {
    const first = columns[0]?.meta_data;
    if (first === undefined) return null;
    const { data_page_offset: data, dictionary_page_offset: dictionary } = first;
    const start = dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data;
    if (start <= (offsets.at(-1) ?? -1n)) return null;
    offsets.push(start);
  }
  return offsets.length === 0 ? null : offsets;
}

function leavesById(nodes: Iterable<FileNode>): ReadonlyMap<number, FileLeaf> {
  const leaves = new Map<number, FileLeaf>();
  for (const node of nodes) for (const leaf of leavesOf(node)) if (leaf.id !== null) leaves.set(leaf.id, leaf);
  return leaves;
}
