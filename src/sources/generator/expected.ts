import type { Position } from "../../core/position.ts";
import type { GeneratorSettings } from "./config.ts";
import { draw } from "./draw.ts";
import { type ShopChange, ShopWalk } from "./shop-walk.ts";

/**
 * A value in plain form: long, time (µs) and timestamps (µs since 1970) as bigint; int, date (days), float and double as number;
 * decimals as text with all digits of their scale; uuid as dashed text; binary as upper-case hexadecimal text.
 */
export type PlainValue = null | boolean | number | bigint | string;

export type PlainRow = Readonly<Record<string, PlainValue>>;

/** One row change in plain form: what a database would have in its log. */
export interface PlainChange {
  /** `shop.orders` */
  readonly table: string;
  readonly op: "insert" | "update" | "delete";
  /** Of a delete the key columns only. */
  readonly row: PlainRow;
}

const opNames = ["insert", "update", "delete"] as const;
const tableNames = ["shop.customers", "shop.orders", "shop.order_events"] as const;
const keyColumns: Record<string, readonly string[]> = {
  "shop.customers": ["region", "id"],
  "shop.orders": ["id"],
};

/**
 * The whole changelog event by event, all splits in the order of their sequence numbers: for producers that send it elsewhere. A change of
 * key is two changes, and deletes name the key columns only.
 */
export function* shopChangelog(
  settings: Pick<GeneratorSettings, "seed" | "events" | "splits">,
): Generator<PlainChange[]> {
  const { seed, events, splits } = settings;
  const walks = Array.from({ length: splits }, (_, split) => new ShopWalk(seed, split, splits));
  for (let sequence = 0; sequence < events; sequence++) {
    yield nextPlainChanges(seed, walks[sequence % splits] as ShopWalk);
  }
}

/** The event that brings a split from point `walk.point` one further, as plain changes. */
export function nextPlainChanges(seed: number, walk: ShopWalk): PlainChange[] {
  const sequence = walk.sequence;
  return walk.next().map((change) => plainChange(seed, change, sequence));
}

/**
 * What the shop's tables must hold once every split has been taken up to its point: the events told once more and played into one map
 * a table. It shares the story (`ShopWalk`) with the source and nothing else: values, keys and replay are written a second time, in the
 * plainest way.
 * @param position where each split stands; without it, the end
 */
export function expectedTables(
  settings: Pick<GeneratorSettings, "seed" | "events" | "splits">,
  position?: Position,
): Map<string, PlainRow[]> {
  const { seed, events, splits } = settings;
  const tables = new Map<string, Map<string, PlainRow>>(tableNames.map((name) => [name, new Map()]));
  for (let split = 0; split < splits; split++) {
    const end = position === undefined ? null : Number(position.get(`generator/${split}`) ?? 0);
    const walk = new ShopWalk(seed, split, splits);
    while (end === null ? walk.sequence < events : walk.point < end) {
      for (const { table, op, row } of nextPlainChanges(seed, walk)) {
        const key = (keyColumns[table] ?? ["event_id"]).map((column) => String(row[column])).join("|");
        if (op === "delete") tables.get(table)?.delete(key);
        else tables.get(table)?.set(key, row);
      }
    }
  }
  return new Map([...tables].map(([name, rows]) => [name, [...rows.values()]]));
}

function plainChange(seed: number, change: ShopChange, sequence: number): PlainChange {
  const table = tableNames[change.table] as string;
  const op = opNames[change.op] as (typeof opNames)[number];
  if (table === "shop.customers") return { table, op, row: customerRow(seed, change, sequence, op === "delete") };
  if (table === "shop.orders") return { table, op, row: orderRow(seed, change, sequence, op === "delete") };
  return { table, op, row: orderEventRow(seed, change, sequence) };
}

const firstEventUs = BigInt(Date.UTC(2026, 0, 1)) * 1000n;
const texts = ["", "🧊 first ice", "naïve façade, Ελλάδα, 日本", 'says "hello",\n\tthen leaves', "👩‍👩‍👧‍👦", "plain"];

function customerRow(seed: number, change: ShopChange, sequence: number, keyOnly: boolean): PlainRow {
  const { number, version } = change;
  const r = (lane: number): number => draw(seed, lane, number, version);
  const id = BigInt(number) + 1n;
  const key = { region: ["africa", "america", "asia", "europe", "oceania"][change.region] as string, id };
  if (keyOnly) return key;
  const first = ["Ada", "Zoë", "Søren", "李", "", "🐧 Pingu", "O'Hara"][r(16) % 7];
  return {
    ...key,
    name: first === "" ? "" : `${first} ${id}`,
    email: r(17) % 5 === 0 ? null : `c${id}.${version}@example.org`,
    vip: r(18) % 4 === 0,
    credit: decimalText(BigInt(r(19) % 200_000) - 100_000n, 2),
    joined: (r(20) % 40_000) - 10_000,
    photo: blobText(r(21), r),
    updated_at: firstEventUs + BigInt(sequence) * 1000n,
  };
}

function orderRow(seed: number, change: ShopChange, sequence: number, keyOnly: boolean): PlainRow {
  const { number, version } = change;
  const r = (lane: number): number => draw(seed, lane, number, version);
  const fixed = (lane: number): number => draw(seed, lane, number, 0);
  const id = 9_007_199_254_740_993n + BigInt(number);
  if (keyOnly) return { id };
  const isVoid = r(17) % 64 === 0;
  const cents = [null, "9999999999999999.99", "-9999999999999999.99", "-0.01", "0.00", "0.01"];
  const random64 = BigInt(r(19)) * 2n ** 32n + BigInt(r(20));
  const sign = r(20) % 2 === 1 ? -1n : 1n;
  const voidExact = [null, 1n, 10n ** 38n - 1n, 10n ** 38n - 1n][r(19) % 4] as bigint | null;
  const exact = isVoid ? voidExact : random64;
  const placedUs = firstEventUs + BigInt(number % 10_000) * 60_000_000n + BigInt(fixed(26) % 60_000_000);
  const placed: Record<number, [number | null, bigint | null]> = {
    0: [2_932_896, 253_402_300_799_999_999n],
    1: [-1, -1n],
    2: [null, null],
  };
  const [placedOn, placedAt] = placed[fixed(26) % 512] ?? [Number(placedUs / 86_400_000_000n), placedUs];
  const uuid = [30, 31, 32, 33].map((lane) => fixed(lane).toString(16).padStart(8, "0")).join("");
  const traces: Record<number, bigint | null> = { 0: null, 1: -(2n ** 63n), 2: 2n ** 63n - 1n };
  const trace = traces[r(34) % 16];
  const note = r(25) % 8;
  return {
    id,
    customer_id: 1n + (BigInt(r(16)) % (BigInt(number) + 1n)),
    status: isVoid ? "void" : (["new", "paid", "packed", "sent"][version - 1] ?? "done"),
    total: isVoid ? (cents[r(18) % 6] as string | null) : decimalText(100n + BigInt(r(18) % 500_000), 2),
    exact: exact === null ? null : decimalText(exact * sign, 10),
    quantity: isVoid ? (r(18) % 2 === 0 ? 2_147_483_647 : -2_147_483_648) : 1 + (r(21) % 20),
    weight:
      r(22) % 32 < 5 ? ([-0, 1e308, 5e-324, -1e308, null][r(22) % 32] as number | null) : Math.floor(r(22) / 32) / 1000,
    ratio: (r(23) % 65_536) / 256,
    gift: [null, true, false][r(24) % 3] as boolean | null,
    note: texts[note] ?? null,
    placed_on: placedOn,
    placed_at: placedAt,
    pickup:
      r(27) % 8 === 0
        ? null
        : r(27) % 8 === 1
          ? 86_399_999_999n
          : BigInt(r(27) % 86_400) * 1_000_000n + BigInt(r(28) % 1_000_000),
    updated_at: firstEventUs + BigInt(sequence) * 1000n + BigInt(r(29) % 1000),
    reference: uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
    trace_id: trace === undefined ? BigInt.asIntN(64, BigInt(r(34)) * 2n ** 32n + BigInt(r(35))) : trace,
    payload: blobText(r(36), r),
  };
}

function orderEventRow(seed: number, change: ShopChange, sequence: number): PlainRow {
  const r = (lane: number): number => draw(seed, lane, change.number, change.version);
  return {
    event_id: BigInt(sequence) + 1n,
    order_id: 9_007_199_254_740_993n + BigInt(change.number),
    kind: ["created", "paid", "packed", "handed over", "delivered"][r(16) % 5] as string,
    amount: r(17) % 4 === 0 ? null : decimalText(BigInt(r(18) % 1_000_000) - 1000n, 2),
    detail: r(19) % 3 === 0 ? null : (texts[r(20) % 6] as string),
    at: firstEventUs + BigInt(sequence) * 1000n,
  };
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function blobText(random: number, r: (lane: number) => number): string | null {
  if (random % 6 === 5) return null;
  let text = "";
  for (let at = 0; at < random % 12; at++) text += (r(64 + at) % 256).toString(16).padStart(2, "0");
  return text.toUpperCase();
}
