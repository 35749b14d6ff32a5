import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createRuntime } from "../../src/cli/runtime.ts";
import { warehouseAt } from "../../src/config/load.ts";
import { tableNow } from "../../src/query/as-of.ts";
import { tableChanges } from "../../src/query/changes.ts";
import type { ResultRows } from "../../src/query/duckdb.ts";
import { openQuery } from "../../src/query/query.ts";
import { ALL_ROWS } from "../../src/query/row-choice.ts";
import { openScan } from "../../src/query/scan.ts";
import { openWarehouse, type Warehouse } from "../../src/warehouse.ts";
import { currentSnapshot, type LoadedTable, must } from "../../table-format/index.ts";
import type { Figure } from "./bench.ts";
import { latencies } from "./changes-latency.ts";
import { choiceOption, numberOption } from "./options.ts";
import { openSparkEngine } from "./read-engines.ts";
import { changeNumbered, type RowVersion, SCAN_SQL } from "./read-rows.ts";
import { makeReadTable, type ReadTable } from "./read-table.ts";

const ROWS = 20_000_000;
const SHARE_CHANGED = 0.01;
const FILES = 8;
const ROUNDS = 3;
const SPARK_TIMEOUT_MS = 300_000;
const TABLE = { namespace: ["shop"], name: "a" };

/** What a table told between two of its snapshots. */
interface Told {
  readonly ms: number;
  readonly rows: number;
  readonly idSum: number;
}

/**
 * The changes of 1 % of a table of 20 million rows: all rows of the change feed, read out as `frazil read --from` does, against all rows of the
 * table read out by the same code, and against aggregates over it. Once the changed rows are the newest ones, once they lie all over the table.
 * Then an append-only copy, with Spark's `create_changelog_view` beside it, which takes no deletes. At last, how long after its commit a change
 * stands on the stdout of `frazil read --follow`, in a local warehouse and on MinIO. All answers are checked.
 */
export async function* changes(progress: (line: string) => void): AsyncIterable<Figure> {
  const cases = choiceOption("cases", ["share", "spark", "latency"]);
  if (cases.includes("share") || cases.includes("spark")) {
    const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
    try {
      yield* shares(folder, cases.includes("spark"), progress);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (cases.includes("latency")) yield* latencies(progress);
}

async function* shares(folder: string, withSpark: boolean, progress: (line: string) => void): AsyncIterable<Figure> {
  const rows = numberOption("rows", ROWS);
  const changed = Math.ceil(rows * SHARE_CHANGED);
  const rowsAFile = Math.ceil(rows / FILES);
  progress(`filling a table with ${rows} rows`);
  const keyed = await makeReadTable(join(folder, "keyed"));
  await keyed.fill(between(1, rows), rowsAFile);
  const states = [await headOf(keyed)];
  progress(`changing ${changed} rows`);
  const newest = Array.from({ length: changed }, (_, index) => ({ id: rows - changed + index, version: index + 1 }));
  const spread = Array.from({ length: changed }, (_, index) => changeNumbered(index + 1, rows));
  for (const each of [newest, spread]) {
    await keyed.commit(each);
    states.push(await headOf(keyed));
  }
  const [before, middle, after] = states as [bigint, bigint, bigint];

  await using warehouse = await opened(keyed);
  progress("reading the whole table");
  const all = await drained(
    async () => openScan(warehouse, tableNow(await load(warehouse)), ALL_ROWS),
    () => true,
  );
  if (all.rows !== rows) throw new Error(`wrong result: the table has ${all.rows} rows, expected ${rows}`);
  const aggregates = await best(() =>
    drained(
      () => openQuery(warehouse, SCAN_SQL("shop.a"), null),
      () => true,
    ),
  );
  yield { case: "full scan", figure: "scan_ms", value: Math.round(all.ms), unit: "ms" };
  yield { case: "full scan", figure: "aggregates_ms", value: Math.round(aggregates.ms), unit: "ms" };

  for (const [name, from, to, made] of [
    ["1 % newest", before, middle, newest],
    ["1 % spread", middle, after, spread],
  ] as const) {
    progress(`${name}: reading its changes`);
    const told = await best(() => feed(warehouse, from, to));
    checkTold(name, told, 2 * changed, 2 * sumOf(made));
    yield { case: name, figure: "changes_ms", value: Math.round(told.ms), unit: "ms" };
    yield { case: name, figure: "changes_share_of_scan", value: rounded(told.ms / all.ms), unit: "" };
    yield { case: name, figure: "changes_share_of_aggregates", value: rounded(told.ms / aggregates.ms), unit: "" };
  }
  if (withSpark) yield* besideSpark(folder, keyed, rows, changed, progress);
}

/** The same read out by Spark, of rows that were only added. */
async function* besideSpark(
  folder: string,
  keyed: ReadTable,
  rows: number,
  changed: number,
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  progress("an append-only copy, and Spark");
  const idSum = sumOf([...between(rows, rows + changed)]);
  const more = await makeReadTable(join(folder, "more"));
  await more.fill(between(rows, rows + changed), changed);
  const copy = await makeReadTable(join(folder, "copy"));
  await copy.fillLike(keyed);
  const from = await headOf(copy);
  await copy.fillLike(more);
  const to = await headOf(copy);
  await using warehouse = await opened(copy);
  const told = await best(() => feed(warehouse, from, to));
  checkTold("appended", told, changed, idSum);
  await using spark = await openSparkEngine(SPARK_TIMEOUT_MS);
  const read = async (): Promise<Told> => {
    const startMs = performance.now();
    await spark.ask(
      copy.place,
      () =>
        `CALL {catalog}.system.create_changelog_view(table => 'shop.a', changelog_view => 'changes', options => map('start-snapshot-id', '${from}', 'end-snapshot-id', '${to}'))`,
    );
    // All columns are read, and none is sent.
    const answer = await spark.ask(copy.place, () =>
      SCAN_SQL("changes").replace(" FROM ", ", count(_change_type) AS changes FROM "),
    );
    return { ms: performance.now() - startMs, rows: Number(answer["rows"]), idSum: Number(answer["ids"]) };
  };
  const bySpark = await best(read);
  checkTold("Spark", bySpark, changed, idSum);
  yield { case: "appended", figure: "changes_ms", value: Math.round(told.ms), unit: "ms" };
  yield { case: "appended", figure: "spark_changes_ms", value: Math.round(bySpark.ms), unit: "ms" };
  yield { case: "appended", figure: "changes_share_of_spark", value: rounded(told.ms / bySpark.ms), unit: "" };
}

/** Other work on the machine makes it longer, never shorter; the first round loads code. */
async function best(read: () => Promise<Told>): Promise<Told> {
  const told: Told[] = [];
  for (let round = 0; round < ROUNDS; round++) told.push(await read());
  return must(told.toSorted((a, b) => a.ms - b.ms)[0], "a round");
}

/** All change rows between two snapshots. */
async function feed(warehouse: Warehouse, from: bigint, to: bigint): Promise<Told> {
  const table = await load(warehouse);
  const at = { ...table, metadata: { ...table.metadata, currentSnapshotId: to } };
  const startMs = performance.now();
  let [rows, idSum] = [0, 0];
  const options = {
    from: String(from),
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: (message: string) => {
      throw new Error(message);
    },
  };
  for await (const commit of tableChanges(warehouse, at, options)) {
    const open = async () => ({ ...commit, close: async () => undefined });
    const told = await drained(open, (op) => /^(insert|update_)/.test(String(op)));
    rows += told.rows;
    idSum += told.idSum;
  }
  return { ms: performance.now() - startMs, rows, idSum };
}

async function drained(
  open: () => Promise<ResultRows & { close(): Promise<void> }>,
  isWanted: (op: unknown) => boolean,
): Promise<Told> {
  const startMs = performance.now();
  const result = await open();
  const id = result.names.indexOf("id");
  let [rows, idSum] = [0, 0];
  for await (const chunk of result.chunks()) {
    for (const row of chunk) {
      if (!isWanted(row[0])) throw new Error(`wrong result: a change ${String(row[0])}`);
      rows++;
      if (id >= 0) idSum += Number(row[id]);
    }
  }
  await result.close();
  return { ms: performance.now() - startMs, rows, idSum };
}

function checkTold(of: string, told: Told, rows: number, idSum: number): void {
  if (told.rows === rows && told.idSum === idSum) return;
  throw new Error(`wrong result: ${of} has ${told.rows} rows of ids ${told.idSum}, expected ${rows} of ${idSum}`);
}

async function opened({ place }: ReadTable): Promise<Warehouse & AsyncDisposable> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const warehouse = await openWarehouse(
    warehouseAt(dirname(place.sqlite), {}),
    createRuntime(silent, undefined),
    "read",
  );
  return { ...warehouse, [Symbol.asyncDispose]: () => warehouse.catalog.close() };
}

async function load(warehouse: Warehouse): Promise<LoadedTable> {
  return must(await warehouse.catalog.loadTable(TABLE), "the table");
}

async function headOf(table: ReadTable): Promise<bigint> {
  await using warehouse = await opened(table);
  return must(currentSnapshot((await load(warehouse)).metadata), "a snapshot").snapshotId;
}

function* between(from: number, to: number): Iterable<RowVersion> {
  for (let id = from; id < to; id++) yield { id, version: 0 };
}

function sumOf(rows: readonly RowVersion[]): number {
  return rows.reduce((sum, { id }) => sum + id, 0);
}

function rounded(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
