import { deserializeTCompactProtocol } from "hyparquet/src/thrift.js";
import { createBuilder } from "../arrow/builder.ts";
import { FrazilError } from "../errors.ts";
import type { RangeOf, ValueRange } from "../expression/value-range.ts";
import type { Value } from "../manifest/data-file.ts";
import { isComparable, isPrimitive } from "../schema/type-json.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { valueAt } from "../values/single-value.ts";
import type { FileLeaf, FileNode } from "./file-columns.ts";
import type { DataFileFooter } from "./footer.ts";
import { physicalAppender } from "./physical-reader.ts";

/** `Statistics` of a column chunk (Parquet format, "Statistics"), the values as the file holds them. */
interface ChunkStatistics {
  /** `null_count` */
  readonly field_3?: unknown;
  /** `max_value` and `min_value`; the older fields 1 and 2 are of no defined order. */
  readonly field_5?: unknown;
  readonly field_6?: unknown;
}

/** Writers that compare texts by UTF-16 units: their bounds hold in no order that readers know. */
const UTF16_WRITERS = /^parquet\.?js/i;

/**
 * What the statistics of a row group say of its columns, by the row group's place. They are taken from the footer's bytes, because the
 * library gives decimals as doubles and times as milliseconds.
 */
export function rowGroupRanges(footer: DataFileFooter): (place: number) => RangeOf {
  const leaves = new Map<number, FileLeaf>();
  for (const node of footer.columns.values()) for (const leaf of plainLeaves(node)) leaves.set(leaf.id as number, leaf);
  const { bytes } = footer;
  const isUtf16 = UTF16_WRITERS.test(footer.metadata.created_by ?? "");
  const raw = deserializeTCompactProtocol({
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    offset: 0,
  }) as RawFooter;
  return (place) => {
    const group = footer.metadata.row_groups[place];
    const chunks = raw.field_4?.[place]?.field_1 ?? [];
    return ({ fieldId, type }) => {
      const leaf = leaves.get(fieldId);
      const statistics = leaf === undefined ? undefined : chunks[leaf.place]?.field_3?.field_12;
      // A column that the file lacks may have a default, or the value of the partition.
      if (group === undefined || leaf === undefined || statistics === undefined || !isPrimitive(type)) return null;
      const range = rangeOf(type, leaf, statistics, group.num_rows);
      // Bounds of one value hold in any order.
      const isOrdered = !isUtf16 || type.kind !== "string" || range.lower === range.upper;
      return isOrdered ? range : { ...range, lower: null, upper: null };
    };
  };
}

/** The parts of Parquet's `FileMetaData` that lead to the statistics. */
interface RawFooter {
  readonly field_4?: readonly { readonly field_1?: readonly RawChunk[] }[];
}

interface RawChunk {
  readonly field_3?: { readonly field_12?: ChunkStatistics };
}

/** Leaves with one value a row, and with an id. */
function* plainLeaves(node: FileNode): Generator<FileLeaf> {
  if (node.kind === "struct" && node.repetition === 0) for (const child of node.children) yield* plainLeaves(child);
  if (node.kind === "leaf" && node.repetition === 0 && node.id !== null) yield node;
}

function rangeOf(type: PrimitiveType, leaf: FileLeaf, statistics: ChunkStatistics, rows: bigint): ValueRange {
  const nulls = statistics.field_3;
  return {
    mayHoldNull: nulls !== 0n,
    // Statistics do not count NaN, and leave it out of the bounds.
    mayHoldNan: (type.kind === "float" || type.kind === "double") && nulls !== rows,
    mayHoldOthers: nulls !== rows,
    lower: boundOf(type, leaf, statistics.field_6),
    upper: boundOf(type, leaf, statistics.field_5),
  };
}

/** A bound in the column's type of now; null when there is none that says something. */
function boundOf(type: PrimitiveType, leaf: FileLeaf, bytes: unknown): Value | null {
  if (!(bytes instanceof Uint8Array) || !isComparable(type)) return null;
  // Writers may cut these, and what is left still is a bound.
  if (type.kind === "binary" || type.kind === "fixed") return bytes;
  const physical = physicalValue(leaf, bytes);
  if (physical === null) return null;
  try {
    const builder = createBuilder(type);
    physicalAppender(type, leaf.element)(builder, [physical], 0);
    const value = valueAt(builder.finish(), 0);
    return Number.isNaN(value) ? null : value;
  } catch (error) {
    // What the bounds cannot say, reading the values will: such as a text that was cut within a character.
    if (error instanceof FrazilError) return null;
    throw error;
  }
}

/** A value in plain encoding (Parquet format, "Encodings"), without the length of byte arrays. */
function physicalValue({ element }: FileLeaf, bytes: Uint8Array): number | bigint | boolean | Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasWidth = (width: number): boolean => bytes.length === width;
  switch (element.type) {
    case "BOOLEAN":
      return hasWidth(1) ? bytes[0] !== 0 : null;
    case "INT32":
      return hasWidth(4) ? view.getInt32(0, true) : null;
    case "INT64":
      return hasWidth(8) ? view.getBigInt64(0, true) : null;
    case "FLOAT":
      return hasWidth(4) ? view.getFloat32(0, true) : null;
    case "DOUBLE":
      return hasWidth(8) ? view.getFloat64(0, true) : null;
    case "BYTE_ARRAY":
      return bytes;
    case "FIXED_LEN_BYTE_ARRAY":
      return hasWidth(element.type_length ?? 0) ? bytes : null;
    default:
      // The order of INT96 is not defined.
      return null;
  }
}
