import type { SqliteTable } from "../readers/requests.ts";
import type { Figure } from "./bench.ts";
import type { AnswerRow, ReadEngine } from "./read-engines.ts";
import { changeNumbered, lookedUp, LOOKUP_SQL, type RowSums, type RowVersion, SCAN_SQL } from "./read-rows.ts";
import { rowIn, type Workload } from "./read-workload.ts";

/** A table, and what its rows add up to. */
export interface State {
  readonly place: SqliteTable;
  readonly sums: RowSums;
}

/** How often a ratio is measured, and of how many lookups. */
export interface Effort {
  readonly rounds: number;
  readonly lookups: Readonly<Record<ReadEngine["name"], number>>;
}

/** Scans and lookups of a table by those of the clean one, in turns; the shortest of each. @param name of the table's state in the figures */
export async function* ratios(
  engine: ReadEngine,
  name: string,
  table: State,
  clean: State,
  workload: Workload,
  { rounds, lookups: most }: Effort,
): AsyncIterable<Figure> {
  const took: Record<"table" | "clean" | "lookups" | "cleanLookups", Cost[]> = {
    table: [],
    clean: [],
    lookups: [],
    cleanLookups: [],
  };
  for (let round = 0; round <= rounds; round++) {
    const costs = {
      clean: await scan(engine, clean),
      table: await scan(engine, table),
      cleanLookups: await lookups(engine, clean, workload, most[engine.name]),
      lookups: await lookups(engine, table, workload, most[engine.name]),
    };
    // The first round loads code.
    if (round > 0) for (const [what, cost] of Object.entries(costs)) took[what as keyof typeof took].push(cost);
  }
  // Other work on the machine makes them longer, never shorter.
  const least = (costs: readonly Cost[], of: keyof Cost): number => Math.min(...costs.map((cost) => cost[of]));
  const ratio = (a: readonly Cost[], b: readonly Cost[]): number => rounded(least(a, "ms") / least(b, "ms"));
  const of = engine.name;
  yield { case: of, figure: `clean_scan_beside_${name}`, value: Math.round(least(took.clean, "ms")), unit: "ms" };
  yield { case: of, figure: `scan_ratio_${name}`, value: ratio(took.table, took.clean), unit: "" };
  if (engine.name === "duckdb") {
    const cpu = rounded(least(took.table, "cpuMs") / least(took.clean, "cpuMs"));
    yield { case: of, figure: `scan_cpu_ratio_${name}`, value: cpu, unit: "" };
  }
  yield { case: of, figure: `lookup_ratio_${name}`, value: ratio(took.lookups, took.cleanLookups), unit: "" };
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
export function scan(engine: ReadEngine, { place, sums }: State): Promise<Cost> {
  return costOf(async () => check(`${engine.name}'s scan`, await engine.ask(place, SCAN_SQL), { ...sums }));
}

/** Some lookups, one after the other. Throws when a row is not what it must be. */
function lookups(engine: ReadEngine, { place }: State, workload: Workload, most: number): Promise<Cost> {
  return costOf(async () => {
    for (let n = 1; n <= most; n++) {
      // A row that was changed, and one that was not, in turns.
      let row: RowVersion = changeNumbered(n * 31, workload.rows);
      if (n % 2 === 0) for (row = rowIn(workload, n * 7); row.version !== 0;) row = rowIn(workload, row.id + 1);
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

/** Two digits are all that can be told. */
export function rounded(ratio: number): number {
  return Math.round(ratio * 100) / 100;
}
