import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createLocalStorage } from "../../src/storage/local.ts";
import { parseTableMetadata, planSnapshot, readManifestList } from "../../table-format/index.ts";
import { frazil } from "../it/job/job-process.ts";
import { metadataFile } from "../readers/reader.ts";
import type { Figure } from "./bench.ts";
import { type CommitLine, type EndLine, quantile, runJobFile } from "./job-lines.ts";
import { lineCharts } from "./line-charts.ts";
import { numberOption } from "./options.ts";
import { checkShop } from "./shop-outcome.ts";

/** A checkpoint every 17 seconds of a day. */
const COMMITS = 5_000;
/** Changes that the table is made of when the day begins, three days' or so: what grows with the table is not what grows with commits. */
const EVENTS_BEFORE = 6_000_000;
const ALL_EVENTS = 2_000_000_000;
const SAMPLES = 200;
const SEED = 11;
const TABLE = "shop.orders";
/** The reader of the samples may come when a file has just been expired. */
const ATTEMPTS = 5;
const GRAPH = fileURLToPath(new URL("../../docs/soak.svg", import.meta.url));

/** What is looked at, in the order of the graph, with its unit. */
const MEASURES = {
  live_files: "files",
  stored_files: "files",
  vector_bytes: "KiB",
  metadata_size: "KiB",
  manifests: "",
  commit_time: "ms",
  rss: "MiB",
  descriptors: "",
} as const;
type Measure = keyof typeof MEASURES;
type Sample = Readonly<Record<Measure, number>> & { readonly commit: number };

/**
 * A day of 5,000 commits in compressed time, to a table that is there already: a job of the generator's orders (inserts, updates, deletes) with
 * a checkpoint every 100 ms, and its own maintenance at a hundredth of the usual intervals. What must not grow is looked at 200 times: the
 * first quarter of the commits is compared with the last.
 */
export async function* soak(progress: (line: string) => void): AsyncIterable<Figure> {
  const commits = numberOption("commits", COMMITS);
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    const { samples, end } = await run(folder, commits, progress);
    if (end.maintenanceFailures > 0) throw new Error(`${end.maintenanceFailures} runs of maintenance failed`);
    await checkShop(join(folder, "warehouse"), SEED, end.position, ["orders"]);
    const of = `${commits} commits`;
    yield { case: of, figure: "events", value: end.records, unit: "" };
    yield { case: of, figure: "duration", value: Math.round(end.durationMs / 1000), unit: "s" };
    yield { case: of, figure: "maintenance_runs", value: end.maintenanceRuns, unit: "" };
    for (const [name, unit] of Object.entries(MEASURES)) yield* quarters(of, name as Measure, unit, samples);
    const graph = commits >= COMMITS ? GRAPH : join(tmpdir(), "frazil-soak.svg");
    writeFileSync(graph, graphOf(samples));
    progress(`graph: ${graph}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function* quarters(of: string, name: Measure, unit: string, samples: readonly Sample[]): Iterable<Figure> {
  const quarter = Math.max(1, samples.length >> 2);
  const mean = (some: readonly Sample[]): number => some.reduce((sum, sample) => sum + sample[name], 0) / some.length;
  const [first, last] = [mean(samples.slice(0, quarter)), mean(samples.slice(-quarter))];
  const round = (value: number): number => Math.round(value * 10) / 10;
  yield { case: of, figure: `${name}_first_quarter`, value: round(first), unit };
  yield { case: of, figure: `${name}_last_quarter`, value: round(last), unit };
  yield { case: of, figure: `${name}_ratio`, value: Math.round((last / first) * 100) / 100, unit: "" };
}

function jobText(warehouse: string, source: string, rest: string): string {
  return `name: soak
memory: 256MiB
source: { type: generator, seed: ${SEED}, splits: 2, ${source} }
warehouse: { location: "${warehouse}" }
tables:
  - { from: ${TABLE}, to: ${TABLE}, mode: upsert }
${rest}
`;
}

/** A day's settings, the intervals a hundredth of the usual ones. */
const DAY = `checkpoint: { interval: 100ms }
maintenance:
  compact: { every: 6s }
  rewrite_manifests: { every: 36s }
  expire: { every: 36s, keep: 36s, min_snapshots: 10 }
  clean_orphans: { every: 2m }`;

async function compacted(warehouse: string): Promise<void> {
  const compact = frazil(["compact", TABLE, "--warehouse", warehouse, "--yes"]);
  if ((await compact.ended) !== 0) throw new Error(compact.stderr());
}

async function run(
  folder: string,
  commits: number,
  progress: (line: string) => void,
): Promise<{ samples: Sample[]; end: EndLine }> {
  const job = join(folder, "job.yaml");
  const warehouse = join(folder, "warehouse");
  const before = numberOption("events-before", EVENTS_BEFORE);
  if (before > 0) {
    progress(`a table of ${before} changes`);
    writeFileSync(job, jobText(warehouse, `events: ${before}`, "checkpoint: { interval: 5s }"));
    await runJobFile([job, "--until", "caught-up"], () => {});
    await compacted(warehouse);
  }
  writeFileSync(job, jobText(warehouse, `events: ${ALL_EVENTS}, rate: 4000`, DAY));
  const samples: Sample[] = [];
  const step = Math.max(1, Math.floor(commits / SAMPLES));
  const times: number[] = [];
  let count = 0;
  let sampling: Promise<void> = Promise.resolve();
  const end = await runJobFile([job], ({ prepareMs, commitMs }: CommitLine, { child }) => {
    times.push(prepareMs + commitMs);
    if (++count === commits) child.kill("SIGTERM");
    if (count % step !== 0 || count > commits) return;
    const commit = count;
    const ofProcess = { rss: rssMib(child.pid), descriptors: descriptors(child.pid), commit };
    const commit_time = quantile(times.splice(0), 0.5);
    sampling = sampling.then(async () => {
      samples.push({ ...(await tableSample(warehouse)), ...ofProcess, commit_time });
    });
    if (samples.length % 20 === 19) progress(`${commit} of ${commits} commits, ${JSON.stringify(samples.at(-1))}`);
  });
  await sampling;
  return { samples, end };
}

async function tableSample(
  warehouse: string,
): Promise<Pick<Sample, "live_files" | "stored_files" | "vector_bytes" | "metadata_size" | "manifests">> {
  const io = createLocalStorage();
  for (let attempt = 1; ; attempt++) {
    try {
      const path = metadataFile({ sqlite: join(warehouse, "catalog.sqlite"), table: TABLE });
      const bytes = readFileSync(path);
      const metadata = parseTableMetadata(bytes, path);
      const head = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
      if (head === undefined) throw new Error("no snapshot yet");
      const { dataFiles, deletes } = await planSnapshot(io, metadata, head);
      const vectors = [...deletes.values()].flat();
      return {
        live_files: dataFiles.length + new Set(vectors.map(({ file }) => file.filePath)).size,
        stored_files: readdirSync(warehouse, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).length,
        vector_bytes: vectors.reduce((sum, { file }) => sum + Number(file.contentSizeBytes ?? 0n), 0) / 1024,
        metadata_size: bytes.length / 1024,
        manifests: (await readManifestList(io, head)).length,
      };
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function rssMib(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function descriptors(pid: number | undefined): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function graphOf(samples: readonly Sample[]): string {
  return lineCharts(
    Object.entries(MEASURES).map(([name, unit]) => ({
      title: `${name.replaceAll("_", " ")}${unit === "" || unit === "files" ? "" : `, ${unit}`}`,
      points: samples.map((sample) => [sample.commit, sample[name as Measure]] as const),
    })),
    "commits",
  );
}
