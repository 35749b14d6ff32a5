import {
  type Catalog,
  createManifestCache,
  type FileIO,
  MemoryCatalog,
  ObjectStoreCatalog,
} from "../../table-format/index.ts";
import type { CommitContext } from "../../src/commit/context.ts";
import { PipelineCommitter } from "../../src/commit/pipeline-committer.ts";
import type { ChangeBatch } from "../../src/core/change-batch.ts";
import { DEAD_LETTER_STREAM } from "../../src/core/dead-letter.ts";
import { FrazilError, must } from "../../src/core/errors.ts";
import type { Position } from "../../src/core/position.ts";
import { randomUuid } from "../../src/core/runtime.ts";
import type { TableRule } from "../../src/core/table-rule.ts";
import { Checkpointer } from "../../src/pipeline/checkpointer.ts";
import type { CommitEvent } from "../../src/pipeline/job-run.ts";
import { presentTypes } from "../../src/pipeline/present-types.ts";
import { type KeyStore, memoryKeys, sidecarKeys, type SidecarKeysOptions } from "../../src/sink/key-index/key-store.ts";
import { DeadLetters, deadLetterRule } from "../../src/sink/dead-letters/dead-letters.ts";
import { highestLetter } from "../../src/sink/dead-letters/letter-number.ts";
import { RuleRouter } from "../../src/sink/layout/router.ts";
import { createMemoryStorage } from "../../src/storage/memory.ts";
import { batches, type ScriptedChange } from "./script-source.ts";
import { seededRandom, type VirtualRuntime, virtualRuntime } from "./virtual-runtime.ts";

/** A store and a catalog in memory. `fault` is asked before each request to the store and may throw. */
export interface Warehouse {
  readonly io: FileIO;
  readonly catalog: Catalog;
  /** By default that of the store in memory. */
  readonly location?: string;
  fault: (operation: string, location: string) => void;
}

export function memoryWarehouse(kind: "memory" | "object-store"): Warehouse {
  let nowMs = Date.UTC(2026, 0, 1);
  const store = createMemoryStorage(() => nowMs);
  const io: FileIO = new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...parameters: unknown[]): unknown => {
        if (property === "list") return value.apply(target, parameters) as unknown;
        try {
          warehouse.fault(String(property), String(parameters[0]));
        } catch (error) {
          return Promise.reject(error);
        }
        return value.apply(target, parameters) as unknown;
      };
    },
  });
  const random = seededRandom(1_000 + warehouses++);
  const clock = { nowMs: () => ++nowMs, uuid: () => randomUuid(random) };
  const catalog =
    kind === "memory"
      ? new MemoryCatalog("test", io, "mem://w", clock)
      : new ObjectStoreCatalog("test", io, "mem://w", clock);
  const warehouse: Warehouse = { io, catalog, fault: () => undefined };
  return warehouse;
}

/** What a store throws that cannot be reached. */
export function storeGone(): FrazilError {
  return new FrazilError("unavailable", "STORE_GONE", "the store cannot be reached");
}

export function upsertRule(name: string, given: Partial<TableRule> = {}): TableRule {
  return {
    from: name,
    to: `shop.${name}`,
    mode: "upsert",
    key: ["id"],
    columns: new Map(),
    partitionBy: [],
    sortBy: null,
    formatVersion: 3,
    schemaChanges: "evolve",
    ...given,
  };
}

/** `op:id:part:value` or `op:id` to a change of `stream`: `+1:p:7` inserts, `~` updates, `-1` deletes, `!` truncates. */
export function change(stream: string, text: string): ScriptedChange {
  const op = ({ "+": "insert", "~": "update", "-": "delete", "!": "truncate" } as const)[text[0] as "+"];
  const [id = "0", part = "", value] = text.slice(1).split(":");
  return { stream, op, id: BigInt(id || "0"), part, value: value === undefined ? null : BigInt(value) };
}

let warehouses = 0;
let processes = 0;

/** Keys in a folder instead of in memory. */
export type KeyCache = Pick<SidecarKeysOptions, "folder" | "limitBytes">;

export interface ProcessOptions {
  /** The dead-letter table. */
  readonly letters?: string | null;
  /** See `VirtualRuntime`. */
  readonly onStep?: VirtualRuntime["onStep"];
}

/** One process of a pipeline, checkpoint by checkpoint, on one split `t/0`. */
export class Process {
  readonly runtime: VirtualRuntime;
  readonly committer: PipelineCommitter;
  readonly router: RuleRouter;
  readonly checkpointer: Checkpointer;
  readonly events: CommitEvent[] = [];
  reached: Position;

  private constructor(
    runtime: VirtualRuntime,
    context: CommitContext,
    committer: PipelineCommitter,
    router: RuleRouter,
    keys: KeyStore,
    letters: (router: RuleRouter) => DeadLetters | null,
  ) {
    this.runtime = runtime;
    this.committer = committer;
    this.router = router;
    const observer = {
      started() {},
      progress() {},
      notice() {},
      committed: (event: CommitEvent) => void this.events.push(event),
    };
    this.checkpointer = new Checkpointer(context, committer, this.router, keys, observer, letters(this.router));
    this.reached = committer.resumePosition() ?? new Map([["t/0", "0"]]);
  }

  static async start(
    warehouse: Warehouse,
    rules: TableRule[],
    seed = ++processes,
    keyCache?: KeyCache,
    { letters = null, onStep }: ProcessOptions = {},
  ): Promise<Process> {
    const runtime = virtualRuntime(seed);
    if (onStep !== undefined) runtime.onStep = onStep;
    const context: CommitContext = {
      pipeline: "test",
      catalog: warehouse.catalog,
      io: warehouse.io,
      manifests: createManifestCache(1_000),
      warehouseLocation: warehouse.location ?? "mem://w",
      runtime,
      comparePoints: (a, b) => Number(a) - Number(b),
    };
    const committer = await PipelineCommitter.start(context, () => true);
    const tables = [...committer.tables.values()].map(({ loaded }) => loaded.metadata.tableUuid);
    const keys =
      keyCache === undefined
        ? memoryKeys(runtime.random)
        : await sidecarKeys({ ...keyCache, pipeline: "test", warehouse: context.warehouseLocation, tables, runtime });
    const types = await presentTypes(warehouse.catalog, () => true);
    if (letters === null) {
      return new Process(runtime, context, committer, new RuleRouter(rules, types), keys, () => null);
    }
    const held = committer.tables.get(letters);
    const next = held === undefined ? 0n : (await highestLetter(warehouse.io, held.loaded)) + 1n;
    const withLetters = new RuleRouter([deadLetterRule(letters), ...rules], types);
    return new Process(runtime, context, committer, withLetters, keys, (router) => {
      const binding = must(router.byStream(DEAD_LETTER_STREAM), "a rule of its own");
      const made = new DeadLetters(binding, "test", { maxRows: Infinity, maxShare: 1 });
      made.numberFrom(next);
      return made;
    });
  }

  /** Commits changes as one checkpoint, each a pull of its own. */
  async checkpoint(changes: readonly ScriptedChange[]): Promise<void> {
    const first = Number(this.reached.get("t/0"));
    for (const [index, one] of changes.entries()) {
      for (const batch of batches("t/0", [one], first + index, this.router)) this.checkpointer.add(batch);
    }
    await this.commitUpTo(first + changes.length);
  }

  /** Commits batches that a test made itself. */
  async checkpointOf(made: readonly ChangeBatch[], end: number): Promise<void> {
    for (const batch of made) this.checkpointer.add(batch);
    await this.commitUpTo(end);
  }

  private async commitUpTo(end: number): Promise<void> {
    const cut: Position = new Map([...this.reached, ["t/0", String(end)]]);
    // As a job does: what comes to nothing before there is a table is no checkpoint.
    const worth = this.checkpointer.bufferedRows > 0 || this.committer.tables.size > 0;
    if (worth) await this.checkpointer.checkpoint(this.reached, cut, null);
    this.reached = cut;
  }
}
