import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figure } from "./bench.ts";
import { choiceOption, numberOption } from "./options.ts";
import { openDuckdb, openSparkEngine, type ReadEngine } from "./read-engines.ts";
import { flinkRatios } from "./read-flink.ts";
import { type Effort, ratios, rounded, scan, type State } from "./read-ratios.ts";
import { count } from "./read-rows.ts";
import { makeReadTable, type ReadTable } from "./read-table.ts";
import { between, changesOf, inOrder, sumsInTheEnd, sumsOf, type Workload, workloadOf } from "./read-workload.ts";

const ROWS = 20_000_000;
/** Of the table that Flink writes, whose readers take many times as long. */
const FLINK_ROWS = 1_000_000;
const COMMITS = 100;
const FILES = 8;
const EFFORT: Effort = { rounds: 3, lookups: { duckdb: 10, spark: 4 } };
/** Spark looks at every so many of the live table's commits, DuckDB at each; as often both scan the clean one anew. */
const CLEAN_EVERY = 20;
const CLEAN_SCANS = 2;
/** A scan that took longer than it may is tried again: other work on the machine makes it longer, never shorter. */
const LIVE = { most: 1.5, attempts: 3 } as const;
const LIMIT_MS = 300_000;
/** Readers of Flink's table that do not answer in this time have no figure. */
const FLINK_ANSWER_SECONDS = 90;

/**
 * Full scans (aggregates over all columns) and point lookups of DuckDB, by its own `iceberg` extension, and of Spark, both on local files: a
 * table of 20 million rows after 100 commits that changed a tenth of them, evenly, to the same rows written once in the same order in as
 * large files. Uncompacted, compacted (`frazil compact` at its defaults, with the size of the first files as the target), and live: after
 * each commit of a pipeline, right before the scheduled compaction that is then due. Beside them the table that Flink writes with equality deletes of the
 * same events, of fewer rows, to its own clean one. Every answer is checked. `--only ours` or `--only flink` is one of the two parts.
 */
export async function* read(progress: (line: string) => void): AsyncIterable<Figure> {
  const parts = choiceOption("only", ["ours", "flink"]);
  const rows = numberOption("rows", ROWS);
  const commits = numberOption("commits", COMMITS);
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    if (parts.includes("ours")) {
      await using engines = await openEngines(LIMIT_MS, progress);
      yield* ours(join(folder, "ours"), workloadOf(rows, commits), engines.all, progress);
    }
    rmSync(join(folder, "ours"), { recursive: true, force: true });
    if (parts.includes("flink")) {
      const limitMs = numberOption("answer-seconds", FLINK_ANSWER_SECONDS) * 1_000;
      await using engines = await openEngines(limitMs, progress);
      const flinkRows = Math.min(rows, numberOption("flink-rows", FLINK_ROWS));
      const workload = workloadOf(flinkRows, numberOption("flink-commits", commits));
      yield* flinkRatios(join(folder, "flink"), workload, engines.all, progress);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openEngines(limitMs: number, progress: (line: string) => void) {
  const stack = new AsyncDisposableStack();
  const all: ReadEngine[] = [];
  for (const name of choiceOption("engines", ["duckdb", "spark"])) {
    all.push(stack.use(name === "duckdb" ? await openDuckdb(limitMs, progress) : await openSparkEngine(limitMs)));
  }
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function* ours(
  folder: string,
  workload: Workload,
  engines: readonly ReadEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const { rows, commits, changes } = workload;
  const rowsAFile = Math.ceil(rows / FILES);
  progress(`filling tables with ${rows} rows`);
  const changed = await makeReadTable(join(folder, "changed"));
  await changed.fill(between(1, rows), rowsAFile);
  const live = await makeReadTable(join(folder, "live"));
  await live.fillLike(changed);
  const cleanTable = await makeReadTable(join(folder, "clean"));
  await cleanTable.fill(inOrder(workload), rowsAFile);
  const sums = sumsInTheEnd(workload);
  const clean: State = { place: cleanTable.place, sums };
  async function* allRatios(name: string): AsyncIterable<Figure> {
    for (const engine of engines) {
      progress(`${engine.name}: ${name} to clean`);
      yield* ratios(engine, name, { place: changed.place, sums }, clean, workload, EFFORT);
    }
  }

  progress(`${commits} commits of ${changes} changes, nothing compacted`);
  for (let commit = 0; commit < commits; commit++) await changed.commit(changesOf(workload, commit));
  yield* allRatios("uncompacted");
  progress("compacting");
  const groups = await changed.compact("hand");
  yield { case: "compact", figure: "groups_rewritten", value: groups, unit: "" };
  yield* allRatios("compacted");
  yield* liveRatios(live, clean, workload, engines, progress);
}

async function* liveRatios(
  live: ReadTable,
  clean: State,
  workload: Workload,
  engines: readonly ReadEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const { rows, commits } = workload;
  progress(`${commits} commits with compaction, a scan at each`);
  const sums = sumsOf(between(0, rows));
  const cleanMs = new Map<string, number>();
  const worst = new Map(engines.map(({ name }) => [name, 0]));
  let groups = 0;
  for (let commit = 0; commit < commits; commit++) {
    const rowsChanged = changesOf(workload, commit);
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
        for (let n = 0; n < CLEAN_SCANS; n++) times.push((await scan(engine, clean)).ms);
        cleanMs.set(engine.name, Math.min(...times));
      }
      let ratio = Infinity;
      for (let attempt = 0; attempt < LIVE.attempts && ratio > LIVE.most; attempt++) {
        ratio = Math.min(
          ratio,
          (await scan(engine, { place: live.place, sums })).ms / (cleanMs.get(engine.name) ?? Number.NaN),
        );
      }
      worst.set(engine.name, Math.max(worst.get(engine.name) ?? 0, ratio));
    }
    groups += await live.compact("schedule");
    if (commit % 10 === 9) progress(`${commit + 1} commits, ${groups} rewrites, worst ${JSON.stringify([...worst])}`);
  }
  for (const [engine, ratio] of worst) {
    yield { case: engine, figure: "scan_ratio_live_max", value: rounded(ratio), unit: "" };
  }
  if (groups === 0) throw new Error("nothing was compacted beside the commits; use more --commits");
}
