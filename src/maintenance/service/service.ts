import {
  type Catalog,
  createManifestCache,
  type FileIO,
  identText,
  type TableIdent,
} from "../../../table-format/index.ts";
import { createCommitQueue } from "../../commit/commit-queue.ts";
import { isOutage } from "../../commit/pauses.ts";
import { MAINTENANCE_LISTED_MS, MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import type { MaintenanceTask } from "../../core/maintenance.ts";
import type { Runtime } from "../../core/runtime.ts";
import { createHistoryWriter } from "../history/history-writer.ts";
import { interruptedRuns } from "../history/interrupted.ts";
import { LastRuns } from "../history/last-runs.ts";
import type { RunRecord } from "../history/run-record.ts";
import { knownLocations, listTables } from "./known-tables.ts";
import { Lease } from "./lease.ts";
import type { Maintenance } from "./maintenance.ts";
import { runSchedules } from "./scheduler.ts";

/** The name under which the service keeps account. */
const BY = "service";

/** A service over all tables of a warehouse. */
export interface MaintenanceService {
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly warehouseLocation: string;
  readonly runtime: Runtime;
  readonly tasksOf: (table: TableIdent) => readonly MaintenanceTask[];
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly historyMs: number;
  readonly memoryBytes: number;
  /** Do what is due, then end. */
  readonly once: boolean;
  /** Aborted when the service is to end after what is being done. */
  readonly stop: AbortSignal;
  readonly observer: ServiceObserver;
}

export interface ServiceObserver {
  /** This process leads now. @param from who did before; null: nobody. */
  leads(from: string | null): void;
  /** Another process leads. Told once, until this one leads. */
  waits(): void;
  /** Told by the one that leads which tables there are, each time that it has looked. */
  found(tables: readonly TableIdent[]): void;
  ended(run: RunRecord): void;
}

/**
 * Runs until it is told to stop, or once. Several may run: one leads and works, the others wait until it gives the lease back or is not heard
 * of for as long as the lease lasts. Two that work at the same time, which a clock that jumps can bring about, only do work twice: every
 * commit asserts what it was made for.
 *
 * @returns whether this process has ever led. @throws FrazilError when the store cannot be reached at the start.
 */
export async function runService(service: MaintenanceService): Promise<boolean> {
  const { io, warehouseLocation, runtime, leaseMs, once, stop } = service;
  const lease = new Lease(io, warehouseLocation, runtime, leaseMs);
  const history = createHistoryWriter(io, warehouseLocation, runtime, service.historyMs);
  let everLed = false;
  while (!stop.aborted) {
    const taken = await lead(service, lease, once && !everLed ? leaseMs : null);
    if (taken === null) break;
    everLed = true;
    service.observer.leads(taken.from);
    const lost = new AbortController();
    const over = new AbortController();
    const renewing = keepLease(runtime, lease, over.signal).finally(() => lost.abort());
    try {
      await work(service, lease, history, AbortSignal.any([stop, lost.signal]));
    } catch (error) {
      if (once || !isOutage(error)) throw error;
      runtime.log.warn("maintenance cannot go on; trying again", { cause: error.message });
      await runtime.clock.sleep(lease.everyMs, stop);
    } finally {
      over.abort();
      await renewing;
      await lease.release().catch((error: unknown) => {
        runtime.log.warn("the lease could not be given back; others wait for its end", { cause: String(error) });
      });
    }
    if (once) break;
  }
  return everLed;
}

/** Waits until this process leads. @param patienceMs gives up when another one leads for longer; null: never. Null when told to stop. */
async function lead(
  { runtime, stop, observer }: MaintenanceService,
  lease: Lease,
  patienceMs: number | null,
): Promise<{ readonly from: string | null } | null> {
  const { clock, log } = runtime;
  const sinceMs = clock.monotonicMs();
  let waits = false;
  let answered = false;
  while (!stop.aborted) {
    try {
      const taken = await lease.tryToLead();
      answered = true;
      if (taken !== false) return taken;
      if (!waits) observer.waits();
      waits = true;
      // Once longer than the lease: one that nobody renews is taken over before.
      if (patienceMs !== null && clock.monotonicMs() - sinceMs > patienceMs + lease.everyMs) return null;
    } catch (error) {
      if (!answered || !isOutage(error)) throw error;
      log.warn("the lease cannot be read; trying again", { cause: error.message });
    }
    await clock.sleep(lease.everyMs, stop);
  }
  return null;
}

/** Renews the lease until it is over; resolves early when another process has it. */
async function keepLease({ clock, log }: Runtime, lease: Lease, over: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(lease.everyMs, over);
    if (over.aborted) return;
    try {
      if (!(await lease.renew())) {
        log.warn("another process has taken the lease");
        return;
      }
    } catch (error) {
      log.warn("the lease cannot be renewed; trying again", { cause: String(error) });
    }
  }
}

async function work(
  service: MaintenanceService,
  lease: Lease,
  history: Maintenance["history"],
  stop: AbortSignal,
): Promise<void> {
  const { io, catalog, warehouseLocation, runtime, memoryBytes } = service;
  const lastRuns = new LastRuns(io, warehouseLocation, BY, runtime.log);
  await lastRuns.load();
  for (const run of await interruptedRuns(io, warehouseLocation, BY)) {
    history.add(run);
    service.observer.ended(run);
  }
  await history.save();
  const manifests = createManifestCache(MANIFEST_CACHE_ENTRIES);
  const queue = createCommitQueue();
  await runSchedules(
    {
      by: BY,
      place: {
        io,
        catalog,
        manifests,
        queue,
        runtime,
        warehouseLocation,
        memoryBytes,
        stop,
        locations: knownLocations(catalog, runtime.clock),
      },
      tables: async () => {
        const tables = await listTables(catalog);
        service.observer.found(tables);
        return tables;
      },
      listLeastMs: MAINTENANCE_LISTED_MS.least,
      tasksOf: service.tasksOf,
      concurrency: service.concurrency,
      history,
      lastRuns,
      mayBegin: () => lease.leads,
      ended: service.observer.ended,
    },
    service.once,
  );
}

/** Which tasks a table gets: those of the first entry whose pattern matches its name. */
export function tasksByPattern(
  policies: readonly { readonly tables: string; readonly tasks: readonly MaintenanceTask[] }[],
): (table: TableIdent) => readonly MaintenanceTask[] {
  const decides = policyOf(policies.map(({ tables }) => tables));
  return (table) => policies[decides(table)]?.tasks ?? [];
}

/** The index of the first pattern that a table's name matches, by which it is decided; -1: none. */
export function policyOf(patterns: readonly string[]): (table: TableIdent) => number {
  const globs = patterns.map(globPattern);
  return (table) => globs.findIndex((glob) => glob.test(identText(table)));
}

/** `*` stands for anything, `?` for one character. */
function globPattern(glob: string): RegExp {
  const body = glob.replace(/[.+^${}()|[\]\\*?]/g, (character) =>
    character === "*" ? ".*" : character === "?" ? "." : `\\${character}`,
  );
  return new RegExp(`^${body}$`);
}
