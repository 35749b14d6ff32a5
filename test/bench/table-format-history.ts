import { join } from "node:path";
import { createLocalStorage } from "../../src/storage/local.ts";
import { type FileIO, must } from "../../table-format/index.ts";
import type { Figure } from "./bench.ts";
import { choiceOption, numberOption } from "./options.ts";
import type { CaseEngine } from "./table-format-process.ts";
import { appendFile, type BenchTable, createBenchTable, lengthenHistory } from "./table-format-tables.ts";

const COMMITS = 5_000;
/** After how many commits the cost of one is told, up to the number asked for. */
const MARKS = [100, 1_000, 5_000];
/** Commits whose median it is. */
const MEASURED = 20;
const PEER_ROUNDS = 5;
/** Snapshots that stand when a commit comes; the last is Iceberg's five days at one each ten seconds. */
const STANDING = [100, 1_000, 2_000, 5_000, 10_000, 43_200];
/** Snapshots that stay, and how often the others go. */
const KEPT = 100;
const WITHOUT_MERGING = new Map([["commit.manifest-merge.enabled", "false"]]);

/** Bytes of a commit's files by kind. */
interface Written {
  metadata: number;
  list: number;
  manifests: number;
}

interface Commit extends Written {
  readonly ms: number;
  readonly cpuMs: number;
}

/**
 * What one commit of one data file takes as commits before it add up: with every snapshot kept and manifests merged, as the defaults have
 * it; without merging; and with all but the last 100 snapshots expired at each hundredth commit; and where so many snapshots stand from the
 * beginning. Beside the first PyIceberg, which goes on from the same metadata file.
 */
export async function* historyCosts(
  folder: string,
  engines: readonly CaseEngine[],
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  const commits = numberOption("commits", COMMITS);
  const marks = MARKS.filter((mark) => mark <= commits);
  const chosen = choiceOption("histories", ["kept", "unmerged", "expired", "standing"] as const);
  for (const [name, properties, expires] of [
    ["kept", new Map(), false],
    ["unmerged", WITHOUT_MERGING, false],
    ["expired", new Map(), true],
  ] as const) {
    if (!chosen.includes(name)) continue;
    const { io, take } = counting(createLocalStorage());
    const table = await createBenchTable(join(folder, name), properties, io);
    const done: Commit[] = [];
    for (let number = 1; number <= must(marks.at(-1), "at least 100 commits"); number++) {
      done.push(await timedAppend(table, number, take));
      if (number % 500 === 0) progress(`history, ${name}: ${number} commits`);
      if (marks.includes(number)) {
        yield* costAt(`${name}, ${number} commits`, done.slice(-MEASURED));
        const peer = name === "kept" ? engines.find((engine) => engine.name === "pyiceberg") : undefined;
        if (peer !== undefined) yield* peerCost(`${name}, ${number} commits`, table, peer, number);
      }
      if (expires && number % KEPT === 0) await expire(table);
    }
    await table.catalog.close();
  }
  if (chosen.includes("standing")) yield* standingCosts(folder, progress);
}

/** What a commit of one data file takes where so many snapshots stand, by how metadata files are compressed. */
async function* standingCosts(folder: string, progress: (line: string) => void): AsyncIterable<Figure> {
  for (const codec of ["none", "gzip"]) {
    for (const count of STANDING) {
      const { io, take } = counting(createLocalStorage());
      const properties = new Map([["write.metadata.compression-codec", codec]]);
      const table = await createBenchTable(join(folder, `standing-${codec}-${count}`), properties, io);
      await appendFile(table, 0);
      await lengthenHistory(table, count);
      const done: Commit[] = [];
      // The first ones write out what was read, which later ones have in memory.
      for (let number = 1; number <= MEASURED + 2; number++) done.push(await timedAppend(table, number, take));
      yield* costAt(`${count} snapshots stand, ${codec}`, done.slice(2));
      progress(`history, standing, ${codec}: ${count} snapshots`);
      await table.catalog.close();
    }
  }
}

async function timedAppend(table: BenchTable, number: number, take: () => Written): Promise<Commit> {
  take();
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  await appendFile(table, number);
  const { user, system } = process.cpuUsage(startCpu);
  return { ms: performance.now() - startMs, cpuMs: (user + system) / 1000, ...take() };
}

function* costAt(name: string, commits: readonly Commit[]): Iterable<Figure> {
  const of = `commit: ${name}`;
  const median = (value: (commit: Commit) => number): number =>
    must(commits.map(value).sort((a, b) => a - b)[commits.length >> 1], "commits");
  yield { case: of, figure: "time", value: Math.round(median(({ ms }) => ms) * 100) / 100, unit: "ms" };
  yield { case: of, figure: "cpu", value: Math.round(median(({ cpuMs }) => cpuMs) * 100) / 100, unit: "ms" };
  yield { case: of, figure: "metadata", value: median(({ metadata }) => metadata), unit: "bytes" };
  yield { case: of, figure: "manifest_list", value: median(({ list }) => list), unit: "bytes" };
  yield { case: of, figure: "manifests", value: median(({ manifests }) => manifests), unit: "bytes" };
}

async function* peerCost(name: string, table: BenchTable, peer: CaseEngine, number: number): AsyncIterable<Figure> {
  const { metadataLocation: metadata, metadata: base } = await table.load();
  const catalog = join(table.folder, `py-${number}.sqlite`);
  const outcome = await peer.run({ case: "append", rounds: PEER_ROUNDS, metadata, warehouse: table.folder, catalog });
  const { files } = must(outcome, "an outcome").answer;
  if (files !== number + PEER_ROUNDS)
    throw new Error(`wrong result: PyIceberg has ${String(files)} files after ${number}`);
  const times = must(must(outcome, "an outcome").times["append"], "times");
  for (const [figure, all] of [
    ["pyiceberg_time", times.ms],
    ["pyiceberg_cpu", times.cpuMs],
  ] as const) {
    const value = must(all.toSorted((a, b) => a - b)[all.length >> 1], "a time");
    yield { case: `commit: ${name}`, figure, value: Math.round(value * 100) / 100, unit: "ms" };
  }
  if (base.snapshots.length !== number)
    throw new Error(`wrong result: ${base.snapshots.length} snapshots, not ${number}`);
}

/** Removes all snapshots but the last ones; their files stay, which costs later commits nothing. */
async function expire(table: BenchTable): Promise<void> {
  const { metadata } = await table.load();
  const gone = metadata.snapshots.slice(0, -KEPT).map(({ snapshotId }) => snapshotId);
  if (gone.length > 0) await table.commit([{ action: "remove-snapshots", snapshotIds: gone }]);
}

/** A store that counts what is written until it is asked. */
function counting(io: FileIO): { io: FileIO; take(): Written } {
  let written: Written = { metadata: 0, list: 0, manifests: 0 };
  const write: FileIO["write"] = (location, bytes) => {
    const kind = location.endsWith(".metadata.json")
      ? "metadata"
      : location.endsWith("-list.avro")
        ? "list"
        : "manifests";
    written[kind] += bytes.length;
    return io.write(location, bytes);
  };
  const watched = new Proxy(io, {
    get(target, key) {
      if (key === "write") return write;
      const member: unknown = Reflect.get(target, key);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  return {
    io: watched,
    take() {
      const taken = written;
      written = { metadata: 0, list: 0, manifests: 0 };
      return taken;
    },
  };
}
