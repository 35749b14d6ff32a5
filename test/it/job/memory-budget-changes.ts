import { type ChangeBatch, type ChangeColumn, offsetPoints, Op } from "../../../src/core/change-batch.ts";
import { must } from "../../../src/core/errors.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";

export const SPLIT = "t/0";

/** Keys that are inserted, and changes of them afterwards. In memory the keys take 50 MiB. */
const KEYS = 1_000_000;
const CHANGES = 500_000;
export const END = KEYS + CHANGES;

/** Of a change in memory until it is committed: its values, its key, its place among the last changes of each key, its row as it is encoded. */
const CHANGE_BYTES = 260;

const FIELDS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "value", type: { kind: "long" }, required: false },
];

/** Change number `at`: keys come in no order; each is inserted once, then every other one is changed, some are deleted. */
function changeAt(at: number): { readonly id: number; readonly op: number } {
  const key = at < KEYS ? at : (at - KEYS) * 2;
  const op = at < KEYS ? Op.insert : at % 11 === 0 ? Op.delete : Op.update;
  return { id: Math.imul(key, 0x9e3779b1) >>> 0, op };
}

/** Changes as a batch. No object a change: what the measured process holds is to be the job's. */
export function batchOf(from: number, length: number, router: TableRouter): ChangeBatch {
  const ops = new Uint8Array(length);
  const ids = new BigInt64Array(length);
  const values = new BigInt64Array(length);
  for (let i = 0; i < length; i++) {
    const { id, op } = changeAt(from + i);
    ops[i] = op;
    ids[i] = BigInt(id);
    values[i] = BigInt(from + i);
  }
  const longs = { type: { kind: "long" }, layout: "i64", length, nullCount: 0, validity: null } as const;
  return {
    table: must(router.byStream("t"), "an entry of tables:").table,
    split: SPLIT,
    length,
    ops,
    fields: FIELDS,
    columns: [
      { ...longs, values: ids },
      { ...longs, values },
    ],
    absent: FIELDS.map(() => null),
    key: ["id"],
    points: offsetPoints(BigInt64Array.from({ length }, (_, i) => BigInt(from + i + 1))),
    sizeBytes: length * CHANGE_BYTES,
  };
}

/** What the table must hold in the end. */
export function expected(): Record<string, string> {
  const values = new Map<number, number>();
  for (let at = 0; at < END; at++) {
    const { id, op } = changeAt(at);
    if (op === Op.delete) values.delete(id);
    else values.set(id, at);
  }
  let [sum, mix] = [0n, 0n];
  for (const [id, value] of values) {
    sum += BigInt(value);
    mix += BigInt((id * 31 + value) % 1_000_003);
  }
  return { rows: String(values.size), ids: String(values.size), sum: String(sum), mix: String(mix) };
}
