// Our own side of the bench `table-format`: one case a process, as the other engines have it; see `table_format_peer.py`.
import { readFileSync } from "node:fs";
import { createLocalStorage } from "../../src/storage/local.ts";
import {
  currentSnapshot,
  must,
  parseTableMetadata,
  planFiles,
  readDeletionVector,
  readManifestList,
  snapshotById,
} from "../../table-format/index.ts";
import type { DataFile, Expression } from "../../table-format/index.ts";
import type { CaseOutcome, CaseRequest, PlanFilter, Times } from "./table-format-process.ts";
import { appendFile, dataFile, openBenchTable } from "./table-format-tables.ts";

const io = createLocalStorage();

/** The result of the last round, and what each took. */
async function timed<T>(rounds: number, work: () => Promise<T> | T): Promise<{ result: T; times: Times }> {
  const times: { ms: number[]; cpuMs: number[] } = { ms: [], cpuMs: [] };
  let result: T | undefined;
  for (let round = 0; round < rounds; round++) {
    result = undefined;
    const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
    result = await work();
    const { user, system } = process.cpuUsage(startCpu);
    times.ms.push(performance.now() - startMs);
    times.cpuMs.push((user + system) / 1000);
  }
  return { result: result as T, times };
}

async function open(request: CaseRequest & { case: "open" }): Promise<Omit<CaseOutcome, "peakMiB">> {
  const { result, times } = await timed(request.rounds, async () => {
    const metadata = parseTableMetadata(await io.read(request.metadata), request.metadata);
    return { metadata, snapshot: must(snapshotById(metadata, BigInt(request.snapshotId)), "the snapshot") };
  });
  const answer = { snapshots: result.metadata.snapshots.length, manifestList: result.snapshot.manifestList };
  return { times: { open: times }, answer };
}

async function plan(request: CaseRequest & { case: "plan" }): Promise<Omit<CaseOutcome, "peakMiB">> {
  const metadata = parseTableMetadata(await io.read(request.metadata), request.metadata);
  const snapshot = must(currentSnapshot(metadata), "a snapshot");
  const options = request.filter === null ? {} : { filter: filterOf(request.filter) };
  const { result, times } = await timed(request.rounds, async () => {
    let [files, records] = [0, 0];
    for await (const { data } of planFiles(io, metadata, snapshot, options)) {
      files++;
      records += Number(data.file.recordCount);
    }
    return { files, records };
  });
  return { times: { plan: times }, answer: result };
}

function filterOf({ column, value }: PlanFilter): Expression {
  return { type: "eq", term: column, value: column === "id" ? BigInt(value) : value };
}

async function append(request: CaseRequest & { case: "append" }): Promise<Omit<CaseOutcome, "peakMiB">> {
  const table = openBenchTable(request.warehouse, io);
  let number = 0;
  const { times } = await timed(request.rounds, () => appendFile(table, ++number));
  const { metadata, metadataLocation } = await table.load();
  const manifests = await readManifestList(io, must(currentSnapshot(metadata), "a snapshot"));
  const files = manifests.reduce((sum, each) => sum + (each.addedFilesCount ?? 0) + (each.existingFilesCount ?? 0), 0);
  return { times: { append: times }, answer: { manifests: manifests.length, files, metadata: metadataLocation } };
}

async function vector(request: CaseRequest & { case: "vector" }): Promise<Omit<CaseOutcome, "peakMiB">> {
  const { file, rounds, span, step } = request;
  const entry: DataFile = {
    ...dataFile("", 0, 0),
    content: "position-deletes",
    filePath: file,
    fileFormat: "PUFFIN",
    fileSizeBytes: BigInt(request.fileSizeBytes),
    recordCount: BigInt(request.count),
    contentOffset: BigInt(request.offset),
    contentSizeBytes: BigInt(request.length),
  };
  const decode = await timed(rounds, () => readDeletionVector(io, entry));
  const bitmap = decode.result;
  const lookup = await timed(rounds, () => {
    let hits = 0;
    for (let position = 0; position < span; position += step) if (bitmap.has(position)) hits++;
    return hits;
  });
  const positions = await timed(rounds, () => bitmap.toArray());
  let sum = 0n;
  let part = 0;
  for (const [i, position] of positions.result.entries()) {
    part += position;
    if (i % 65_536 !== 0) continue;
    sum += BigInt(part);
    part = 0;
  }
  return {
    times: { decode: decode.times, lookup: lookup.times, positions: positions.times },
    answer: { positions: positions.result.length, sum: String(sum + BigInt(part)), hits: lookup.result },
  };
}

/** The most memory that this process had; Linux only. */
function peakMiB(): number | null {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return found === null ? null : Number(found[1]) / 1024;
  } catch {
    return null;
  }
}

const request = JSON.parse(must(process.argv[2], "a case")) as CaseRequest;
const outcome =
  request.case === "open"
    ? await open(request)
    : request.case === "plan"
      ? await plan(request)
      : request.case === "append"
        ? await append(request)
        : await vector(request);
process.stdout.write(`${JSON.stringify({ ...outcome, peakMiB: peakMiB() })}\n`);
