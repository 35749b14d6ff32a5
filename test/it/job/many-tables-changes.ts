import { createBuilder } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op } from "../../../src/core/change-batch.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";

export const SPLIT = "many/0";

/** The budget of the whole process. A quarter of it, which keys may take, holds fewer keys than these tables have. */
export const MEMORY_BYTES = 96 * 2 ** 20;

/** Tables, of which the first few have most of the changes. */
export const TABLES = 200;
const HOT_TABLES = 8;

/** Rows that each table has at first, and pulls that bring them, a few tables each. */
const FIRST_ROWS = 3_000;
const LOAD_PULLS = 50;

/** Pulls of changes afterwards. */
const CHANGE_PULLS = 40;
const HOT_CHANGES = 500;
const SLOW_CHANGES = 10;

export const PULLS = LOAD_PULLS + CHANGE_PULLS;

type Take = (table: number, op: number, id: number, value: number) => void;

/** Hands on the changes of a pull, always the same, table by table. Hot tables change in every pull, the others in one of 19. */
function tell(pull: number, take: Take): void {
  const round = pull - LOAD_PULLS;
  for (let table = 0; table < TABLES; table++) {
    if (round < 0) {
      if (table % LOAD_PULLS !== pull) continue;
      for (let row = 0; row < FIRST_ROWS; row++) take(table, Op.insert, row, row);
    } else if (table < HOT_TABLES) {
      for (let row = 0; row < HOT_CHANGES; row++) hotChange(table, round, row, take);
    } else if ((round * 7 + table) % 19 === 0) {
      take(table, Op.insert, 2_000_000 + round, round);
      for (let row = 1; row < SLOW_CHANGES; row++) take(table, Op.update, (row * 211 + round * 13) % FIRST_ROWS, round);
    }
  }
}

/** New rows, changed ones, and deletes of new ones of the round before. */
function hotChange(table: number, round: number, row: number, take: Take): void {
  const fresh = 1_000_000 + round * 1_000 + row;
  if (row % 3 === 0) take(table, Op.insert, fresh, round);
  else if (row % 6 === 2 && round > 0) take(table, Op.delete, fresh - 1_002, 0);
  else take(table, Op.update, (row * 31 + round * 97) % FIRST_ROWS, round);
}

const FIELDS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "value", type: { kind: "long" }, required: false },
];

/** The changes of a pull as batches. No object a change: what the measured process holds is to be the job's. */
export function batchesOf(pull: number, router: TableRouter): ChangeBatch[] {
  const batches: ChangeBatch[] = [];
  let at = -1;
  let ops: number[] = [];
  let [ids, values] = [createBuilder({ kind: "long" }), createBuilder({ kind: "long" })];
  const finish = (): void => {
    if (ops.length === 0) return;
    const binding = router.byStream(`t${at}`);
    if (binding === null) throw new Error(`no table for t${at}`);
    batches.push({
      table: binding.table,
      split: SPLIT,
      length: ops.length,
      ops: Uint8Array.from(ops),
      fields: FIELDS,
      columns: [ids.finish(), values.finish()],
      absent: FIELDS.map(() => null),
      key: ["id"],
      points: { after: () => String(pull + 1) },
      sizeBytes: ops.length * 17,
    });
    ops = [];
    [ids, values] = [createBuilder({ kind: "long" }), createBuilder({ kind: "long" })];
  };
  tell(pull, (table, op, id, value) => {
    if (table !== at) finish();
    at = table;
    ops.push(op);
    ids.appendI64Number(id);
    if (op === Op.delete) values.appendNull();
    else values.appendI64Number(value);
  });
  finish();
  return batches;
}

/** What each table must hold in the end: rows as `id|value`, sorted as texts. */
export function expectedRows(): string[][] {
  const tables = Array.from({ length: TABLES }, () => new Map<number, number>());
  for (let pull = 0; pull < PULLS; pull++) {
    tell(pull, (table, op, id, value) => {
      if (op === Op.delete) tables[table]?.delete(id);
      else tables[table]?.set(id, value);
    });
  }
  return tables.map((rows) => [...rows].map(([id, value]) => `${id}|${value}`).sort());
}
