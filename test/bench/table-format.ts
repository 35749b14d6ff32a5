import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalStorage } from "../../src/storage/local.ts";
import { must, RoaringBitmap } from "../../table-format/index.ts";
import { writeDeletionVectors } from "../../table-format/puffin/deletion-vector.ts";
import type { Figure } from "./bench.ts";
import { choiceOption, numberOption } from "./options.ts";
import { historyCosts } from "./table-format-history.ts";
import {
  type CaseEngine,
  type CaseOutcome,
  type CaseRequest,
  type EngineName,
  frazilEngine,
  type PlanFilter,
  pythonEngine,
  type Times,
} from "./table-format-process.ts";
import {
  createBenchTable,
  dataFile,
  fillManifests,
  FIRST_DAY,
  ROWS_A_FILE,
  writeLongHistory,
} from "./table-format-tables.ts";

const CASES = ["open", "plan", "append", "vector", "history"] as const;
const SNAPSHOTS = 10_000;
const FILES = [100_000, 1_000_000] as const;
const FILES_A_MANIFEST = 1_000;
/** Of a table whose plans take no engine a minute. */
const MOST_SMALL_MANIFESTS = 100;
const MANIFESTS = 5_000;
const POSITIONS = 10_000_000;
const ROUNDS = 5;
/** Of plans of every file of a large table, which take other engines a minute. */
const LONG_ROUNDS = 1;

/**
 * What the metadata of large tables costs, beside PyIceberg and iceberg-rust: opening a table of 10,000 snapshots, planning
 * over 100,000 and 1,000,000 data files, appending to a table of 5,000 manifests, decoding a deletion vector of 10 million positions; and
 * what a commit costs as history grows. `--cases`, `--engines`, and for trials `--snapshots`, `--files`, `--manifests`, `--positions`,
 * `--commits`, `--histories`. Every engine's answers are compared with ours.
 *
 * The time of a case is the best of some rounds in one process, beside it that of the first one, in which code is compiled or loaded;
 * memory the most that this process had, its program included.
 */
export async function* tableFormat(progress: (line: string) => void): AsyncIterable<Figure> {
  const cases = choiceOption("cases", CASES);
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    const engines = await openEngines(progress);
    const part = (name: string): string => {
      const inside = join(folder, name);
      mkdirSync(inside);
      return inside;
    };
    if (cases.includes("open")) yield* open(part("open"), engines, progress);
    if (cases.includes("plan")) {
      const only = numberOption("files", 0);
      for (const files of only === 0 ? FILES : [only]) yield* plan(part(`plan-${files}`), files, engines, progress);
    }
    if (cases.includes("append")) yield* append(part("append"), engines, progress);
    if (cases.includes("vector")) yield* vector(part("vector"), engines, progress);
    if (cases.includes("history")) yield* historyCosts(part("history"), engines, progress);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openEngines(progress: (line: string) => void): Promise<CaseEngine[]> {
  const engines: CaseEngine[] = [frazilEngine];
  for (const name of choiceOption("engines", ["pyiceberg", "iceberg-rust"] as const)) {
    engines.push(await pythonEngine(name, progress));
  }
  return engines;
}

async function* open(
  folder: string,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const count = numberOption("snapshots", SNAPSHOTS);
  progress(`writing a metadata file of ${count} snapshots`);
  const { path, middle } = await writeLongHistory(await createBenchTable(folder), count);
  const request = { case: "open", rounds: ROUNDS, metadata: path, snapshotId: String(middle.snapshotId) } as const;
  yield* compare(`open ${count} snapshots`, request, engines, progress);
}

async function* plan(
  folder: string,
  files: number,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const manifests = Math.ceil(files / FILES_A_MANIFEST);
  progress(`writing ${manifests} manifests of ${FILES_A_MANIFEST} files`);
  const { metadataLocation: metadata } = await fillManifests(
    await createBenchTable(folder),
    manifests,
    FILES_A_MANIFEST,
  );
  const middle = manifests >> 1;
  const filters: readonly (readonly [string, PlanFilter | null])[] = [
    ["a partition of", { column: "day", value: FIRST_DAY + middle }],
    ["an id in", { column: "id", value: middle * FILES_A_MANIFEST * ROWS_A_FILE + 123_456 }],
    ["all", null],
  ];
  for (const [name, filter] of filters) {
    const isLarge = manifests > MOST_SMALL_MANIFESTS;
    const rounds = filter?.column === "day" || !isLarge ? ROUNDS : LONG_ROUNDS;
    // PyIceberg holds every task of a plan: those of a million files take more than 5 GB.
    const asked = filter === null && isLarge ? engines.slice(0, 1) : engines;
    yield* compare(`plan ${name} ${files}`, { case: "plan", rounds, metadata, filter }, asked, progress);
  }
}

async function* append(
  folder: string,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const manifests = numberOption("manifests", MANIFESTS);
  progress(`writing ${manifests} manifests`);
  // As PyIceberg appends by default: ours would join the manifests first.
  const table = await createBenchTable(folder, new Map([["commit.manifest-merge.enabled", "false"]]));
  const { metadataLocation: metadata } = await fillManifests(table, manifests, 1);
  const request = { case: "append", rounds: ROUNDS, metadata, warehouse: folder, catalog: join(folder, "py.sqlite") };
  yield* compare(`append to ${manifests} manifests`, { ...request, case: "append" }, engines, progress);
}

async function* vector(
  folder: string,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const positions = numberOption("positions", POSITIONS);
  for (const [name, every] of [
    ["dense", 10],
    ["sparse", 200],
  ] as const) {
    progress(`writing a ${name} deletion vector`);
    const span = positions * every;
    const bitmap = new RoaringBitmap();
    // One position somewhere in each stretch, so that nothing repeats.
    for (let i = 0; i < positions; i++) bitmap.add(i * every + ((Math.imul(i, 2_654_435_761) >>> 8) % every));
    const file = join(folder, `${name}.puffin`);
    const [entry] = await writeDeletionVectors(createLocalStorage(), file, [{ dataFile: dataFile("", 0, 0), bitmap }]);
    const { fileSizeBytes, contentOffset, contentSizeBytes } = must(entry, "a vector");
    const request: CaseRequest = {
      case: "vector",
      rounds: ROUNDS,
      file,
      fileSizeBytes: Number(fileSizeBytes),
      offset: Number(contentOffset),
      length: Number(contentSizeBytes),
      count: positions,
      span,
      step: Math.max(1, Math.floor(span / 1_000_000)),
    };
    yield* compare(`${name} vector of ${positions}`, request, engines, progress);
  }
}

/** Asks every engine, checks that the answers agree, and gives their times, their memory and how often ours goes into theirs. */
async function* compare(
  name: string,
  request: CaseRequest,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  let ours: CaseOutcome | null = null;
  for (const engine of engines) {
    progress(`${name}: ${engine.name}`);
    const outcome = await engine.run(request);
    if (outcome === null) continue;
    ours ??= outcome;
    checkAnswer(name, engine.name, outcome.answer, ours.answer);
    for (const [what, times] of Object.entries(outcome.times)) {
      for (const [unit, all] of Object.entries(times) as [keyof Times, readonly number[]][]) {
        const figure = `${engine.name} ${what} ${unit === "ms" ? "time" : "cpu"}`;
        const least = Math.min(...all);
        yield { case: name, figure, value: rounded(least), unit: "ms" };
        yield { case: name, figure: `${figure} first`, value: rounded(must(all[0], "a round")), unit: "ms" };
        const own = ours.times[what];
        if (engine === engines[0] || own === undefined) continue;
        yield { case: name, figure: `${figure} ratio`, value: rounded(least / Math.min(...own[unit])), unit: "" };
      }
    }
    const { peakMiB } = outcome;
    yield {
      case: name,
      figure: `${engine.name} peak`,
      value: peakMiB === null ? null : Math.round(peakMiB),
      unit: "MiB",
    };
  }
}

/** Not every engine tells everything; where each wrote its own file, that is no answer. */
function checkAnswer(
  name: string,
  engine: EngineName,
  found: CaseOutcome["answer"],
  expected: CaseOutcome["answer"],
): void {
  for (const [key, value] of Object.entries(found)) {
    if (key === "metadata" || value === expected[key]) continue;
    throw new Error(`wrong result: ${name}: ${engine} has ${key} ${String(value)}, frazil ${String(expected[key])}`);
  }
}

function rounded(value: number): number {
  return value < 100 ? Math.round(value * 100) / 100 : Math.round(value);
}
