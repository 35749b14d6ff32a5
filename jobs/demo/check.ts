import type { PlainRow, PlainValue } from "../../src/index.ts";
import { rowsOf } from "./frazil.ts";

/** How DuckDB tells a value exactly as text, where a plain cast would not compare with the expected table's form. */
const texts: Readonly<Record<string, (column: string) => string>> = {
  joined: (column) => `datediff('day', DATE '1970-01-01', ${column})`,
  placed_on: (column) => `datediff('day', DATE '1970-01-01', ${column})`,
  updated_at: (column) => `epoch_us(${column})`,
  placed_at: (column) => `epoch_us(${column})`,
  at: (column) => `epoch_us(${column})`,
  pickup: (column) => `epoch_us(${column})`,
  // A float's text is the shortest that gives back the float, not the double it equals.
  ratio: (column) => `CAST(${column} AS DOUBLE)`,
  photo: (column) => `hex(${column})`,
  payload: (column) => `hex(${column})`,
};

const keys: Readonly<Record<string, readonly string[]>> = {
  "shop.customers": ["region", "id"],
  "shop.orders": ["id"],
  "shop.order_events": ["event_id"],
};

export interface Verdict {
  readonly rows: number;
  readonly values: number;
  /** What differs, a few lines; empty when nothing does. */
  readonly differences: readonly string[];
}

/** Reads a whole table through `frazil query` and compares it with the expected one, value by value. */
export async function checkTable(
  name: string,
  expected: readonly PlainRow[],
  env: Readonly<Record<string, string>>,
  warehouse: string,
): Promise<Verdict> {
  if (expected.length === 0) throw new Error(`${name} should not be empty: nothing to compare`);
  const columns = Object.keys(expected[0] as PlainRow);
  const list = columns.map((column) => {
    const quoted = `"${column}"`;
    return `CAST(${texts[column]?.(quoted) ?? quoted} AS VARCHAR) AS ${quoted}`;
  });
  const found = await rowsOf(["query", `SELECT ${list.join(", ")} FROM ${name}`, "--warehouse", warehouse], env);
  const key = (row: Readonly<Record<string, unknown>>): string =>
    (keys[name] ?? []).map((column) => String(row[column])).join(" ");
  const wanted = new Map(expected.map((row) => [key(row), row]));
  const differences: string[] = [];
  if (wanted.size !== expected.length) differences.push(`the expected table of ${name} names a key twice`);
  for (const row of found) {
    const rowKey = key(row);
    const want = wanted.get(rowKey);
    if (want === undefined) {
      differences.push(`${name}: ${rowKey} is there twice, or should not be there`);
      continue;
    }
    wanted.delete(rowKey);
    for (const column of columns) {
      if (!same(want[column] ?? null, row[column])) {
        differences.push(`${name}: ${rowKey}: ${column} is ${String(row[column])}, not ${String(want[column])}`);
      }
    }
  }
  for (const missing of wanted.keys()) differences.push(`${name}: ${missing} is missing`);
  return { rows: found.length, values: found.length * columns.length, differences };
}

function same(want: PlainValue, found: unknown): boolean {
  if (want === null || found === null || found === undefined) return want === (found ?? null);
  if (typeof want === "number") return Object.is(Number(found), want);
  return String(want) === found;
}
