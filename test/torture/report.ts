import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TortureReport } from "./torture.ts";

const JSON_FILE = fileURLToPath(new URL("../../docs/torture.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../../docs/torture.md", import.meta.url));
const [BEGIN, END] = ["<!-- figures -->", "<!-- end of figures -->"];

type Count = {
  [Key in keyof TortureReport]: TortureReport[Key] extends number ? Key : never;
}[keyof TortureReport];

const COLUMNS: readonly (readonly [title: string, of: Count])[] = [
  ["Jobs", "jobs"],
  ["Kills", "kills"],
  ["Suspended", "stops"],
  ["Faults", "faults"],
  ["Messages", "messages"],
  ["Snapshots", "snapshots"],
  ["Cuts", "cuts"],
  ["Lost", "lost"],
  ["Doubled", "doubled"],
  ["Missing files", "missing_files"],
  ["Wrong sums", "wrong_sums"],
  ["Gaps, repeats", "register_gaps"],
  ["Seconds", "seconds"],
];

/** Adds a run to `docs/torture.json`, in the place of one of the same seed on the same store, and writes the figures of all runs into `docs/torture.md`. */
export function addToReport(report: TortureReport): void {
  const all = existsSync(JSON_FILE) ? (JSON.parse(readFileSync(JSON_FILE, "utf8")) as TortureReport[]) : [];
  const runs = [...all.filter(({ seed, store }) => seed !== report.seed || store !== report.store), report];
  runs.sort((a, b) => a.store.localeCompare(b.store) || a.seed - b.seed);
  writeFileSync(JSON_FILE, `${JSON.stringify(runs, null, 2)}\n`);
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < 0) throw new Error(`${PAGE}: expected ${BEGIN} and ${END}`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n\n${figures(runs)}\n\n${page.slice(end)}`);
}

function figures(runs: readonly TortureReport[]): string {
  const sum = (of: Count): number => runs.reduce((total, run) => total + run[of], 0);
  const cell = (value: (of: Count) => number, of: Count): string =>
    of === "register_gaps" ? `${value(of)}, ${value("register_repeats")}` : value(of).toLocaleString("en");
  const row = (store: string, seed: string, value: (of: Count) => number): string =>
    `| ${store} | ${seed} | ${COLUMNS.map(([, of]) => cell(value, of)).join(" | ")} |`;
  return [
    `| Store | Seed | ${COLUMNS.map(([title]) => title).join(" | ")} |`,
    `| --- | --- | ${COLUMNS.map(() => "---").join(" | ")} |`,
    ...runs.map((run) => row(run.store, String(run.seed), (of) => run[of])),
    row("**all**", `${runs.length} runs`, sum),
    "",
    `All that was done and read: ${kindsText(runs)}.`,
  ].join("\n");
}

function kindsText(runs: readonly TortureReport[]): string {
  const sums = new Map<string, number>();
  for (const { kinds } of runs)
    for (const [name, n] of Object.entries(kinds)) sums.set(name, (sums.get(name) ?? 0) + n);
  const sorted = [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, n]) => `${name} ${n.toLocaleString("en")}`).join(" · ");
}
