import { describe, expect, it } from "vitest";
import {
  type Catalog,
  type CommitOutcome,
  type FileIO,
  MemoryCatalog,
  ObjectStoreCatalog,
  type TableChange,
} from "../../../table-format/index.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import { randomUuid } from "../../../src/core/runtime.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import type { JobObserver, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import { plainJob } from "../../support/plain-job.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

const rulesOf = (formatVersion: 2 | 3): readonly TableRule[] => [
  rule("a", "shop.a", "upsert", [], formatVersion),
  rule("b", "shop.b", "upsert", ["part"], formatVersion),
  rule("log", "shop.log", "append", [], formatVersion),
  rule("trail", "shop.trail", "history", ["_op"], formatVersion),
];

function rule(
  from: string,
  to: string,
  mode: TableRule["mode"],
  partitionBy: readonly string[],
  formatVersion: 2 | 3,
): TableRule {
  return {
    from,
    to,
    mode,
    key: mode === "append" ? null : ["id"],
    columns: new Map(),
    partitionBy,
    sortBy: null,
    formatVersion,
    schemaChanges: "evolve",
  };
}

class Crash extends Error {}

/** Changes of four tables over two splits; a key lives in one split only, as with Kafka's partitioning by key. */
function script(random: { uint32(): number }, count: number): Map<string, ScriptedChange[]> {
  const splits = new Map<string, ScriptedChange[]>([
    ["t/0", []],
    ["t/1", []],
  ]);
  let logged = 0n;
  for (let i = 0; i < count; i++) {
    const split = random.uint32() % 2;
    const changes = splits.get(`t/${split}`) as ScriptedChange[];
    const stream = ["a", "b", "log", "trail"][random.uint32() % 4] as string;
    const part = `p${random.uint32() % 3}`;
    const value = random.uint32() % 10 === 0 ? null : BigInt(random.uint32());
    if (stream === "log") {
      changes.push({ stream, op: "insert", id: logged++, part, value });
      continue;
    }
    const id = BigInt((random.uint32() % 12) * 2 + split);
    const op = (["insert", "update", "update", "delete"] as const)[random.uint32() % 4] as
      | "insert"
      | "update"
      | "delete";
    changes.push({ stream, op, id, part, value });
  }
  return splits;
}

/** What the tables must hold, by a plain map. */
function expected(splits: ReadonlyMap<string, readonly ScriptedChange[]>, stream: string): string[] {
  if (stream === "trail") return [...splits].flatMap(([split, changes]) => trail(split, changes)).sort();
  const rows = new Map<bigint, string>();
  for (const changes of splits.values()) {
    for (const change of changes) {
      if (change.stream !== stream) continue;
      if (change.op === "delete") rows.delete(change.id);
      else rows.set(change.id, `${change.id}|${change.part}|${change.value}`);
    }
  }
  return [...rows.values()].sort();
}

/** A row for each change of the history table. */
function trail(split: string, changes: readonly ScriptedChange[]): string[] {
  return changes.flatMap(({ stream, op, id, part, value }, index) => {
    if (stream !== "trail") return [];
    const row = op === "delete" ? [id, null, null] : [id, part, value];
    const said = op === "update" ? "update_after" : op;
    return [[...row, said, null, split, index + 1].map(String).join("|")];
  });
}

/** A catalog that sometimes loses answers, before or after the effect. */
function lossy(catalog: Catalog, random: { uint32(): number }): Catalog {
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") {
        return async (
          changes: readonly TableChange[],
          claim?: Parameters<Catalog["commit"]>[1],
        ): Promise<CommitOutcome> => {
          const fate = random.uint32() % 10;
          if (fate === 0) return { outcome: "unknown", cause: new Error("lost before the effect") };
          const outcome = await target.commit(changes, claim);
          if (fate === 1) return { outcome: "unknown", cause: new Error("lost after the effect") };
          return outcome;
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const silent: JobObserver = { started() {}, progress() {}, committed() {}, notice() {} };

interface World {
  readonly rules: readonly TableRule[];
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly splits: ReadonlyMap<string, readonly ScriptedChange[]>;
}

async function attempt(world: World, seed: number, crashAfter: number | null): Promise<JobSummary> {
  const runtime = virtualRuntime(seed);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  return await runJob({
    ...plainJob({ catalog: lossy(world.catalog, runtime.random), io: world.io }, 12),
    rules: world.rules,
    runtime,
    createSource: (router) => scriptSource(world.splits, router, runtime.random),
    observer: silent,
  });
}

function newWorld(kind: "memory" | "object-store", formatVersion: 2 | 3, seed: number): World {
  const random = seededRandom(seed);
  const io = createMemoryStorage();
  let nowMs = Date.UTC(2026, 0, 1);
  const clock = { nowMs: () => ++nowMs, uuid: () => randomUuid(random) };
  const catalog =
    kind === "memory"
      ? new MemoryCatalog("test", io, "mem://w", clock)
      : new ObjectStoreCatalog("test", io, "mem://w", clock);
  return { rules: rulesOf(formatVersion), io, catalog, splits: script(random, 150) };
}

async function checkTables(world: World): Promise<void> {
  for (const { from, to } of world.rules) {
    const ident = { namespace: ["shop"], name: to.slice("shop.".length) };
    expect(await tableRows(world.io, world.catalog, ident), to).toEqual(expected(world.splits, from));
  }
}

const KINDS = [
  ["memory", 3],
  ["object-store", 3],
  ["memory", 2],
] as const;

describe.each(KINDS)("a job on a catalog of kind %s, tables of version %i", (kind, version) => {
  it("writes exactly the right rows without a fault", async () => {
    const world = newWorld(kind, version, 1);
    await attempt(world, 1, null);
    await checkTables(world);
  });

  it("writes exactly the right rows over crashes at random steps and lost answers", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const world = newWorld(kind, version, seed);
      const random = seededRandom(seed + 1000);
      let crashes = 0;
      for (let run = 0; ; run++) {
        try {
          await attempt(world, seed * 100 + run, run < 12 ? random.uint32() % 40 : null);
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw new Error(`seed ${seed}, run ${run}`, { cause: error });
          crashes++;
        }
      }
      await checkTables(world).catch((error: unknown) => {
        throw new Error(`seed ${seed} after ${crashes} crashes`, { cause: error });
      });
    }
  });

  it("fences a process that wakes up after a newer one has taken over", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = newWorld(kind, version, seed);
      // The older process stops in the middle of a commit, a newer one runs to the end, then the older goes on.
      let wake = () => {};
      const asleep = new Promise<void>((resolve) => (wake = resolve));
      let commits = 0;
      const sleepy: Catalog = new Proxy(world.catalog, {
        get(target, property) {
          if (property === "commit") {
            return async (...parameters: Parameters<Catalog["commit"]>) => {
              if (++commits === 4 + (seed % 5)) await asleep;
              return await target.commit(...parameters);
            };
          }
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const older = attempt({ ...world, catalog: sleepy }, seed, null).then(
        () => null,
        (error: unknown) => error,
      );
      while (commits < 4 + (seed % 5)) await new Promise((resolve) => setImmediate(resolve));
      await attempt(world, seed + 500, null);
      const before = await snapshotIds(world);
      wake();
      const error = await older;
      expect(error).toBeInstanceOf(FrazilError);
      expect((error as FrazilError).kind).toBe("fenced");
      expect(await snapshotIds(world)).toEqual(before);
      await checkTables(world);
    }
  });
});

async function snapshotIds(world: World): Promise<string[]> {
  const ids: string[] = [];
  for (const ident of await world.catalog.listTables(["shop"])) {
    const loaded = await world.catalog.loadTable(ident);
    ids.push(...(loaded?.metadata.snapshots ?? []).map(({ snapshotId }) => String(snapshotId)));
  }
  return ids;
}
