import {
  type FileIO,
  gatherColumn,
  type NestedField,
  NO_SOURCES,
  openDataFileWriter,
  type PrimitiveType,
  readParquetColumns,
  type Schema,
} from "../../../table-format/index.ts";
import { assert, must } from "../../core/errors.ts";
import { COMPACT_BATCH_ROWS, COMPACT_RUNS_MERGED } from "../../core/limits.ts";
import { batchBytes } from "./batches.ts";
import type { Pacer } from "./pacer.ts";
import { gatherRows, type KeyedBatch, type Keys, keysOf, mergeRuns, sortedByKey } from "./merge-runs.ts";

/** Where what does not fit in memory is put meanwhile. */
export interface Scratch {
  readonly io: FileIO;
  /** A folder for one rewrite, nobody else's. */
  readonly folder: string;
}

/** Beside the table's columns in a run; the ids are in the range that the spec reserves and does not use. */
const KEY_TYPE: PrimitiveType = { kind: "binary" };
const KEY_FIELD: NestedField = { id: 2147480001, name: "_frazil_sort_key", required: true, type: KEY_TYPE };
const ROW_FIELD: NestedField = { id: 2147480002, name: "_frazil_row", required: true, type: { kind: "int" } };

/** A row group of a run at least: below it the request costs more than the bytes. */
const LEAST_GROUP_BYTES = 64 << 10;

interface Run {
  readonly location: string;
  readonly sizeBytes: bigint;
}

/**
 * Sorts more rows than memory holds: rows are taken in until a quarter of the memory is full, sorted, and written to a run in the scratch
 * folder; then all runs are merged, several times where there are very many. Rows with equal keys stay in the order in which
 * they came. What fits in memory is never written.
 */
export class ExternalSort {
  readonly #scratch: Scratch;
  readonly #schema: Schema;
  readonly #memoryBytes: number;
  readonly #pacer: Pacer;
  #held: KeyedBatch[] = [];
  #heldBytes = 0;
  #runs: Run[] = [];
  #made = 0;

  /** @param schema of the batches without keys and row numbers. */
  constructor(scratch: Scratch, schema: Schema, memoryBytes: number, pacer: Pacer) {
    this.#scratch = scratch;
    this.#schema = { ...schema, fields: [...schema.fields, KEY_FIELD, ROW_FIELD] };
    this.#memoryBytes = memoryBytes;
    this.#pacer = pacer;
  }

  /** Runs that were written, of both passes. */
  get runsWritten(): number {
    return this.#made;
  }

  /** Takes rows in. The batch is kept. */
  async add(batch: KeyedBatch): Promise<void> {
    if (batch.length === 0) return;
    this.#held.push(batch);
    this.#heldBytes += batchBytes(batch);
    if (this.#heldBytes >= this.#memoryBytes / 4) await this.#spill();
  }

  /** All rows in order. Its end removes the runs. */
  async *sorted(): AsyncGenerator<KeyedBatch> {
    try {
      if (this.#runs.length === 0) {
        yield* this.#sortedHeld();
        return;
      }
      if (this.#held.length > 0) await this.#spill();
      while (this.#runs.length > COMPACT_RUNS_MERGED) await this.#mergeSome();
      yield* mergeRuns(
        this.#runs.map((run) => this.#read(run)),
        COMPACT_BATCH_ROWS,
      );
    } finally {
      await this.close();
    }
  }

  /** Removes the runs. Safe to call twice. */
  async close(): Promise<void> {
    this.#held = [];
    const runs = this.#runs;
    this.#runs = [];
    for (const { location } of runs) await this.#scratch.io.delete(location);
  }

  async *#sortedHeld(): AsyncGenerator<KeyedBatch> {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (held.length === 0) return;
    const { sourceOf, rowOf } = placesOf(held);
    const keys = held.length === 1 ? keysOf(must(held[0], "one batch")) : joinedKeys(held, sourceOf, rowOf);
    const order = sortedByKey(keys);
    await this.#pacer.breathe();
    for (let start = 0; start < order.length; start += COMPACT_BATCH_ROWS) {
      const picked = order.subarray(start, start + COMPACT_BATCH_ROWS);
      yield gatherRows(
        held,
        picked.map((row) => sourceOf[row] as number),
        picked.map((row) => rowOf[row] as number),
      );
    }
  }

  async #spill(): Promise<void> {
    this.#runs.push(await this.#write(this.#sortedHeld()));
  }

  /** The first runs become one that stands in their place. */
  async #mergeSome(): Promise<void> {
    const some = this.#runs.slice(0, COMPACT_RUNS_MERGED);
    const merged = mergeRuns(
      some.map((run) => this.#read(run)),
      COMPACT_BATCH_ROWS,
    );
    const run = await this.#write(merged);
    this.#runs = [run, ...this.#runs.slice(some.length)];
    for (const { location } of some) await this.#scratch.io.delete(location);
  }

  async #write(batches: AsyncIterable<KeyedBatch>): Promise<Run> {
    const { io, folder } = this.#scratch;
    const location = `${folder}/run-${String(this.#made++).padStart(5, "0")}.parquet`;
    const writer = openDataFileWriter({
      schema: this.#schema,
      output: await io.openWrite(location),
      // One row group of each run is in memory while they are merged.
      rowGroupSizeBytes: Math.max(LEAST_GROUP_BYTES, Math.floor(this.#memoryBytes / 4 / COMPACT_RUNS_MERGED)),
      breathe: () => this.#pacer.breathe(),
    });
    try {
      for await (const batch of batches) {
        await writer.write(batch);
        await this.#pacer.breathe();
      }
      const { fileSizeBytes } = await writer.finish();
      return { location, sizeBytes: fileSizeBytes };
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  #read({ location, sizeBytes }: Run): AsyncIterable<KeyedBatch> {
    const file = { filePath: location, fileSizeBytes: sizeBytes };
    return readParquetColumns(this.#scratch.io, file, this.#schema.fields, NO_SOURCES);
  }
}

/** For each row of batches laid end to end: its batch, and its row in there. */
function placesOf(batches: readonly KeyedBatch[]): { sourceOf: Uint32Array; rowOf: Uint32Array } {
  const length = batches.reduce((sum, batch) => sum + batch.length, 0);
  const sourceOf = new Uint32Array(length);
  const rowOf = new Uint32Array(length);
  let at = 0;
  for (const [source, batch] of batches.entries()) {
    sourceOf.fill(source, at, at + batch.length);
    for (let row = 0; row < batch.length; row++) rowOf[at++] = row;
  }
  return { sourceOf, rowOf };
}

function joinedKeys(batches: readonly KeyedBatch[], sourceOf: Uint32Array, rowOf: Uint32Array): Keys {
  const keys = gatherColumn(KEY_TYPE, batches.map(keysOf), sourceOf, rowOf);
  assert(keys.layout === "bytes", "keys are bytes");
  return keys;
}
