/**
 * `npm run demo`: a job in a process of its own, killed twice in mid-commit, resumed, and its tables compared value by value with what
 * they must hold. `npm run demo -- --kafka` tells the same story through a real Kafka and a real MinIO.
 */
import { expectedTables, type PlainRow } from "../../src/index.ts";
import { checkTable } from "./check.ts";
import { buildIfMissing, frazil, rowsOf } from "./frazil.ts";
import { progressPrinter, type Told } from "./progress.ts";
import { bold, cellText, chapter, command, dim, failed, green, grouped, passed, red, say, table } from "./screen.ts";
import { kafkaStage, localStage } from "./stage.ts";

const startMs = performance.now();
process.stdout.write(`\n  ${bold("Frazil")}  changelogs in, Apache Iceberg tables out, exactly once\n`);
await buildIfMissing();
await using stage = await (process.argv.includes("--kafka") ? kafkaStage() : localStage());
const shop = ["shop.customers", "shop.orders", "shop.order_events"];
const told: Told = { commits: [], grown: 0, grows: "shop.order_events", grownAtEnd: stage.appendedAtEnd };
let wrong = 0;

try {
  await tell();
} catch (error) {
  failed(error instanceof Error ? error.message : String(error));
  wrong++;
}
process.exitCode = wrong === 0 ? 0 : 1;

async function tell(): Promise<void> {
  chapter("A job starts", stage.job);
  say(stage.description);
  say();
  command(`frazil run ${stage.job}`);
  await stage.startProducing?.();
  await runUntilKilled(stage.crashes[0]);
  say();
  failed(`${bold("kill -9")} just as a commit was being sent`);
  await askTheTables();

  chapter("It starts again, and dies at a worse moment", stage.job);
  command(`frazil run ${stage.job}`);
  await runUntilKilled(stage.crashes[1]);
  say();
  failed(`${bold("kill -9")} just after a commit: the rows are in, nobody was told`);
  await askTheTables();

  chapter("It starts once more, and finishes", stage.job);
  const settings = await stage.settled();
  command(`frazil run ${stage.job} --until caught-up`);
  const ended = await runJob(["--until", "caught-up"], {});
  if (ended.code !== 0) throw new Error(`frazil run ended with ${ended.code ?? ended.signal}:\n${ended.stderr}`);
  const checkpoints = told.commits.map(({ checkpoint }) => checkpoint);
  say();
  passed(`caught up: ${Math.max(...checkpoints)} checkpoints, two of them met a ${bold("kill -9")}`);

  await check(expectedTables(settings));
  await lookAround();
  whatNext();
}

/** What the tables say after a kill: their positions are in them, so they are what the next start asks. */
async function askTheTables(): Promise<void> {
  const answers = await Promise.all(
    shop.map(async (name) => {
      const snapshots = await rowsOf(["snapshots", name, "--warehouse", stage.warehouse], stage.env);
      const last = snapshots.findLast(({ checkpoint }) => Number(checkpoint) > 0);
      if (name === told.grows) told.grown = Number(last?.["rows"] ?? 0);
      return `${name.replace("shop.", "")} ${cellText(last?.["checkpoint"])}`;
    }),
  );
  say(`  What the tables say of themselves, last checkpoints: ${answers.join(", ")}`);
}

/** Runs the job with a crash in store, and expects it to happen. */
async function runUntilKilled(crashAt: string): Promise<void> {
  const ended = await runJob([], { FRAZIL_CRASH_AT: crashAt });
  if (ended.signal !== "SIGKILL") {
    throw new Error(`expected the job to be killed at ${crashAt}, it ended with ${ended.code}:\n${ended.stderr}`);
  }
}

async function runJob(args: readonly string[], env: Readonly<Record<string, string>>) {
  const printer = progressPrinter(told);
  const ended = await frazil(["run", stage.job, "--json", ...args], { ...stage.env, ...env }, printer.line);
  printer.end();
  return ended;
}

async function check(expected: ReadonlyMap<string, readonly PlainRow[]>): Promise<void> {
  chapter("Are the tables right?", "every value against an independent replay");
  const verdicts = await Promise.all(
    shop.map((name) => checkTable(name, expected.get(name) ?? [], stage.env, stage.warehouse)),
  );
  for (const [index, { rows, values, differences }] of verdicts.entries()) {
    const name = (shop[index] as string).padEnd(18);
    if (differences.length === 0) {
      passed(`${name} ${grouped(rows).padStart(7)} rows, ${grouped(values).padStart(8)} values: all equal`);
      continue;
    }
    wrong++;
    failed(`${name} ${grouped(differences.length)} differences`);
    for (const line of differences.slice(0, 5)) say(`  ${line}`);
  }
}

async function lookAround(): Promise<void> {
  const sql = `SELECT status, count(*) AS orders, sum(total) AS total FROM shop.orders
                     WHERE status <> 'void' GROUP BY status ORDER BY orders DESC`;
  const at = ["--warehouse", stage.warehouse];
  chapter("A query", "embedded DuckDB, no server");
  command(`frazil query "${sql}"`);
  table(await rowsOf(["query", sql, ...at], stage.env));

  const orders = told.commits.filter((commit) => commit.table === "shop.orders");
  const [older, newer] = [orders[1], orders[2]];
  if (older === undefined || newer === undefined) throw new Error("expected more than two snapshots of shop.orders");
  chapter("The same query, back in time", `as of checkpoint ${older.checkpoint}`);
  command(`frazil query "…" --as-of ${older.snapshotId}`);
  table(await rowsOf(["query", sql, "--as-of", older.snapshotId, ...at], stage.env));

  chapter("The changes come back out", `between checkpoints ${older.checkpoint} and ${newer.checkpoint}`);
  const range = `${older.snapshotId}..${newer.snapshotId}`;
  command(`frazil diff shop.orders ${range}`);
  showChanges(await rowsOf(["diff", "shop.orders", range, ...at], stage.env));
}

/** The first changes of each kind, an update's two halves together. */
function showChanges(changes: readonly Record<string, unknown>[]): void {
  const marks: Record<string, string> = {
    insert: green("+I"),
    update_before: dim("-U"),
    update_after: bold("+U"),
    delete: red("-D"),
  };
  const counts = new Map<string, number>();
  const shown: Record<string, unknown>[] = [];
  for (const change of changes) {
    const op = cellText(change["_op"]);
    counts.set(op, (counts.get(op) ?? 0) + 1);
    if (marks[op] === undefined) throw new Error(`expected a change's _op, found ${op}`);
    if ((counts.get(op) ?? 0) <= 2) shown.push(change);
  }
  for (const change of shown) {
    const cells = ["id", "status", "total", "quantity", "updated_at"].map((name) => cellText(change[name]));
    say(
      `${marks[cellText(change["_op"])]}  ${cells.map((cell, index) => cell.padEnd([16, 7, 8, 3, 0][index] ?? 0)).join("  ")}`,
    );
  }
  const summary = [...counts].map(([op, count]) => `${grouped(count)} ${op}`).join(", ");
  say(dim(`… ${grouped(changes.length)} changes: ${summary}`));
  if (changes.length === 0) throw new Error("expected changes between two snapshots of shop.orders, found none");
}

function whatNext(): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  chapter("What next", `${seconds} s`);
  for (const line of stage.next) say(line);
  process.stdout.write("\n");
}
