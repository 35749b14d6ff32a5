import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/catalogs/sqlite.ts";
import { randomUuid } from "../../src/core/runtime.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createS3Storage } from "../../src/storage/s3.ts";
import { systemRandom } from "../../src/system.ts";
import { type Catalog, type FileIO, ObjectStoreCatalog } from "../../table-format/index.ts";
import { startMinio } from "../services/minio.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { systemRuntimeParts } from "../unit/storage/runtime-parts.ts";
import type { Figure } from "./bench.ts";
import { appendWithPyIceberg, type PythonCatalog } from "./append-pyiceberg.ts";
import { type Commit, openBareTable, openPipeline } from "./commit-writers.ts";
import { watched } from "./commit-requests.ts";
import { quantile } from "./job-lines.ts";
import { numberOption } from "./options.ts";

const CHECKPOINTS = 60;
/** The first ones load code and open connections. */
const WARM_UP = 10;
const ROWS = 5_000;

/** A warehouse, and where PyIceberg makes one of the same kind. */
interface Lake {
  readonly name: string;
  readonly io: FileIO;
  readonly location: string;
  readonly catalogOf: (io: FileIO) => Catalog;
  readonly python: PythonCatalog;
}

/**
 * What the protocol costs: a checkpoint of an append table with all that makes it exactly once (stamp, tag, assertions, ledger) against a bare
 * append of the same data files, by the same code for manifests and metadata, in turns. Times are from when the data files are durable.
 * PyIceberg's append of the same rows, which also encodes them, is set against the whole checkpoint.
 */
export async function* commit(progress: (line: string) => void): AsyncIterable<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    yield* measured(localLake(folder), folder, progress);
    await using minio = await startMinio();
    yield* measured(s3Lake(minio, folder), folder, progress);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const clock = { nowMs: () => Date.now(), uuid: () => randomUuid(systemRandom) };

function localLake(folder: string): Lake {
  const location = join(folder, "lake");
  return {
    name: "local folder, sqlite",
    io: createLocalStorage(),
    location,
    catalogOf: (io) =>
      openSqliteCatalog({
        path: join(folder, "catalog.sqlite"),
        name: "frazil",
        warehouseLocation: location,
        io,
        ...clock,
      }),
    python: { uri: `sqlite:///${join(folder, "python.sqlite")}`, warehouse: `file://${join(folder, "python")}` },
  };
}

function s3Lake(minio: RunningS3, folder: string): Lake {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket } = minio;
  const location = `s3://${bucket}/lake`;
  return {
    name: "MinIO, object-store",
    io: createS3Storage({ endpoint, region, accessKeyId, secretAccessKey }, systemRuntimeParts()),
    location,
    catalogOf: (io) => new ObjectStoreCatalog("frazil", io, location, clock),
    python: {
      uri: `sqlite:///${join(folder, "python-s3.sqlite")}`,
      warehouse: `s3://${bucket}/python`,
      s3: { endpoint, region, accessKeyId, secretAccessKey },
    },
  };
}

async function* measured(lake: Lake, folder: string, progress: (line: string) => void): AsyncIterable<Figure> {
  const checkpoints = numberOption("checkpoints", CHECKPOINTS);
  const { io, requests } = watched(lake.io);
  const place = { io, catalog: lake.catalogOf(io), location: lake.location };
  const copies = join(folder, lake.name.replaceAll(/\W+/g, "-"));
  const runs: Record<"pipeline" | "bare", Commit[]> = { pipeline: [], bare: [] };
  const files: string[] = [];
  try {
    const pipeline = await openPipeline(place, requests);
    const bare = await openBareTable(place, requests);
    progress(`${lake.name}: ${checkpoints} checkpoints of ${ROWS} rows`);
    for (let n = 0; n < checkpoints; n++) {
      const checkpoint = await pipeline.checkpoint(ROWS);
      const append = await bare.append(await pipeline.lastFiles());
      if (n < WARM_UP) continue;
      runs.pipeline.push(checkpoint);
      runs.bare.push(append);
      files.push(...(await pipeline.copyLast(copies, n)));
    }
    const rows = { pipeline: await pipeline.rows(), bare: await bare.rows() };
    const expected = checkpoints * ROWS;
    if (rows.pipeline !== expected || rows.bare !== expected)
      throw new Error(`wrong result: expected ${expected} rows, found ${rows.pipeline} and ${rows.bare}`);
    yield* figuresOf(lake.name, runs);
    progress(`${lake.name}: PyIceberg appends the same rows`);
    const checkpointMs = quantile(
      runs.pipeline.map(({ totalMs }) => totalMs),
      0.5,
    );
    const pythonMs = quantile((await appendWithPyIceberg(lake.python, files)).slice(1), 0.5);
    yield { case: lake.name, figure: "checkpoint_ms", value: tenth(checkpointMs), unit: "ms" };
    yield { case: lake.name, figure: "pyiceberg_append_ms", value: tenth(pythonMs), unit: "ms" };
    yield {
      case: lake.name,
      figure: "checkpoint_to_pyiceberg_ratio",
      value: hundredth(checkpointMs / pythonMs),
      unit: "",
    };
  } finally {
    await place.catalog.close();
  }
}

function* figuresOf(of: string, runs: Record<"pipeline" | "bare", readonly Commit[]>): Iterable<Figure> {
  const median = (which: keyof typeof runs, what: (commit: Commit) => number): number =>
    quantile(runs[which].map(what), 0.5);
  const both: readonly (readonly [name: string, unit: string, what: (commit: Commit) => number])[] = [
    ["latency", "ms", ({ ms }) => ms],
    ["bytes", "bytes", ({ metadataBytes }) => metadataBytes],
    ["requests", "", ({ requests }) => requests],
  ];
  for (const [name, unit, what] of both) {
    const [ours, bare] = [median("pipeline", what), median("bare", what)];
    yield { case: of, figure: `commit_${name}`, value: tenth(ours), unit };
    yield { case: of, figure: `append_${name}`, value: tenth(bare), unit };
    yield { case: of, figure: `commit_${name}_ratio`, value: hundredth(ours / bare), unit: "" };
  }
  const all = ({ metadataBytes, dataBytes }: Commit): number => metadataBytes + dataBytes;
  const ratio = median("pipeline", all) / median("bare", all);
  yield { case: of, figure: "checkpoint_bytes_ratio", value: Math.round(ratio * 1000) / 1000, unit: "" };
}

const tenth = (value: number): number => Math.round(value * 10) / 10;
const hundredth = (value: number): number => Math.round(value * 100) / 100;
