import { Op } from "../../src/core/change-batch.ts";
import { Shop } from "../../src/sources/generator/shop.ts";
import { ShopWalk } from "../../src/sources/generator/shop-walk.ts";
import { frazil } from "../it/job/job-process.ts";

/** What is asked of a table: enough to find a row that is missing, doubled, or an older version of itself. */
interface Sums {
  rows: number;
  keys: number;
  ids: bigint;
  /** Numbers of the events that the rows are from. */
  events: bigint;
}

/** The shop's tables that a bench looks at. */
export type ShopTableName = "customers" | "orders" | "order_events";

const FIRST_EVENT_MS = Date.UTC(2026, 0, 1);
const FIRST_ORDER = 2n ** 53n + 1n;
/** By table: what tells rows apart, whose number is summed, when the event was. */
const COLUMNS: Readonly<Record<ShopTableName, readonly [string, string, string]>> = {
  customers: ["(region, id)", "id", "updated_at"],
  orders: ["id", "id", "updated_at"],
  order_events: ["event_id", "order_id", '"at"'],
};

/** Throws unless tables hold what the generator made up to a point. */
export async function checkShop(
  warehouse: string,
  seed: number,
  position: Readonly<Record<string, string>>,
  names: readonly ShopTableName[],
): Promise<void> {
  const expected = shopSums(seed, position);
  for (const name of names) {
    const [key, id, at] = COLUMNS[name];
    const events = `(sum(epoch_ms(${at})) - count(*) * ${FIRST_EVENT_MS}::HUGEINT)::VARCHAR`;
    const select = `count(*) AS rows, count(DISTINCT ${key}) AS keys, sum(${id})::VARCHAR AS ids, ${events} AS events`;
    const query = frazil(["query", `SELECT ${select} FROM shop.${name}`, "--warehouse", warehouse, "--json"]);
    if ((await query.ended) !== 0) throw new Error(query.stderr());
    const found = JSON.parse(query.stdout()) as Record<string, string | number | null>;
    for (const [figure, value] of Object.entries(expected[name])) {
      if (String(found[figure] ?? 0) === String(value)) continue;
      throw new Error(`wrong result: ${figure} of shop.${name} is ${String(found[figure])}, expected ${String(value)}`);
    }
  }
}

function shopSums(seed: number, position: Readonly<Record<string, string>>): Record<ShopTableName, Sums> {
  const splits = Object.entries(position);
  const customers = new Map<string, readonly [bigint, number]>();
  const orders = new Map<string, readonly [bigint, number]>();
  const events: Sums = { rows: 0, keys: 0, ids: 0n, events: 0n };
  for (const [name, end] of splits) {
    const walk = new ShopWalk(seed, Number(name.split("/")[1]), splits.length);
    while (walk.point < Number(end)) {
      const { sequence } = walk;
      for (const { table, op, number, region } of walk.next()) {
        if (table === Shop.orderEvents) {
          events.rows++;
          events.keys++;
          events.ids += FIRST_ORDER + BigInt(number);
          events.events += BigInt(sequence);
          continue;
        }
        const [rows, key, id] =
          table === Shop.orders
            ? [orders, `${number}`, FIRST_ORDER + BigInt(number)]
            : [customers, `${region}|${number}`, BigInt(number + 1)];
        if (op === Op.delete) rows.delete(key);
        else rows.set(key, [id, sequence]);
      }
    }
  }
  return { customers: sumsOf(customers), orders: sumsOf(orders), order_events: events };
}

function sumsOf(rows: ReadonlyMap<string, readonly [bigint, number]>): Sums {
  const sums: Sums = { rows: rows.size, keys: rows.size, ids: 0n, events: 0n };
  for (const [id, event] of rows.values()) {
    sums.ids += id;
    sums.events += BigInt(event);
  }
  return sums;
}
