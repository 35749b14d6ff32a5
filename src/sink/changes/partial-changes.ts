import { valueAt } from "../../../table-format/index.ts";
import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { type BufferedBatch, hasChangedKey } from "./buffered-changes.ts";
import type { KeyLookup } from "../keys/checkpoint-lookups.ts";
import { KeyMap } from "../keys/key-map.ts";
import type { Locations } from "../keys/key-resolver.ts";
import { KEY_WORDS } from "../keys/key-words.ts";

/** In `PartialChanges.beforeSource`: the row that the table holds; `beforeRow` is its number among `current`. */
export const IN_TABLE = -1;

/**
 * Updates and key changes of a checkpoint that leave columns out. The values are those of the row as it was before: as an earlier change of
 * the checkpoint left it, or as the table has it.
 */
export interface PartialChanges {
  /** For each batch with such rows their numbers, -1 for the other rows. */
  readonly numbers: readonly (Int32Array | null)[];
  /** By number: the batch of the change before, or `IN_TABLE`. */
  readonly beforeSource: Int32Array;
  readonly beforeRow: Int32Array;
  /** Rows of the table that are asked for. */
  readonly current: Locations;
  /** Rows that there is no row to take values for from (1), with the rows of the same messages; for each batch that has some. */
  readonly letters: readonly (Uint8Array | null)[];
  /** These, and the rows that the table does not take. */
  readonly left: readonly (Uint8Array | null)[];
  readonly unknown: readonly UnknownRow[];
}

/** A change that leaves values out and whose key has no row. */
export interface UnknownRow {
  readonly batch: ChangeBatch;
  readonly row: number;
  /** Kind `data`, code `ABSENT_VALUE`: names the key and the first column without a value. */
  readonly error: FrazilError;
  readonly column: string;
  /** The table's name in messages. */
  readonly target: string;
}

/**
 * Finds the changes that leave columns out, and the rows that they change.
 *
 * @param target the table's name, @param key its key columns, both for messages.
 * @param dropped rows that the table does not take (1), for each batch that has some.
 * @returns null when no update and no key change leaves a column out.
 */
export async function findPartialChanges(
  target: string,
  key: readonly string[],
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  lookups: KeyLookup,
  dropped: readonly (Uint8Array | null)[] = [],
): Promise<PartialChanges | null> {
  let count = 0;
  const numbers = batches.map((buffered) => {
    const found = numberPartial(buffered, count);
    count += found?.count ?? 0;
    return found?.numbers ?? null;
  });
  if (count === 0) return null;
  const asked = keysBefore(batches, keysOf, numbers);
  const current = await lookups.resolve(asked.keys);
  const left = batches.map((_, source) => dropped[source]?.slice() ?? null);
  const letters = batches.map((): Uint8Array | null => null);
  const rows: RowAt[] = [];
  for (;;) {
    const walk = { batches, keysOf, numbers, indexes: asked.indexes, current, left };
    const { beforeSource, beforeRow, unknown } = followRows(walk, count);
    rows.push(...unknown);
    // What a message holds besides goes with it, and may be what other rows were based on.
    if (unknown.length === 0 || !leaveMessages(batches, unknown, letters, left)) {
      const told = rows.map(unknownRow(target, key, batches));
      return { numbers, beforeSource, beforeRow, current, letters, left, unknown: told };
    }
  }
}

interface RowAt {
  readonly source: number;
  readonly row: number;
}

/** Whether an update or key change leaves a column out. */
export function hasPartialChanges(batches: readonly BufferedBatch[]): boolean {
  return batches.some((buffered) => numberPartial(buffered, 0) !== null);
}

/** Numbers a batch's rows that leave a column out and take its value over from a row before; null when there is none. */
function numberPartial({ batch, from }: BufferedBatch, first: number) {
  let numbers: Int32Array | null = null;
  let next = first;
  const bitmaps = batch.absent.filter((bits) => bits !== null);
  for (let row = from; bitmaps.length > 0 && row < batch.length; row++) {
    if (bitmaps.every((bits) => bits[row >> 3] === 0)) row |= 7;
    else if (bitmaps.some((bits) => isAbsent(bits, row)) && takesOver(batch, row)) {
      numbers ??= new Int32Array(batch.length).fill(-1);
      numbers[row] = next++;
    }
  }
  return numbers === null ? null : { numbers, count: next - first };
}

/** Inserts without a value mean null, but for those of a key change; deletes carry their key only. */
function takesOver(batch: ChangeBatch, row: number): boolean {
  const op = batch.ops[row];
  return op === Op.update || op === Op.softDelete || hasChangedKey(batch, row);
}

/** Whether a change leaves a column out and takes its value over from a row before. */
export function isPartial(batch: ChangeBatch, row: number): boolean {
  return batch.absent.some((bits) => bits !== null && isAbsent(bits, row)) && takesOver(batch, row);
}

/** Whether the bit of a row is set in one of `ChangeBatch.absent`. */
export function isAbsent(bits: Uint8Array, row: number): boolean {
  return ((bits[row >> 3] as number) & (1 << (row & 7))) !== 0;
}

/** The keys whose rows in the table the partial changes may start from, each once, and their places among them. */
function keysBefore(
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  numbers: PartialChanges["numbers"],
) {
  const indexes = new KeyMap();
  const words: number[] = [];
  for (const [source, numbered] of numbers.entries()) {
    if (numbered === null) continue;
    const { batch } = must(batches[source], "a batch");
    const keys = must(keysOf[source], "keys of a batch");
    for (const [row, number] of numbered.entries()) {
      if (number < 0) continue;
      const at = (batch.ops[row] === Op.insert ? row - 1 : row) * KEY_WORDS;
      if (indexes.find(keys, at) >= 0) continue;
      indexes.put(keys, at, 0, words.length / KEY_WORDS);
      for (let word = 0; word < KEY_WORDS; word++) words.push(keys[at + word] as number);
    }
  }
  return { indexes, keys: Uint32Array.from(words) };
}

interface Walk {
  readonly batches: readonly BufferedBatch[];
  readonly keysOf: readonly Uint32Array[];
  readonly numbers: PartialChanges["numbers"];
  /** Places of keys in `current`. */
  readonly indexes: KeyMap;
  readonly current: Locations;
  readonly left: (Uint8Array | null)[];
}

/** No row. */
const NOWHERE = -2;

/** Follows each key through the checkpoint. Partial changes of keys without a row are marked in `left` and change nothing. */
function followRows({ batches, keysOf, numbers, indexes, current, left }: Walk, count: number) {
  const beforeSource = new Int32Array(count);
  const beforeRow = new Int32Array(count);
  const unknown: RowAt[] = [];
  let latest = new KeyMap();
  let truncated = false;
  let place: RowAt = { source: NOWHERE, row: 0 };
  const rowBefore = (keys: Uint32Array, at: number): RowAt => {
    const slot = latest.find(keys, at);
    if (slot >= 0) {
      const [source, row] = [latest.fileAt(slot), latest.positionAt(slot)];
      return { source: batches[source]?.batch.ops[row] === Op.delete ? NOWHERE : source, row };
    }
    const index = truncated ? -1 : indexes.find(keys, at);
    const row = index < 0 ? 0 : indexes.positionAt(index);
    return { source: index >= 0 && (current.files[row] as number) >= 0 ? IN_TABLE : NOWHERE, row };
  };
  for (const [source, { batch, from }] of batches.entries()) {
    const keys = must(keysOf[source], "keys of a batch");
    for (let row = from; row < batch.length; row++) {
      const at = row * KEY_WORDS;
      const op = batch.ops[row];
      const number = numbers[source]?.[row] ?? -1;
      // The row that a key change moves is the one that its delete finds, also where the table does not take the delete.
      if (op === Op.delete || op === Op.softDelete || (number >= 0 && op === Op.update)) place = rowBefore(keys, at);
      if (left[source]?.[row] === 1) continue;
      if (op === Op.truncate) {
        latest = new KeyMap();
        truncated = true;
        continue;
      }
      if (number >= 0) {
        beforeSource[number] = place.source;
        beforeRow[number] = place.row;
        if (place.source === NOWHERE) {
          unknown.push({ source, row });
          (left[source] ??= new Uint8Array(batch.length))[row] = 1;
          continue;
        }
      }
      latest.put(keys, at, source, row);
    }
  }
  return { beforeSource, beforeRow, unknown };
}

/** Marks all rows of the messages that the rows came with. @returns whether there was one that had not been left yet. */
function leaveMessages(
  batches: readonly BufferedBatch[],
  rows: readonly RowAt[],
  letters: (Uint8Array | null)[],
  left: (Uint8Array | null)[],
): boolean {
  const name = ({ split, points }: ChangeBatch, row: number): string => `${split}\0${points.after(row)}`;
  const messages = new Set(rows.map(({ source, row }) => name(must(batches[source], "a batch").batch, row)));
  let more = false;
  for (const [source, { batch, from }] of batches.entries()) {
    for (let row = from; row < batch.length; row++) {
      if (!messages.has(name(batch, row))) continue;
      (letters[source] ??= new Uint8Array(batch.length))[row] = 1;
      if (left[source]?.[row] === 1) continue;
      (left[source] ??= new Uint8Array(batch.length))[row] = 1;
      more = true;
    }
  }
  return more;
}

function unknownRow(target: string, key: readonly string[], batches: readonly BufferedBatch[]) {
  return ({ source, row }: RowAt): UnknownRow => {
    const { batch } = must(batches[source], "a batch");
    const at = batch.absent.findIndex((bits) => bits !== null && isAbsent(bits, row));
    const column = must(batch.fields[at], "a column is left out").name;
    const keyText = key.map((name) => `${name} = ${keyValue(batch, name, row)}`).join(", ");
    const error = new FrazilError(
      "data",
      "ABSENT_VALUE",
      `table ${target}: a change of ${batch.split} before point ${batch.points.after(row)} leaves out column ${column}, and no row of its key (${keyText}) is known to take it from`,
      {
        hint: "let the source send whole rows (PostgreSQL: REPLICA IDENTITY FULL), load the topic from its start, or keep such messages: dead_letter:",
      },
    );
    return { batch, row, error, column, target };
  };
}

function keyValue({ fields, columns }: ChangeBatch, name: string, row: number): string {
  const column = columns[fields.findIndex((field) => field.name === name)];
  const value = column === undefined ? null : valueAt(column, row);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}
