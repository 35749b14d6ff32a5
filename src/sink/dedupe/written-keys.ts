import {
  currentSchema,
  currentSnapshot,
  type DataFile,
  decodeValue,
  fieldByName,
  type FileIO,
  isValid,
  type LoadedTable,
  mapConcurrently,
  type NestedField,
  planSnapshot,
  readDataFile,
  type Schema,
} from "../../../table-format/index.ts";
import type { SnapshotStore } from "../../commit/snapshot-change.ts";
import { NO_TIME } from "../../core/change-batch.ts";
import { must } from "../../core/errors.ts";
import { DEDUPE_FILES_IN_FLIGHT } from "../../core/limits.ts";
import type { Dedupe } from "../../core/table-rule.ts";
import { KEY_WORDS } from "../keys/key-words.ts";
import { keyFields } from "../keys/table-state.ts";
import { TIME_COLUMN } from "../changes/time-column.ts";
import { TIMELESS, timedKeys, type TimedKeys } from "./copies.ts";
import { KeyWindow } from "./key-window.ts";

/**
 * The keys of a table's rows in the window behind its newest row, read from the files that may hold such rows: the bounds of the time column
 * in the manifests tell which. So the state of `dedupe` is the table's rows, whatever process wrote them.
 * @param check is told the size as it grows, and may throw.
 */
export async function writtenKeys(
  { io, manifests }: SnapshotStore,
  { metadata }: LoadedTable,
  { key, windowMs }: Dedupe,
  seed: number,
  check: (window: KeyWindow) => void,
): Promise<KeyWindow> {
  const window = new KeyWindow(windowMs);
  const snapshot = currentSnapshot(metadata);
  const schema = currentSchema(metadata);
  const time = fieldByName(schema, TIME_COLUMN.name);
  if (snapshot === null || time === null) return window;
  const { dataFiles } = await planSnapshot(io, metadata, snapshot, manifests);
  const newest = dataFiles.map(({ file }) => newestMs(file, time));
  const after = Math.max(0, ...newest.filter(Number.isFinite)) - windowMs;
  const files = dataFiles.filter((_, index) => must(newest[index], "a time a file") > after);
  await mapConcurrently(files, DEDUPE_FILES_IN_FLIGHT, async ({ file }) => {
    for await (const { keys, timesMs } of fileKeys(io, schema, key, time, file, seed)) {
      for (let row = 0; row < timesMs.length; row++) {
        if (timesMs[row] !== TIMELESS) window.add(keys, row * KEY_WORDS, timesMs[row] as number);
      }
      check(window);
    }
  });
  return window;
}

/** The latest time in a file; infinity where the manifest does not tell, less than any time where it has none. */
function newestMs({ upperBounds, nullValueCounts, recordCount }: DataFile, time: NestedField): number {
  const bound = upperBounds?.get(time.id);
  if (bound !== undefined) return Number((decodeValue({ kind: "timestamptz" }, bound) as bigint) / 1_000n);
  return nullValueCounts?.get(time.id) === recordCount ? -Infinity : Infinity;
}

async function* fileKeys(
  io: FileIO,
  schema: Schema,
  key: readonly string[],
  time: NestedField,
  file: DataFile,
  seed: number,
): AsyncGenerator<TimedKeys> {
  const fields = keyFields(schema, key);
  const types = fields.map(({ type }) => type);
  for await (const batch of readDataFile(io, file, schema, [...fields.map(({ id }) => id), time.id])) {
    const times = must(batch.columns.at(-1), "the time column");
    const timesUs = (row: number) =>
      times.layout === "i64" && isValid(times, row) ? (times.values[row] as bigint) : NO_TIME;
    yield timedKeys(batch.columns.slice(0, -1), types, key, batch.length, timesUs, seed);
  }
}
