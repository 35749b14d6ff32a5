import { join } from "node:path";
import { FrazilError } from "../../core/errors.ts";
import type { Random, Runtime } from "../../core/runtime.ts";
import { KEY_CACHE_BYTES } from "../../core/limits.ts";
import type { KeyResolver, ReadKeys, ResolvedTable } from "../keys/key-resolver.ts";
import { WindowBudget } from "../dedupe/window-budget.ts";
import { memoryResolver } from "../keys/memory-resolver.ts";
import { type CacheLease, takeCacheLease } from "./cache-lease.ts";
import { sweepCache } from "./cache-sweep.ts";
import { KeyBudget } from "./key-budget.ts";
import { openSidecarFolder } from "./sidecar-folder.ts";
import { SearchThread } from "./search-thread.ts";
import { SidecarResolver } from "./sidecar-resolver.ts";

/** Of a smaller share a second thread, which takes some 40 MiB, is left out. */
const THREAD_LIMIT_BYTES = 64 << 20;

/** A table as its keys are opened. */
export interface KeyedTableRef extends Pick<ResolvedTable, "name" | "files"> {
  readonly uuid: string;
  /** Of the key columns (`keySignature`). */
  readonly signature: string;
  /** Whether keys are whole numbers, of which two words say all. */
  readonly exact: boolean;
  readonly readWith: (seed: number) => ReadKeys;
}

/** What finds keys, and the seed of their fingerprints. */
export interface OpenedKeys {
  readonly resolver: KeyResolver;
  readonly seed: number;
}

/** Where the keys of a job's tables are kept. */
export interface KeyStore {
  open(table: KeyedTableRef): Promise<OpenedKeys>;
  /** What the keys that `dedupe` knows may take. */
  readonly windows: WindowBudget;
  /** To be called when no table is written any more. */
  close(): void;
}

/** All keys in memory, whatever that takes. */
export function memoryKeys(random: Random): KeyStore {
  return {
    windows: new WindowBudget(Infinity),
    close() {},
    async open({ name, files, readWith }) {
      const seed = random.uint32();
      return { seed, resolver: memoryResolver({ name, files, read: readWith(seed) }) };
    },
  };
}

export interface SidecarKeysOptions {
  /** Made if absent; one folder in it for each table of each pipeline. */
  readonly folder: string;
  readonly pipeline: string;
  readonly warehouse: string;
  /** The pipeline's tables (UUIDs): what the cache has of others of this pipeline and warehouse is removed. */
  readonly tables: readonly string[];
  /** Disk that the cache may take; what was not used for longest is removed beyond it, unless it is in use. */
  readonly capBytes?: number;
  /** Memory that the keys of all tables share. */
  readonly limitBytes: number;
  readonly runtime: Pick<Runtime, "random" | "log" | "clock">;
}

/** Keys in memory up to a limit, beyond it in sidecars on disk, which the next run finds again. */
export async function sidecarKeys(options: SidecarKeysOptions): Promise<KeyStore> {
  const { folder, pipeline, warehouse, limitBytes, runtime } = options;
  const budget = new KeyBudget(limitBytes);
  const opened = new Map<string, SidecarResolver>();
  const lease = await tidy(options);
  const thread = limitBytes < THREAD_LIMIT_BYTES ? null : new SearchThread();
  return {
    windows: new WindowBudget(limitBytes),
    close() {
      thread?.close();
      lease?.release();
    },
    async open({ uuid, name, signature, exact, files, readWith }) {
      // It comes from the catalog and becomes part of a path.
      if (!/^[\da-f-]{36}$/i.test(uuid)) {
        throw new FrazilError("corrupt", "TABLE_UUID", `table ${name}: expected a UUID, found ${JSON.stringify(uuid)}`);
      }
      const before = opened.get(uuid);
      if (before !== undefined) budget.leave(before);
      const tableFolder = join(folder, `${uuid}.${pipeline}`);
      const owner = { warehouse, table: name };
      const sidecars = await openSidecarFolder(tableFolder, signature, exact ? 2 : 4, owner, runtime.random);
      const { seed } = sidecars.kind;
      const resolver = new SidecarResolver({ name, files, read: readWith(seed) }, sidecars, budget, runtime, thread);
      opened.set(uuid, resolver);
      return { resolver, seed };
    },
  };
}

/** Takes the lease and clears away what is of no use. A cache that cannot be written yet may never be needed. */
async function tidy(options: SidecarKeysOptions): Promise<CacheLease | null> {
  const { folder, pipeline, tables, capBytes = KEY_CACHE_BYTES, runtime } = options;
  try {
    const lease = await takeCacheLease(folder, pipeline);
    const sweep = { ...options, tables: new Set(tables), capBytes, leased: lease !== null };
    const removed = await sweepCache(sweep);
    if (removed.length > 0) runtime.log.info("removed kept keys that are of no use", { folders: removed });
    return lease;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    runtime.log.warn("the cache of keys cannot be tidied", { folder, error: message });
    return null;
  }
}
