import type { ByteWriter } from "hyparquet-writer";
import { writeColumn } from "hyparquet-writer/src/column.js";
import { isValid } from "../arrow/column.ts";
import { must } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { ColumnRange } from "./column-range.ts";
import { compressZstd } from "./compression.ts";
import type { LeafEntries } from "./leaf-entries.ts";
import { plainValues } from "./plain-values.ts";
import type { LeafField } from "./schema-elements.ts";

/** Uncompressed bytes of one page; the unit of decompression. */
const PAGE_BYTES = 1 << 20;

/** A dictionary beyond this would be slow to build and no small read. */
const DICTIONARY_BYTES = 1 << 20;

/** Entries of a leaf that go into one column chunk. */
export interface LeafRange extends ColumnRange {
  readonly levels: Pick<LeafEntries, "definitions" | "repetitions">;
}

/** A chunk that was written, and the index of its pages. */
export type WrittenChunk = ReturnType<typeof writeColumn>;

/**
 * Writes a column chunk with hyparquet-writer: zstd, with a dictionary where it halves the chunk. The library encodes physical values
 * only: the element that it sees has no logical type, so that it converts nothing.
 */
export function writeChunk(writer: ByteWriter, leaf: LeafField, ranges: readonly LeafRange[]): WrittenChunk {
  const { path, type, definition, repetition } = leaf;
  return writeColumn({
    writer,
    column: {
      columnName: path.map(({ name }) => name).join("."),
      element: must(path.at(-1), "a path ends at its leaf"),
      schemaPath: [...path],
      codec: "ZSTD",
      compressors: { ZSTD: compressZstd },
      stats: false,
      pageSize: PAGE_BYTES,
      dictionarySize: DICTIONARY_BYTES,
      columnIndex: false,
      offsetIndex: true,
      ...(isWrittenPlain(type) && { encoding: "PLAIN" }),
    },
    pageData: {
      values: plainValues(type, ranges),
      definitionLevels: definition === 0 ? [] : definitionsOf(ranges, definition),
      repetitionLevels: repetition === 0 ? [] : ranges.flatMap(repetitionsOf),
      maxDefinitionLevel: definition,
    },
  });
}

/**
 * The library's dictionary takes 0.0 and −0.0 for one value, and it writes booleans as runs, which Spark's vectorized reader
 * (Iceberg 1.11) refuses.
 */
function isWrittenPlain({ kind }: PrimitiveType): boolean {
  return kind === "float" || kind === "double" || kind === "boolean";
}

function definitionsOf(ranges: readonly LeafRange[], most: number): number[] {
  const out = new Array<number>(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { column, levels, start, end } of ranges) {
    const { definitions } = levels;
    for (let entry = start; entry < end; entry++) {
      out[at++] = definitions === null ? (isValid(column, entry) ? most : most - 1) : (definitions[entry] as number);
    }
  }
  return out;
}

function repetitionsOf({ levels, start, end }: LeafRange): number[] {
  return Array.from((levels.repetitions ?? new Int32Array(end)).subarray(start, end));
}
