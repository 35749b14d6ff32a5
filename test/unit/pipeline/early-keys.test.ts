import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SourceBatch } from "../../../src/core/source.ts";
import type { CommitContext } from "../../../src/commit/context.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { EarlyKeys } from "../../../src/sink/keys/early-keys.ts";
import type { KeyStore } from "../../../src/sink/key-index/key-store.ts";
import type { FileIO } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { batches, scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

let folder = "";
let seeds = 0;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "frazil-early-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rowsOf = ({ io, catalog }: Warehouse, name: string) => tableRows(io, catalog, { namespace: ["shop"], name });

/** The same store, whose reads of data files of table `a` wait. @param written is told the table of each data file that is begun. */
function slowReads(io: FileIO, waiting: Promise<void>, written: (table: string) => void = () => {}): FileIO {
  return new Proxy(io, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return async (...parameters: unknown[]): Promise<unknown> => {
        const location = String(parameters[0]);
        const table = /\/(\w+)\/data\//.exec(location)?.[1];
        if (table === "a" && String(property).startsWith("read")) await waiting;
        if (table !== undefined && property === "openWrite") written(table);
        return (value as (...given: unknown[]) => unknown).apply(target, parameters);
      };
    },
  });
}

/** Runs a job over the pulls, each a list of changes `table op…`. */
function run(
  warehouse: Warehouse,
  pulls: readonly (readonly string[])[],
  events: string[],
  given: Partial<JobRun> = {},
): Promise<JobSummary> {
  const ends = pulls.reduce<number[]>((sums, { length }) => [...sums, (sums.at(-1) ?? 0) + length], []);
  const runtime = virtualRuntime(++seeds);
  return runJob({
    pipeline: "test",
    rules: [upsertRule("a"), upsertRule("b")],
    // On the virtual clock it passes at each wait for the source.
    checkpoint: { intervalMs: 1_000, maxRows: 1_000, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
    memoryBytes: 1 << 26,
    keyCache: folder,
    warehouseLocation: "mem://w",
    catalog: warehouse.catalog,
    io: warehouse.io,
    runtime,
    createSource: (router) => ({
      ...scriptSource(new Map(), router, runtime.random),
      startPosition: async () => new Map([["t/0", "0"]]),
      endPosition: async () => new Map([["t/0", String(ends.at(-1))]]),
      async *read(from): AsyncGenerator<SourceBatch> {
        for (const [index, texts] of pulls.entries()) {
          const end = ends[index] as number;
          if (end <= Number(from.get("t/0") ?? 0)) continue;
          await new Promise((resolve) => setTimeout(resolve, 5));
          events.push("pull");
          const changes = texts.map((text) => change(text[0] as string, text.slice(2)));
          yield {
            changes: batches("t/0", changes, end - texts.length, router),
            ends: new Map([["t/0", String(end)]]),
            records: texts.length,
          };
        }
      },
    }),
    end: { caughtUp: true, afterMs: null, maxRows: null },
    stop: new AbortController().signal,
    observer: {
      started() {},
      progress() {},
      notice() {},
      committed: ({ table }) => void events.push(`commit ${table}`),
    },
    ...given,
  });
}

/** Pulls of nothing, for some time. */
const IDLE = Array.from({ length: 100 }, (): string[] => []);

const FIRST = [["a +1:x:1", "a +2:x:2", "b +1:x:1", "b +2:x:2"]];

describe("while the keys of a table are read that a cache lacks", () => {
  async function tables(): Promise<Warehouse> {
    const warehouse = memoryWarehouse("memory");
    await run(warehouse, FIRST, []);
    rmSync(folder, { recursive: true, force: true });
    return warehouse;
  }

  it("changes are read on and those of other tables encoded; the checkpoint waits", async () => {
    const warehouse = await tables();
    const { promise, resolve } = Promise.withResolvers<void>();
    const events: string[] = [];
    const io = slowReads(warehouse.io, promise, (table) => {
      events.push(`write ${table}`);
      // The other table's file is there: now the keys may come.
      if (table === "b") setTimeout(resolve, 20);
    });
    const pulls = [["a ~1:y:5", "b ~1:y:5"], ["b +3:y:6"], ["a -2"], ["a +4:y:7", "b -2"]];
    await run(warehouse, [...FIRST, ...pulls], events, { io });
    expect(events).toEqual([...pulls.map(() => "pull"), "write b", "write a", "commit shop.b", "commit shop.a"]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|y|5", "4|y|7"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|5", "3|y|6"]);
  });

  it("checkpoints without changes of it are committed, and the job's end does not wait for it", async () => {
    const warehouse = await tables();
    const events: string[] = [];
    const never = new Promise<void>(() => {});
    const pulls = [["b ~1:y:5"], ["b +3:y:6"], ["b -2"]];
    const io = slowReads(warehouse.io, never);
    expect(await run(warehouse, [...FIRST, ...pulls], events, { io })).toMatchObject({ reason: "caught-up", rows: 3 });
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|5", "3|y|6"]);
  });

  it("a job that is told to stop ends without a last checkpoint, and the next one makes it", async () => {
    const warehouse = await tables();
    const stop = new AbortController();
    const io = slowReads(warehouse.io, new Promise<void>(() => {}));
    const end = { caughtUp: false, afterMs: null, maxRows: null };
    setTimeout(() => stop.abort(), 50);
    const events: string[] = [];
    const pulls = [...FIRST, ["a ~1:y:5", "b ~1:y:5"]];
    const summary = await run(warehouse, [...pulls, ...IDLE], events, { io, stop: stop.signal, end });
    expect(summary).toMatchObject({ reason: "stopped", checkpoints: 0 });
    await run(warehouse, pulls, events);
    expect(events.filter((event) => event !== "pull").toSorted()).toEqual(["commit shop.a", "commit shop.b"]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|y|5", "2|x|2"]);
  });

  it("what fails is tried again by the checkpoint", async () => {
    const warehouse = await tables();
    let faults = 0;
    warehouse.fault = (operation, location) => {
      if (operation.startsWith("read") && location.includes("/a/data/") && faults++ === 0) throw new Error("torn");
    };
    const events: string[] = [];
    await run(warehouse, [...FIRST, ["a ~1:y:5"], ["a -2"]], events);
    expect(faults).toBeGreaterThan(1);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|y|5"]);
  });
});

it("whoever asks for one of many tables waits for the same, however often", async () => {
  const warehouse = memoryWarehouse("memory");
  const names = ["a", "b", "c", "d", "e", "f"];
  const process = await Process.start(
    warehouse,
    names.map((name) => upsertRule(name)),
  );
  await process.checkpoint(names.map((name) => change(name, "+1:x:1")));
  const never = { open: () => new Promise(() => {}) } as unknown as KeyStore;
  const { io } = warehouse;
  const context = { io, runtime: process.runtime } as unknown as CommitContext;
  const early = new EarlyKeys(context, never, process.committer.tables.values());
  early.start();
  const asked = Array.from({ length: 10 }, () => names.map((name) => early.underWay(`shop.${name}`)));
  // Four tables are read, the others wait for the first of them that is done.
  expect(new Set(asked.flat()).size).toBe(5);
});
