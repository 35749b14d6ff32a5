import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { noRecord, type RecordedRun, type SimulationRecord, stretches, withRun } from "./record.ts";
import { CRASH_POINTS } from "./world/crash-points.ts";
import { FAULTS } from "./world/faults.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const JSON_FILE = `${ROOT}docs/simulation.json`;
const PAGE = `${ROOT}docs/simulation.md`;
const BEGIN = "<!-- figures -->";
const END = "<!-- end of figures -->";

/** What a run hangs on. */
const BUILT_OF = ["src", "table-format", "test/sim", "test/model", "test/support"];

export function readRecord(): SimulationRecord {
  if (!existsSync(JSON_FILE)) return noRecord();
  return JSON.parse(readFileSync(JSON_FILE, "utf8")) as SimulationRecord;
}

/**
 * The commit that engine and simulation are of, as the report names it.
 * @throws Error when some of it is not committed: nobody could repeat the run
 */
export function committedBuild(): string {
  const git = (...given: string[]): string =>
    execFileSync("git", [...given, "--", ...BUILT_OF], { cwd: ROOT, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain");
  if (changed !== "") throw new Error(`a report is of a commit; not committed yet:\n${changed}`);
  return git("log", "-1", "--format=%h");
}

/** Adds a run to the report. */
export function addToReport(run: RecordedRun): void {
  writeReport(withRun(readRecord(), run));
}

/** Notes which seed caught a broken build. */
export function noteBroken(name: string, seed: number, rule: string): void {
  const record = readRecord();
  writeReport({ ...record, broken: { ...record.broken, [name]: { seed, rule } } });
}

/** Writes the record, and its figures into the page. */
export function writeReport(record: SimulationRecord): void {
  writeFileSync(JSON_FILE, `${JSON.stringify(record, null, 2)}\n`);
  const page = readFileSync(PAGE, "utf8");
  const [before] = page.split(BEGIN);
  const [, after] = page.split(END);
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no place for figures`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${figures(record)}\n${END}${after}`);
}

function figures(record: SimulationRecord): string {
  const { totals, violations, broken } = record;
  const list = (counts: Record<string, number>, names: readonly string[]): string =>
    names.map((name) => `${name} ${counts[name] ?? 0}`).join(" · ");
  const hit = CRASH_POINTS.filter((point) => (totals.crashPoints[point] ?? 0) > 0);
  const never = CRASH_POINTS.filter((point) => !hit.includes(point));
  const held = violations.filter(({ heldBy }) => heldBy !== null);
  const open = violations.filter(({ heldBy }) => heldBy === null);
  const lines = [
    `Seeds ${stretches(record)
      .map(([first, last]) => `${first} to ${last}`)
      .join(", ")}: ${totals.seeds} seeds, **${totals.violations} violations** that are open, ` +
      `${totals.hours} simulated hours, ${totals.snapshots} snapshots, ${totals.commits} table commits, ` +
      `${Math.round(totals.seconds / 360) / 10} hours of processor time. ${buildsText(record)}`,
    "",
    ...open.map(({ seed, rule, build }) => `- open: seed ${seed} (${rule}), seen in \`${build}\``),
    ...held.map(
      ({ seed, rule, build, heldBy }) => `- seed ${seed} (${rule}): broke in \`${build}\`, holds in \`${heldBy}\``,
    ),
    ...(violations.length === 0 ? [] : [""]),
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

/** Which commits have run how many of the seeds. */
function buildsText({ ranges }: SimulationRecord): string {
  const counts = new Map<string, number>();
  for (const [first, last, build] of ranges) counts.set(build, (counts.get(build) ?? 0) + last - first + 1);
  return `By commit: ${[...counts].map(([build, count]) => `\`${build}\` ${count}`).join(", ")}.`;
}
