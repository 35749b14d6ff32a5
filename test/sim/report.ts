import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CRASH_POINTS } from "./world/crash-points.ts";
import { FAULTS } from "./world/faults.ts";
import { addTotals, noTotals, sortedTotals, type Totals } from "./totals.ts";

const JSON_FILE = fileURLToPath(new URL("../../docs/simulation.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../../docs/simulation.md", import.meta.url));
const BEGIN = "<!-- figures -->";
const END = "<!-- end of figures -->";

/** What `docs/simulation.json` holds. */
interface Report {
  readonly totals: Totals;
  /** The seeds that have been run, first and last of each range. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Broken builds, and the seed that caught each. */
  readonly broken: Readonly<Record<string, { readonly seed: number; readonly rule: string }>>;
}

function readReport(): Report {
  if (!existsSync(JSON_FILE)) return { totals: noTotals(), ranges: [], broken: {} };
  return JSON.parse(readFileSync(JSON_FILE, "utf8")) as Report;
}

/** Adds a range of seeds to the report. Seeds that were run before do not count twice: such a range is left out. @returns whether it counts */
export function addToReport(from: number, seeds: number, totals: Totals): boolean {
  const report = readReport();
  const last = from + seeds - 1;
  if (report.ranges.some(([first, end]) => from <= end && first <= last)) return false;
  const sum = noTotals();
  addTotals(sum, report.totals);
  addTotals(sum, totals);
  writeReport({ ...report, totals: sortedTotals(sum), ranges: joined([...report.ranges, [from, last]]) });
  return true;
}

/** Notes which seed caught a broken build. */
export function noteBroken(name: string, seed: number, rule: string): void {
  const report = readReport();
  writeReport({ ...report, broken: { ...report.broken, [name]: { seed, rule } } });
}

function joined(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0]);
  const all: (readonly [number, number])[] = [];
  for (const [first, end] of sorted) {
    const before = all.at(-1);
    if (before !== undefined && before[1] + 1 === first) all[all.length - 1] = [before[0], end];
    else all.push([first, end]);
  }
  return all;
}

function writeReport(report: Report): void {
  writeFileSync(JSON_FILE, `${JSON.stringify(report, null, 2)}\n`);
  const page = readFileSync(PAGE, "utf8");
  const [before] = page.split(BEGIN);
  const [, after] = page.split(END);
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no place for figures`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${figures(report)}\n${END}${after}`);
}

function figures({ totals, ranges, broken }: Report): string {
  const list = (counts: Record<string, number>, names: readonly string[]): string =>
    names.map((name) => `${name} ${counts[name] ?? 0}`).join(" · ");
  const hit = CRASH_POINTS.filter((point) => (totals.crashPoints[point] ?? 0) > 0);
  const never = CRASH_POINTS.filter((point) => !hit.includes(point));
  const lines = [
    `Seeds ${ranges.map(([first, end]) => `${first} to ${end}`).join(", ")}: ${totals.seeds} runs, **${totals.violations} violations**, ` +
      `${totals.hours} simulated hours, ${totals.snapshots} snapshots, ${totals.commits} table commits.`,
    "",
    `Faults: ${list(totals.faults, FAULTS)}.`,
    "",
    `Crash points: ${hit.length} of ${CRASH_POINTS.length} hit, ${Object.values(totals.crashPoints).reduce((sum, count) => sum + count, 0)} crashes.${
      never.length === 0 ? "" : ` Not yet: ${never.join(", ")}.`
    }`,
    "",
    "Broken builds:",
    "",
    ...Object.entries(broken).map(([name, { seed, rule }]) => `- ${name}: caught by seed ${seed} (${rule})`),
    "",
  ];
  return lines.join("\n");
}
