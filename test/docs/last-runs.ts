import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BROKEN_BUILDS } from "../sim/broken/builds.ts";
import type { SimulationRecord } from "../sim/record.ts";
import { CRASH_POINTS } from "../sim/world/crash-points.ts";
import type { TortureReport } from "../torture/torture.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "docs/guarantees.md");

/** What docs/guarantees.md tells of the last runs: what a cell of its first column begins with, and the text beside it. */
export function lastRuns(): ReadonlyMap<string, string> {
  return new Map([
    ["[Simulation]", simulationText(read("docs/simulation.json"))],
    ["[Real processes]", tortureText(read("docs/torture.json"))],
  ]);
}

/** Writes that into the page. */
export function writeLastRuns(): void {
  const runs = [...lastRuns()];
  const lines = readFileSync(PAGE, "utf8").split("\n");
  const written = lines.map((line) => {
    const [, first = "", second = ""] = line.split("|");
    const text = runs.find(([name]) => first.trim().startsWith(name))?.[1];
    return text === undefined || second.trim() === text ? line : `|${first}| ${text} |`;
  });
  writeFileSync(PAGE, written.join("\n"));
  execFileSync(join(ROOT, "node_modules/.bin/oxfmt"), [PAGE]);
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), "utf8")) as T;
}

const count = (value: number): string => value.toLocaleString("en");

function simulationText({ totals, violations, broken }: SimulationRecord): string {
  const hit = CRASH_POINTS.filter((point) => (totals.crashPoints[point] ?? 0) > 0).length;
  const crashes = Object.values(totals.crashPoints).reduce((sum, each) => sum + each, 0);
  const caught = BROKEN_BUILDS.flatMap(({ name }) => broken[name]?.seed ?? []);
  const held = violations.filter(({ heldBy }) => heldBy !== null).length;
  return (
    `${count(totals.seeds)} seeds, ${count(totals.hours)} simulated hours, ${count(totals.snapshots)} snapshots, ` +
    `${count(crashes)} crashes at ${hit} of ${CRASH_POINTS.length} points; ${caught.length} of ${BROKEN_BUILDS.length} broken builds caught, ` +
    `the last one by seed ${Math.max(...caught)}. ${violations.length} seeds have broken a promise: ${held} hold by now, as the engine was ` +
    `[mended](simulation.md#what-it-has-found) or the simulation itself, ${violations.length - held} are [open](simulation.md#figures)`
  );
}

function tortureText(runs: readonly TortureReport[]): string {
  const sum = (of: (run: TortureReport) => number, some = runs): string =>
    count(some.reduce((total, run) => total + of(run), 0));
  const kinds =
    (name: string) =>
    (run: TortureReport): number =>
      run.kinds[name] ?? 0;
  const cleaned = runs.filter((run) => kinds("maintenance: expire done")(run) > 0);
  const [longest] = runs.toSorted((a, b) => b.kills - a.kills);
  return (
    `${sum(({ kills }) => kills)} kills, ${sum(({ stops }) => stops)} suspensions and ${sum(({ faults }) => faults)} faults in ` +
    `${runs.length} runs on MinIO, versitygw and folders, with object-store and sqlite catalogs: ` +
    `${sum(({ snapshots }) => snapshots)} snapshots and ${sum(({ cuts }) => cuts)} cuts read by PyIceberg, ${sum(({ lost }) => lost)} lost, ` +
    `${sum(({ doubled }) => doubled)} doubled, ${sum((run) => run.missing_files)} missing files, ${sum((run) => run.wrong_sums)} wrong sums. ` +
    `${sum(({ kills }) => kills, cleaned)} of the kills (${sum(({ snapshots }) => snapshots, cleaned)} snapshots) while the jobs also expire ` +
    `snapshots and clean orphans; ${sum(kinds("killed behind its first commit"), cleaned)} of these came behind the process' first commit and ` +
    `${sum(kinds("killed behind its take-over"), cleaned)} between take-over and commit. The longest run has ${count(longest?.kills ?? 0)} kills ` +
    `and ${count(longest?.snapshots ?? 0)} snapshots in ${Math.floor((longest?.seconds ?? 0) / 60)} minutes; all of them on two cores that were ` +
    `busy with other work`
  );
}
