import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqliteTable } from "../readers/requests.ts";
import type { Figure } from "./bench.ts";
import { choiceOption, numberOption } from "./options.ts";
import { type AnswerRow, openDuckdb, openSparkEngine, type ReadEngine } from "./read-engines.ts";
import { changeNumbered, count, lookedUp, LOOKUP_SQL, type RowSums, type RowVersion, SCAN_SQL } from "./read-rows.ts";
import { makeReadTable, type ReadTable } from "./read-table.ts";

const ROWS = 20_000_000;
const COMMITS = 100;
const SHARE_TOUCHED = 0.1;
const FILES = 8;
/** Of each state, in turns. */
const ROUNDS = 3;
const LOOKUPS = { duckdb: 10, spark: 4 } as const;
/** Spark looks at every so many of the live table's commits, DuckDB at each; as often both scan the clean one anew. */
const CLEAN_EVERY = 20;
const CLEAN_SCANS = 2;
/** A scan that took longer than it may is tried again: other work on the machine makes it longer, never shorter. */
const LIVE = { most: 1.5, attempts: 3 } as const;
const SPARK_TIMEOUT_MS = 300_000;

/** A table, and what its rows add up to. */
interface State {
  readonly table: ReadTable;
  readonly place: SqliteTable;
  readonly sums: RowSums;
  readonly rowOf: (id: number) => RowVersion;
}

/**
 * Full scans (aggregates over all columns) and point lookups of DuckDB, by its own `iceberg` extension, and of Spark, both on local files: a
 * table of 20 million rows after 100 commits that changed a tenth of them, evenly, to the same rows written once in the same order in as
 * large files. Uncompacted, compacted (`frazil compact` at its defaults, with the size of the first files as the target), and live: after each
 * commit of a pipeline, right before the compaction that is then due. Every answer is checked.
 */
export async function* read(progress: (line: string) => void): AsyncIterable<Figure> {
  const rows = numberOption("rows", ROWS);
  const commits = numberOption("commits", COMMITS);
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    await using stack = new AsyncDisposableStack();
    const engines: ReadEngine[] = [];
    for (const name of choiceOption("engines", ["duckdb", "spark"])) {
      engines.push(stack.use(name === "duckdb" ? await openDuckdb(progress) : await openSparkEngine(SPARK_TIMEOUT_MS)));
    }
    yield* measure(folder, { rows, commits, engines, progress });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Scale {
  readonly rows: number;
  readonly commits: number;
  readonly engines: readonly ReadEngine[];
  readonly progress: (line: string) => void;
}

async function* measure(folder: string, { rows, commits, engines, progress }: Scale): AsyncIterable<Figure> {
  const rowsAFile = Math.ceil(rows / FILES);
  const changes = Math.floor((rows * SHARE_TOUCHED) / commits);
  const changeOf = new Uint32Array(rows);
  for (let number = 1; number <= changes * commits; number++) changeOf[changeNumbered(number, rows).id] = number;

  progress(`filling tables with ${rows} rows`);
  const changed = await makeReadTable(join(folder, "changed"));
  await changed.fill(between(1, rows), rowsAFile);
  const live = await makeReadTable(join(folder, "live"));
  await live.fillLike(changed);
  const clean = await makeReadTable(join(folder, "clean"));
  await clean.fill(inOrder(rows, changes * commits, changeOf), rowsAFile);

  const final = sumsOf(inOrder(rows, changes * commits, changeOf));
  count(final, { id: 0, version: 0 }, 1);
  const rowOf = (id: number): RowVersion => ({ id, version: changeOf[id] ?? 0 });
  const stateOf = (table: ReadTable): State => ({ table, place: table.place, sums: final, rowOf });

  progress(`${commits} commits of ${changes} changes, nothing compacted`);
  for (let commit = 0; commit < commits; commit++) await changed.commit(changesOf(commit, changes, rows));
  yield* ratios("uncompacted", stateOf(changed), stateOf(clean), rows, engines, progress);
  progress("compacting");
  const groups = await changed.compact();
  yield { case: "compact", figure: "groups_rewritten", value: groups, unit: "" };
  yield* ratios("compacted", stateOf(changed), stateOf(clean), rows, engines, progress);
  yield* liveRatios(live, stateOf(clean), { rows, commits, engines, progress }, changes);
}

/** Scans and lookups of a table by those of the clean one, in turns; the shortest of each. */
async function* ratios(
  state: string,
  table: State,
  clean: State,
  rows: number,
  engines: readonly ReadEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  for (const engine of engines) {
    progress(`${engine.name}: ${state} to clean`);
    const took: Record<"table" | "clean" | "lookups" | "cleanLookups", Cost[]> = {
      table: [],
      clean: [],
      lookups: [],
      cleanLookups: [],
    };
    for (let round = 0; round <= ROUNDS; round++) {
      const costs = {
        clean: await scan(engine, clean.place, clean.sums),
        table: await scan(engine, table.place, table.sums),
        cleanLookups: await lookups(engine, clean, rows),
        lookups: await lookups(engine, table, rows),
      };
      // The first round loads code.
      if (round > 0) for (const [name, cost] of Object.entries(costs)) took[name as keyof typeof took].push(cost);
    }
    // Other work on the machine makes them longer, never shorter.
    const least = (costs: readonly Cost[], of: keyof Cost): number => Math.min(...costs.map((cost) => cost[of]));
    const ratio = (a: readonly Cost[], b: readonly Cost[]): number => rounded(least(a, "ms") / least(b, "ms"));
    const of = engine.name;
    yield { case: of, figure: `clean_scan_beside_${state}`, value: Math.round(least(took.clean, "ms")), unit: "ms" };
    yield { case: of, figure: `scan_ratio_${state}`, value: ratio(took.table, took.clean), unit: "" };
    if (engine.name === "duckdb") {
      const cpu = rounded(least(took.table, "cpuMs") / least(took.clean, "cpuMs"));
      yield { case: of, figure: `scan_cpu_ratio_${state}`, value: cpu, unit: "" };
    }
    yield { case: of, figure: `lookup_ratio_${state}`, value: ratio(took.lookups, took.cleanLookups), unit: "" };
  }
}

async function* liveRatios(
  live: ReadTable,
  clean: State,
  { rows, commits, engines, progress }: Scale,
  changes: number,
): AsyncIterable<Figure> {
  progress(`${commits} commits with compaction, a scan at each`);
  const sums = sumsOf(between(0, rows));
  const cleanMs = new Map<string, number>();
  const worst = new Map(engines.map(({ name }) => [name, 0]));
  let groups = 0;
  for (let commit = 0; commit < commits; commit++) {
    const rowsChanged = changesOf(commit, changes, rows);
    await live.commit(rowsChanged);
    for (const row of rowsChanged) {
      count(sums, { id: row.id, version: 0 }, -1);
      count(sums, row, 1);
    }
    for (const engine of engines) {
      const looks = engine.name === "duckdb" || commit % CLEAN_EVERY === CLEAN_EVERY - 1 || commit === commits - 1;
      if (!looks) continue;
      if (!cleanMs.has(engine.name) || commit % CLEAN_EVERY === CLEAN_EVERY - 1) {
        const times = [];
        for (let n = 0; n < CLEAN_SCANS; n++) times.push((await scan(engine, clean.place, clean.sums)).ms);
        cleanMs.set(engine.name, Math.min(...times));
      }
      let ratio = Infinity;
      for (let attempt = 0; attempt < LIVE.attempts && ratio > LIVE.most; attempt++) {
        ratio = Math.min(ratio, (await scan(engine, live.place, sums)).ms / (cleanMs.get(engine.name) ?? Number.NaN));
      }
      worst.set(engine.name, Math.max(worst.get(engine.name) ?? 0, ratio));
    }
    groups += await live.compact();
    if (commit % 10 === 9) progress(`${commit + 1} commits, ${groups} rewrites, worst ${JSON.stringify([...worst])}`);
  }
  for (const [engine, ratio] of worst) {
    yield { case: engine, figure: "scan_ratio_live_max", value: rounded(ratio), unit: "" };
  }
  if (groups === 0) throw new Error("nothing was compacted beside the commits; use more --commits");
}

/** What an answer took. */
interface Cost {
  readonly ms: number;
  /** Of this process, and so of DuckDB, which runs in it: other work on the machine weighs less on it than on the time that passed. */
  readonly cpuMs: number;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [startMs, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - startMs, cpuMs: (user + system) / 1000 };
}

/** Throws when the aggregates are not what they must be. */
function scan(engine: ReadEngine, place: SqliteTable, sums: RowSums): Promise<Cost> {
  return costOf(async () => check(`${engine.name}'s scan`, await engine.ask(place, SCAN_SQL), { ...sums }));
}

/** Some lookups, one after the other. Throws when a row is not what it must be. */
function lookups(engine: ReadEngine, { place, rowOf }: State, rows: number): Promise<Cost> {
  return costOf(async () => {
    for (let n = 1; n <= LOOKUPS[engine.name]; n++) {
      // A row that was changed, and one that was not, in turns.
      let row = changeNumbered(n * 31, rows);
      if (n % 2 === 0) for (row = rowOf(n * 7); row.version !== 0;) row = rowOf(row.id + 1);
      const found = await engine.ask(place, (table) => LOOKUP_SQL(table, row.id));
      check(`${engine.name}'s lookup of ${row.id}`, found, lookedUp(row));
    }
  });
}

function check(what: string, found: AnswerRow, expected: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(expected)) {
    if (String(found[name]) === String(value)) continue;
    throw new Error(`wrong result: in ${what} ${name} is ${String(found[name])}, expected ${value}`);
  }
}

function* between(from: number, to: number): Iterable<RowVersion> {
  for (let id = from; id < to; id++) yield { id, version: 0 };
}

/** All rows but the first, as they stand in the table in the end: those that were never changed, then the changed ones by change. */
function* inOrder(rows: number, changes: number, changeOf: Uint32Array): Iterable<RowVersion> {
  for (let id = 1; id < rows; id++) if (changeOf[id] === 0) yield { id, version: 0 };
  for (let number = 1; number <= changes; number++) yield changeNumbered(number, rows);
}

function changesOf(commit: number, changes: number, rows: number): RowVersion[] {
  return Array.from({ length: changes }, (_, index) => changeNumbered(commit * changes + index + 1, rows));
}

function sumsOf(rows: Iterable<RowVersion>): RowSums {
  const sums: RowSums = {
    rows: 0,
    ids: 0,
    regions: 0,
    customers: 0,
    cents: 0,
    quantities: 0,
    quarters: 0,
    notes: 0,
    millis: 0,
    versions: 0,
  };
  for (const row of rows) count(sums, row, 1);
  return sums;
}

function rounded(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}
