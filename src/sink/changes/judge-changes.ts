import {
  type Column,
  type CompareRows,
  fieldByName,
  type FileIO,
  gatherColumn,
  isPrimitive,
  isValid,
  type NestedField,
  type PrimitiveType,
  rowOrder,
  type Schema,
} from "../../../table-format/index.ts";
import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { TableRule } from "../../core/table-rule.ts";
import { currentValues } from "./absent-values.ts";
import { type BufferedBatch, hasChangedKey, lastTruncate } from "./buffered-changes.ts";
import type { KeyLookup } from "../keys/checkpoint-lookups.ts";
import { fieldSources } from "../data-files.ts";
import { KeyMap } from "../keys/key-map.ts";
import { KEY_WORDS } from "../keys/key-words.ts";
import { isAbsent, isPartial } from "./partial-changes.ts";
import type { TableState } from "../keys/table-state.ts";

/** Which changes of a checkpoint a table does not take. */
export interface Judgement {
  /** Rows that are dropped (1), for each batch that has some. */
  readonly dropped: readonly (Uint8Array | null)[];
  readonly count: number;
  /** Whether it rests on rows of the table as it is mirrored. */
  readonly fromTable: boolean;
}

export interface JudgedTable {
  /** The table's name in messages. */
  readonly target: string;
  readonly rule: Pick<TableRule, "softDelete" | "ignoreDeletes" | "orderBy">;
  readonly schema: Schema;
  readonly state: TableState;
  readonly lookups: KeyLookup;
}

/**
 * Finds the changes that a table drops: deletes and truncates under `ignore_deletes`; changes that come too late by the column `order_by`;
 * soft deletes of keys without a row. Each change is held against its key's row as the changes before it have left it, so that it makes no
 * difference where a checkpoint ends.
 *
 * @param batches with soft deletes as `Op.softDelete`. @param keysOf the keys of each batch's rows.
 * @returns null when the table takes every change.
 * @throws FrazilError `config` when the table lacks the column `order_by`, though there are rows to be written.
 */
export async function judgeChanges(
  io: FileIO,
  table: JudgedTable,
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
): Promise<Judgement | null> {
  const { rule } = table;
  const dropped = batches.map(({ batch, from }) => (rule.ignoreDeletes === true ? deletesOf(batch, from) : null));
  const order = rule.orderBy === undefined ? null : orderField(table, rule.orderBy, batches);
  const marks = batches.some(({ batch }) => batch.ops.includes(Op.softDelete));
  let fromTable = false;
  if (order !== null || marks) {
    const walk = await startWalk(io, table, order, batches, keysOf, dropped);
    fromTable = walk.keys.length > 0 && !walk.truncated;
    follow(walk, batches, dropped);
  }
  const count = dropped.reduce((sum, rows) => sum + (rows?.reduce((a, b) => a + b, 0) ?? 0), 0);
  return count === 0 && !fromTable ? null : { dropped, count, fromTable };
}

function deletesOf(batch: ChangeBatch, from: number): Uint8Array | null {
  let rows: Uint8Array | null = null;
  for (let row = from; row < batch.length; row++) {
    if (batch.ops[row] !== Op.delete && batch.ops[row] !== Op.truncate) continue;
    rows ??= new Uint8Array(batch.length);
    rows[row] = 1;
  }
  return rows;
}

/** Null: there are deletes alone, before the first row of a table that lacks the column as yet. */
function orderField({ target, schema }: JudgedTable, name: string, batches: readonly BufferedBatch[]) {
  const field = fieldByName(schema, name);
  if (field !== null && isPrimitive(field.type)) return { ...field, type: field.type };
  const removes = (op: number): boolean => op === Op.delete || op === Op.softDelete || op === Op.truncate;
  if (field === null && batches.every(({ batch }) => batch.ops.every(removes))) return null;
  throw new FrazilError(
    "config",
    "ORDER_COLUMN",
    `table ${target}: expected a plain column ${name}, as order_by says, found ${field === null ? "none" : "a nested one"}`,
    { hint: `columns: ${schema.fields.map((candidate) => candidate.name).join(", ")}` },
  );
}

/** No row of a key. */
const NO_ROW = -1;

/** The changes of a checkpoint behind its last truncate, numbered through, and what their keys' rows are. */
interface Walk {
  readonly truncated: boolean;
  readonly sourceOf: Uint32Array;
  readonly rows: Uint32Array;
  /** By number: which of the keys it changes. */
  readonly keyOf: Uint32Array;
  /** The keys, each once. */
  readonly keys: Uint32Array;
  /** By key: the number of the change, or of the table's row behind them, whose ordering value the key's row has; or `NO_ROW`. */
  readonly current: Int32Array;
  readonly order: Order | null;
}

interface Order {
  readonly name: string;
  readonly column: Column;
  readonly compare: CompareRows;
}

async function startWalk(
  io: FileIO,
  { schema, state, lookups }: JudgedTable,
  field: (NestedField & { readonly type: PrimitiveType }) | null,
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  dropped: readonly (Uint8Array | null)[],
): Promise<Walk> {
  const truncate = lastTruncate(batches, dropped);
  const { sourceOf, rows, keyOf, keys } = numbered(batches, keysOf, truncate, dropped);
  const current = new Int32Array(keys.length / KEY_WORDS).fill(NO_ROW);
  const walk = { truncated: truncate !== null, sourceOf, rows, keyOf, keys, current };
  const wanted: number[] = [];
  const locations = truncate === null && keys.length > 0 ? await lookups.resolve(keys) : null;
  for (let key = 0; locations !== null && key < current.length; key++) {
    if ((locations.files[key] as number) >= 0) current[key] = rows.length + wanted.push(key) - 1;
  }
  if (field === null) return { ...walk, order: null };
  const sources = fieldSources(field, batches);
  const held = locations === null ? null : await currentValues(io, schema, field, state, locations, wanted);
  const column = gatherColumn(
    field.type,
    [...sources, held],
    concat(sourceOf, new Uint32Array(wanted.length).fill(sources.length)),
    concat(
      rows,
      Uint32Array.from(wanted, (_, index) => index),
    ),
  );
  const term = { sourceId: field.id, transform: "identity", direction: "asc", nullOrder: "nulls-first" } as const;
  const compare = rowOrder({ orderId: 1, fields: [term] }, () => column);
  return { ...walk, order: { name: field.name, column, compare } };
}

function concat(a: Uint32Array, b: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function numbered(
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  truncate: ReturnType<typeof lastTruncate>,
  dropped: readonly (Uint8Array | null)[],
) {
  const total = batches.reduce((sum, { batch, from }) => sum + batch.length - from, 0);
  const [sourceOf, rows, keyOf] = [new Uint32Array(total), new Uint32Array(total), new Uint32Array(total)];
  const keys = new Uint32Array(total * KEY_WORDS);
  const places = new KeyMap(total);
  let next = 0;
  for (let source = truncate?.batch ?? 0; source < batches.length; source++) {
    const { batch, from } = must(batches[source], "a batch");
    const words = must(keysOf[source], "keys of a batch");
    for (let row = source === truncate?.batch ? truncate.row + 1 : from; row < batch.length; row++) {
      // Only a truncate that is dropped is left here, which has no key. A delete that is dropped may begin a key change.
      if (batch.ops[row] === Op.truncate && dropped[source]?.[row] === 1) continue;
      const at = row * KEY_WORDS;
      let slot = places.find(words, at);
      if (slot < 0) {
        keys.set(words.subarray(at, at + KEY_WORDS), places.size * KEY_WORDS);
        places.put(words, at, 0, places.size);
        slot = places.find(words, at);
      }
      sourceOf[next] = source;
      rows[next] = row;
      keyOf[next++] = places.positionAt(slot);
    }
  }
  return {
    sourceOf: sourceOf.subarray(0, next),
    rows: rows.subarray(0, next),
    keyOf: keyOf.subarray(0, next),
    keys: keys.subarray(0, places.size * KEY_WORDS),
  };
}

/** Follows each key's row through the changes and marks those that are dropped. */
function follow(walk: Walk, batches: readonly BufferedBatch[], dropped: (Uint8Array | null)[]): void {
  const { sourceOf, rows, keyOf, current, order } = walk;
  /** What the row had whose key is being changed. */
  let moved = NO_ROW;
  for (let number = 0; number < rows.length; number++) {
    const source = sourceOf[number] as number;
    const row = rows[number] as number;
    const { batch } = must(batches[source], "a batch");
    const op = batch.ops[row];
    const key = keyOf[number] as number;
    const now = current[key] as number;
    const changedKey = hasChangedKey(batch, row);
    if (op === Op.delete || op === Op.softDelete) moved = now;
    if (dropped[source]?.[row] === 1) continue;
    const before = changedKey ? moved : now;
    // Those who look for its other values will miss the row.
    if (op !== Op.softDelete && before === NO_ROW && isPartial(batch, row)) continue;
    const own = order === null || tellsOrder(batch, row, order, number) ? number : before;
    const late = order !== null && now !== NO_ROW && own !== now && order.compare(own, now) < 0;
    if (late || (op === Op.softDelete && now === NO_ROW)) {
      (dropped[source] ??= new Uint8Array(batch.length))[row] = 1;
    } else {
      current[key] = op === Op.delete ? NO_ROW : own;
    }
  }
}

/** Whether a change tells its ordering value. Of a delete null tells nothing; of other changes null is a value, lower than all others. */
function tellsOrder(batch: ChangeBatch, row: number, { name, column }: Order, number: number): boolean {
  const op = batch.ops[row];
  if (op === Op.delete || op === Op.softDelete) return isValid(column, number);
  if (op === Op.insert && !hasChangedKey(batch, row)) return true;
  const bits = batch.absent[batch.fields.findIndex((field) => field.name === name)] ?? null;
  return bits === null || !isAbsent(bits, row);
}
