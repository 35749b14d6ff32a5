import type { ChangeColumn } from "../../src/core/change-batch.ts";
import { must } from "../../src/core/errors.ts";
import { type Column, createBuilder } from "../../table-format/index.ts";

/** A row's values follow from its id and its version: 0 as first written, else the number of the change that it is from. */
export interface RowVersion {
  readonly id: number;
  readonly version: number;
}

/** What the aggregates over all columns must give. */
export interface RowSums {
  rows: number;
  ids: number;
  regions: number;
  customers: number;
  cents: number;
  quantities: number;
  quarters: number;
  notes: number;
  millis: number;
  versions: number;
}

/** The table's columns. */
export const READ_COLUMNS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "region", type: { kind: "string" }, required: false },
  { name: "customer", type: { kind: "string" }, required: false },
  { name: "amount", type: { kind: "decimal", precision: 18, scale: 2 }, required: false },
  { name: "quantity", type: { kind: "int" }, required: false },
  { name: "price", type: { kind: "double" }, required: false },
  { name: "note", type: { kind: "string" }, required: false },
  { name: "created_ms", type: { kind: "long" }, required: false },
  { name: "version", type: { kind: "long" }, required: false },
];

/** One row, a name a sum, in SQL that DuckDB and Spark both take. */
export const SCAN_SQL = (table: string): string =>
  `SELECT ${Object.entries({
    rows: "count(id)",
    ids: "sum(id)",
    regions: "sum(length(region))",
    customers: "sum(length(customer))",
    cents: "CAST(sum(amount) * 100 AS BIGINT)",
    quantities: "sum(quantity)",
    quarters: "CAST(sum(price) * 4 AS BIGINT)",
    notes: "sum(length(note))",
    millis: "sum(created_ms)",
    versions: "sum(version)",
  })
    .map(([name, sql]) => `CAST(${sql} AS STRING) AS ${name}`)
    .join(", ")} FROM ${table}`;

/** All columns of one row. */
export const LOOKUP_SQL = (table: string, id: number): string =>
  `SELECT region, customer, quantity, note, CAST(version AS STRING) AS version FROM ${table} WHERE id = ${id}`;

const REGIONS = ["eu-north", "eu-south", "us-east", "us-west", "ap-east"];
const WORDS = ["paid", "packed", "shipped by sea", "delivered", "returned to sender", "left with a neighbour"];

/** The values of a row's other columns: cents are of `amount`, quarters of `price`. */
export function valuesOf({ id, version }: RowVersion) {
  return {
    region: REGIONS[(id + version) % REGIONS.length] as string,
    customer: `customer-${(id * 7 + version * 13) % 100_000}`,
    cents: (id * 37 + version * 101) % 9_000_000,
    quantity: (id * 3 + version * 7) % 100,
    quarters: (id * 13 + version * 17) % 40_000,
    note: `order ${id} was ${WORDS[(id + version) % WORDS.length] as string}, change ${version}`,
    millis: (id * 997 + version * 31) % 86_400_000,
  };
}

/** Rows as columns. */
export function columnsOf(rows: readonly RowVersion[]): Column[] {
  const builders = READ_COLUMNS.map(({ type }) => createBuilder(type));
  const column = (index: number) => must(builders[index], "a column");
  for (const row of rows) {
    const values = valuesOf(row);
    column(0).appendI64Number(row.id);
    column(1).appendString(values.region);
    column(2).appendString(values.customer);
    column(3).appendI64Number(values.cents);
    column(4).appendI32(values.quantity);
    column(5).appendF64(values.quarters / 4);
    column(6).appendString(values.note);
    column(7).appendI64Number(values.millis);
    column(8).appendI64Number(row.version);
  }
  return builders.map((builder) => builder.finish());
}

/** Adds a row to sums, or takes it away. All sums stay below 2^53. */
export function count(sums: RowSums, row: RowVersion, sign: 1 | -1): void {
  const values = valuesOf(row);
  sums.rows += sign;
  sums.ids += sign * row.id;
  sums.regions += sign * values.region.length;
  sums.customers += sign * values.customer.length;
  sums.cents += sign * values.cents;
  sums.quantities += sign * values.quantity;
  sums.quarters += sign * values.quarters;
  sums.notes += sign * values.note.length;
  sums.millis += sign * values.millis;
  sums.versions += sign * row.version;
}

/** What a lookup must give. */
export function lookedUp(row: RowVersion): Readonly<Record<string, string | number>> {
  const { region, customer, quantity, note } = valuesOf(row);
  return { region, customer, quantity, note, version: String(row.version) };
}

/**
 * The changes: each touches another row of `1 … rows - 1`, all over the table, so that each commit deletes in every file. The changed row's
 * version is the number of the change, from 1.
 */
export function changeNumbered(number: number, rows: number): RowVersion {
  const among = rows - 1;
  let step = Math.floor(among * 0.618_034);
  while (divisor(step, among) !== 1) step++;
  return { id: 1 + ((number * step) % among), version: number };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
