import {
  type Catalog,
  createManifestCache,
  currentSnapshot,
  type FileIO,
  type LoadedTable,
  type ManifestCache,
  parseIdent,
  type Snapshot,
  type TableIdent,
} from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { MANIFEST_CACHE_ENTRIES, TABLE_START_LIMIT_MS } from "../../core/limits.ts";
import type { Position } from "../../core/position.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Source, SourceBatch } from "../../core/source.ts";
import type { StreamId, StreamIds } from "../../core/stream-id.ts";
import type { DecodeNotices, TableBinding, TableRouter } from "../../core/table-binding.ts";
import { truncateBatch } from "./batches.ts";
import type { TableSettings } from "./config.ts";
import { TableLag } from "./lag.ts";
import { lineageOf, lostPoint, otherTable, startSnapshot, type Step, stepsFrom } from "./lineage.ts";
import { comparePoints, parsePoint, pointAt, pointText, startOf, type TablePoint } from "./point.ts";
import { ReadHold } from "./read-hold.ts";
import { loadTable, Outage } from "./reload.ts";
import { stepBatches } from "./step-batches.ts";

/** Where the table is. */
export interface TableStore {
  readonly io: FileIO;
  readonly catalog: Catalog;
  /** The warehouse's. */
  readonly location: string;
}

export interface TableSourceDeps {
  /** @throws FrazilError `not-found` while the warehouse is not there. Its catalog is closed with the source. */
  readonly open: () => Promise<TableStore>;
  /** Whether it is the warehouse that the job writes to. */
  readonly isOwn: boolean;
  /** As which the job holds what it has yet to read (`jobConsumerName`); absent or null: it holds nothing, and nothing is written. */
  readonly consumer?: string | null;
  readonly router: TableRouter;
  readonly notices: DecodeNotices;
  readonly runtime: Pick<Runtime, "clock" | "log" | "random">;
  /** How long the table may not be there at the start. */
  readonly startLimitMs?: number;
}

/** An idle source says so this often. */
const IDLE_MS = 1_000;

/**
 * Reads a table: the rows of one snapshot, then the changes of each later one. There is one split, `<table>/0`; see `TablePoint` for its
 * points. Each snapshot's changes follow from it and its parent alone, so that they are the same however often they are read.
 */
export function createTableSource(settings: TableSettings, deps: TableSourceDeps): Source {
  return new TableSource(settings, deps);
}

class TableSource implements Source {
  readonly comparePoints = comparePoints;
  readonly #settings: TableSettings;
  readonly #deps: TableSourceDeps;
  readonly #split: string;
  readonly #ident: TableIdent;
  readonly #manifests: ManifestCache = createManifestCache(MANIFEST_CACHE_ENTRIES);
  readonly #closed = new AbortController();
  #store: TableStore | null = null;
  #binding: TableBinding | null = null;
  /** The table that positions are of. */
  #read: StreamId | null = null;
  #lag: TableLag | null = null;
  /** As it was last loaded. */
  #table: LoadedTable | null = null;
  #hold: ReadHold | null = null;

  constructor(settings: TableSettings, deps: TableSourceDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#split = `${settings.table}/0`;
    this.#ident = parseIdent(settings.table);
  }

  async open(): Promise<void> {
    const { router, isOwn } = this.#deps;
    const { table } = this.#settings;
    this.#binding = router.route(table, table);
    if (this.#binding === null) {
      throw new FrazilError("config", "NO_TABLES", `no entry of tables: matches ${table}, which is read`, {
        hint: `write from: ${table}`,
      });
    }
    if (isOwn && this.#binding.target === table) {
      throw new FrazilError("config", "OWN_TABLE", `table ${table} would be read and written by the same job`, {
        hint: "write to: with another name",
      });
    }
    await this.#waitForTable();
  }

  /** A stack that starts all at once makes the table a little later. */
  async #waitForTable(): Promise<void> {
    const { clock, log } = this.#deps.runtime;
    const untilMs = clock.monotonicMs() + (this.#deps.startLimitMs ?? TABLE_START_LIMIT_MS);
    for (let waits = 0; ; waits++) {
      try {
        this.#store ??= await this.#deps.open();
        await this.#load();
        return;
      } catch (error) {
        const isAbsent = error instanceof FrazilError && (error.kind === "not-found" || error.code === "TABLE_DROPPED");
        if (!isAbsent || clock.monotonicMs() >= untilMs || this.#closed.signal.aborted) throw error;
        if (waits === 0) log.warn("waiting for the table that is read", { table: this.#settings.table });
        await clock.sleep(IDLE_MS, this.#closed.signal);
      }
    }
  }

  async #load(): Promise<LoadedTable> {
    const table = await loadTable(must(this.#store, "the source is open").catalog, this.#ident);
    this.#lag = new TableLag(table);
    this.#table = table;
    return table;
  }

  recall(known: StreamIds): void {
    this.#read ??= known.get(this.#settings.table) ?? null;
  }

  streamIds(): StreamIds {
    return this.#read === null ? new Map() : new Map([[this.#settings.table, this.#read]]);
  }

  #isOther(table: LoadedTable): boolean {
    return this.#read !== null && this.#read.id !== table.metadata.tableUuid;
  }

  /** In which the points of the table count, as it is now. */
  #generation(table: LoadedTable): number {
    return (this.#read?.generation ?? 1) + (this.#isOther(table) ? 1 : 0);
  }

  async startPosition(): Promise<Position> {
    const table = await this.#load();
    const generation = this.#generation(table);
    let start: TablePoint;
    try {
      start = this.#startIn(table, generation);
    } catch (error) {
      // Of no matter where the job's tables hold a position; else reading says it again.
      if (!(error instanceof FrazilError) || error.kind !== "data") throw error;
      start = startOf(generation);
    }
    return new Map([[this.#split, pointText(start)]]);
  }

  #startIn(table: LoadedTable, generation: number): TablePoint {
    const snapshot = startSnapshot(table, this.#settings.from);
    return snapshot === null ? startOf(generation) : pointAt(snapshot, generation, { of: "rows", taken: 0 });
  }

  async endPosition(): Promise<Position> {
    const table = await this.#load();
    const head = currentSnapshot(table.metadata);
    const generation = this.#generation(table);
    const end = head === null ? startOf(generation) : pointAt(head, generation, null);
    return new Map([[this.#split, pointText(end)]]);
  }

  countBetween(from: string, to: string): bigint | null {
    return this.#lag?.between(from, to) ?? null;
  }

  async *read(from: Position, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const { clock } = this.#deps.runtime;
    const outage = new Outage(this.#deps.runtime);
    let point = parsePoint(from.get(this.#split) ?? "0");
    this.#hold = null;
    while (!signal.aborted) {
      try {
        const table = await this.#load();
        const next = this.#goOn(table, point);
        this.#hold ??= this.#holdFrom(next.point);
        await this.#hold?.write(table, false);
        if (next.truncate !== null) yield next.truncate;
        point = next.point;
        for (const step of next.steps) {
          for await (const batch of this.#batches(table, step, point)) {
            if (signal.aborted) return;
            point = parsePoint(batch.ends.get(this.#split) as string);
            yield batch;
          }
        }
        outage.over();
        // More may have come in the meantime.
        if (next.steps.length > 0) continue;
      } catch (error) {
        if (await this.#isGone(error, point)) continue;
        outage.begins(error);
      }
      for (let leftMs = this.#settings.pollMs; leftMs > 0 && !signal.aborted; leftMs -= IDLE_MS) {
        await clock.sleep(Math.min(IDLE_MS, leftMs), signal);
        yield { changes: [], ends: new Map(), records: 0 };
      }
    }
  }

  async acknowledge(position: Position): Promise<void> {
    const point = position.get(this.#split);
    if (this.#hold === null || this.#table === null || point === undefined) return;
    this.#hold.reached(parsePoint(point));
    await this.#hold.write(this.#table, false);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#table !== null) await this.#hold?.write(this.#table, true);
    await this.#store?.catalog.close();
  }

  /** What lies before where reading begins is committed, or not wanted. */
  #holdFrom(point: TablePoint): ReadHold | null {
    const { consumer, runtime } = this.#deps;
    if (consumer === undefined || consumer === null) return null;
    const hold = new ReadHold(must(this.#store, "the source is open"), this.#ident, consumer, runtime);
    hold.reached(point);
    return hold;
  }

  #batches(table: LoadedTable, step: Step, point: TablePoint): AsyncIterable<SourceBatch> {
    const taken = point.snapshotId === step.to.snapshotId ? (point.part?.taken ?? 0) : 0;
    const reading = {
      io: must(this.#store, "the source is open").io,
      manifests: this.#manifests,
      table,
      split: this.#split,
      binding: this.#target,
      generation: point.generation,
      leftOut: (column: string) => this.#deps.notices.leftOut?.(this.#target, column),
    };
    return stepBatches(reading, step, taken);
  }

  get #target(): TableBinding {
    return must(this.#binding, "the source is open");
  }

  /** Whether files were missing because the snapshots that held them have expired meanwhile: the position says so then. */
  async #isGone(error: unknown, point: TablePoint): Promise<boolean> {
    if (!(error instanceof FrazilError) || error.kind !== "not-found") return false;
    const table = await this.#load();
    return this.#isOther(table) || stepsFrom(table, point) === null;
  }

  /**
   * What comes behind a point in the table as it is now. Where the point is not in its history, the table is read anew or the job ends.
   * @throws FrazilError `data`, code `LOST_OFFSETS`
   */
  #goOn(table: LoadedTable, point: TablePoint): Continuation {
    const generation = this.#generation(table);
    const isOther = this.#isOther(table) && point.generation < generation;
    if (isOther && this.#settings.onLostOffsets === "stop") throw otherTable(table, this.#read?.id ?? "another");
    const at = point.snapshotId === null && !isOther ? this.#startIn(table, point.generation) : point;
    const steps = isOther ? null : at.snapshotId === null ? [] : stepsFrom(table, at);
    if (steps !== null) {
      this.#read = { id: table.metadata.tableUuid, generation: at.generation };
      return { point: at, steps, truncate: null };
    }
    if (!isOther && this.#settings.onLostOffsets === "stop") throw lostPoint(table, at);
    const begun = this.#beginAnew(table, point, isOther);
    this.#read = { id: table.metadata.tableUuid, generation: begun.point.generation };
    return begun;
  }

  /** Points behind all that was read: of snapshots that came later, else of the next generation. */
  #beginAnew(table: LoadedTable, lost: TablePoint, isOther: boolean): Continuation {
    const { onLostOffsets } = this.#settings;
    const lineage = lineageOf(table);
    const later = isOther ? [] : lineage.filter(({ sequenceNumber }) => sequenceNumber > lost.sequence);
    const choice = later.length > 0 ? later : lineage;
    const generation = later.length > 0 ? lost.generation : Math.max(lost.generation + 1, this.#generation(table));
    const snapshot = onLostOffsets === "earliest" ? choice[0] : choice.at(-1);
    if (snapshot === undefined) return { point: startOf(generation), steps: [], truncate: null };
    // An append table keeps what it has: another table's rows are new to it, those of the same are not.
    const appends = this.#target.mode === "append";
    const point = pointAt(snapshot, generation, appends && !isOther ? null : { of: "rows", taken: 0 });
    this.#deps.runtime.log.warn("The position is lost, going on with another snapshot", {
      table: this.#settings.table,
      lost: pointText(lost),
      goesOnAt: pointText(point),
    });
    const truncate = appends ? null : this.#truncate(snapshot, pointText(point));
    return { point, steps: stepsFrom(table, point) ?? [], truncate };
  }

  #truncate({ timestampMs }: Snapshot, point: string): SourceBatch {
    const target = { split: this.#split, binding: this.#target, leftOut: () => undefined };
    return {
      changes: [truncateBatch(target, timestampMs, point)],
      ends: new Map([[this.#split, point]]),
      records: 1,
    };
  }
}

/** How reading goes on. */
interface Continuation {
  readonly point: TablePoint;
  readonly steps: readonly Step[];
  /** Comes first: what was read is no longer what the table held. */
  readonly truncate: SourceBatch | null;
}
