import {
  type Catalog,
  createManifestCache,
  type FileIO,
  ObjectStoreCatalog,
  parseTableMetadata,
  type TableMetadata,
} from "../../../table-format/index.ts";
import type { CommitContext } from "../../../src/commit/context.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import { randomUuid } from "../../../src/core/runtime.ts";
import { catalogClient, catalogServer } from "./catalog-server.ts";
import { Changelog, type LoggedChange, type TableName, TABLES } from "./changelog.ts";
import { CrashDraws } from "./crash-points.ts";
import { storeUncompressed } from "./codecs.ts";
import { type Disk, newDisks } from "./disk.ts";
import { Faults } from "./faults.ts";
import { clientOf, Network } from "./network.ts";
import { ObjectStore } from "./object-store.ts";
import { accountsSum, checkSnapshot, Oracle, Violation } from "./oracle.ts";
import { type Fate, ProcessDied, SimProcess } from "./process.ts";
import type { ProtocolEvent } from "../../model/events.ts";
import { ProtocolLog } from "./protocol-log.ts";
import { type Draw, Scheduler } from "./scheduler.ts";
import type { Part, Settings } from "./settings.ts";

export const LOCATION = "s3://sim/w";
export const PIPELINE = "sim";
/** The branch that the job writes to, where it does not write to `main`. */
export const BRANCH = "staging";
const NAMESPACE = "shop";
/** Machines that processes of the job run on, one after the other, each with a disk of its own. */
const MACHINES = 2;
const START_MS = Date.UTC(2026, 0, 1);

/** What a process has of the outside. */
export interface Place extends Omit<CommitContext, "pipeline" | "comparePoints"> {
  readonly process: SimProcess;
}

export interface SimulationOptions {
  /** Keep the lines of the trace. */
  readonly trace?: boolean;
  /** Compare every snapshot as soon as it is there, not some. */
  readonly everySnapshot?: boolean;
}

/** The world of one seed: servers, network, source and those who watch. Who acts in it is in `actors/`. */
export class Simulation {
  readonly settings: Settings;
  readonly scheduler: Scheduler;
  readonly store: ObjectStore;
  readonly network: Network;
  readonly changelog: Changelog;
  readonly oracle: Oracle;
  readonly log: ProtocolLog;
  readonly draw: Draw;
  /** What happened, by name: faults, crashes, runs of services. */
  readonly counts: Map<string, number>;
  readonly crashes = new Map<string, number>();
  /** Numbers of the checkpoints that have been committed. */
  readonly checkpoints = new Set<bigint>();
  readonly processes: SimProcess[] = [];
  /** Nothing goes wrong any more. */
  calm = false;
  /** How much of the log came before rows went back that may have been acknowledged; null: none have. */
  #wentBackAt: number | null = null;
  /** Somebody has set `main` back by hand; `brokenTables` are to be mended yet. */
  setBack = false;
  brokenTables = 0;
  /** The job sleeps, and nobody takes over. */
  asleep = false;
  failure: Error | null = null;
  /** Told of each point that a process comes to. */
  onPoint: (process: SimProcess, point: string) => void = () => undefined;
  readonly #crashDraws: CrashDraws;
  readonly #server: Catalog;
  readonly #manifests = createManifestCache(2_000);
  readonly #everySnapshot: boolean;
  readonly #disks: readonly Disk[];
  #diskFullUntilMs = 0;
  #checkedIn = 0;
  #snapshots = 0;
  #isWatched = true;

  constructor(settings: Settings, { trace = false, everySnapshot = false }: SimulationOptions = {}) {
    storeUncompressed();
    this.settings = settings;
    this.scheduler = new Scheduler(settings.seed, START_MS, trace);
    this.store = new ObjectStore(() => this.scheduler.nowMs);
    const faults = new Faults(settings.rates, this.scheduler.stream("faults"));
    this.counts = faults.counts;
    this.network = new Network(faults, this.scheduler.stream("network"));
    this.changelog = new Changelog(this.scheduler.stream("changelog"));
    this.changelog.hasBulk = this.has("key-cache");
    this.oracle = new Oracle(this.changelog, PIPELINE);
    this.log = new ProtocolLog(
      PIPELINE,
      (table) => this.oracle.tables.get(table as TableName)?.metadata ?? null,
      this.has("branch") ? BRANCH : "main",
    );
    this.draw = this.scheduler.stream("simulation");
    this.#crashDraws = new CrashDraws(settings.seed);
    this.#server = catalogServer(this.scheduler, this.store, LOCATION, (tables) => {
      try {
        for (const { metadataLocation, metadata } of tables) this.#swapped(metadataLocation, metadata);
        this.#checkHeads();
      } catch (error) {
        this.fail(error);
      }
    });
    this.#everySnapshot = everySnapshot;
    const draw = this.scheduler.stream("disks");
    this.#disks = newDisks(MACHINES, { next: (act) => this.#diskFault(draw, act) });
    this.store.watch = (change, location) => this.#watched(change, location);
  }

  has(part: Part): boolean {
    return this.settings.parts.has(part);
  }

  get snapshots(): number {
    return this.#snapshots;
  }

  /** An operator, or somebody who sets `main` back, takes rows back from now on that may have been acknowledged. */
  rowsGoBack(): void {
    this.#wentBackAt ??= this.log.events.length;
  }

  get rolledBack(): boolean {
    return this.#wentBackAt !== null;
  }

  /** What happened before any rows went back: a run of the protocol that the model explores. */
  get eventsBefore(): readonly ProtocolEvent[] {
    return this.#wentBackAt === null ? this.log.events : this.log.events.slice(0, this.#wentBackAt);
  }

  get hours(): number {
    return (this.scheduler.nowMs - START_MS) / 3_600_000;
  }

  fail(error: unknown): void {
    if (error instanceof ProcessDied) return;
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  count(what: string): void {
    this.network.faults.count(what);
  }

  /** Starts a process; `onCrash` is told when it dies at a point. */
  start(name: string, onCrash: () => void = () => undefined): Place {
    const draw = this.scheduler.stream(`${name} fate`);
    const skewMs = this.has("skew") ? draw.between(-600_000, 600_000) : 0;
    const isMortal = !draw.oneIn(3);
    const fate: Fate = (each, point, nth) => {
      this.onPoint(each, point);
      return this.has("crashes") && !this.calm && this.#crashDraws.dies(draw, point, nth, isMortal);
    };
    const process = new SimProcess(this.scheduler, name, skewMs, fate, (point) => {
      this.crashes.set(point, (this.crashes.get(point) ?? 0) + 1);
      this.log.events.push({ event: "crash", process: name });
      onCrash();
    });
    this.log.events.push({ event: "start", process: name });
    this.processes.push(process);
    this.scheduler.note(`${name} starts`);
    const io = clientOf(this.store, this.network, process);
    return {
      process,
      io,
      catalog: this.log.watch(this.#catalogOf(process, io), name),
      manifests: createManifestCache(1_000),
      warehouseLocation: LOCATION,
      runtime: process.runtime,
    };
  }

  /** Where a process of the job keeps keys that do not fit in memory; undefined: all have to fit. */
  keyCacheOf(process: SimProcess): string | undefined {
    if (!this.has("key-cache")) return undefined;
    return (this.#disks[process.draw.oneIn(3) ? 1 : 0] as Disk).mount(process);
  }

  /** Something happens to a disk, whoever uses it. */
  damageDisk(draw: Draw): void {
    const damage = draw.pick(this.#disks).damage(draw);
    if (damage === null) return;
    this.count(`cache damaged: ${damage}`);
    this.scheduler.note(`a disk is damaged: ${damage}`);
  }

  #diskFault(draw: Draw, act: string): "EIO" | "ENOSPC" | "EMFILE" | null {
    const chance = draw.below(400);
    if (act === "rename") this.count("sidecars written");
    if (this.calm) return null;
    if (chance === 0) this.#diskFullUntilMs = this.scheduler.nowMs + draw.between(1_000, 60_000);
    const fault =
      act === "write" && this.scheduler.nowMs < this.#diskFullUntilMs
        ? "ENOSPC"
        : chance === 1
          ? "EIO"
          : chance === 2 && act === "open"
            ? "EMFILE"
            : null;
    if (fault !== null) this.count(`cache ${fault}`);
    return fault;
  }

  /** The snapshot of a table that the job has come to; null: none. */
  headOf({ refs, currentSnapshotId }: TableMetadata): bigint | null {
    return this.has("branch") ? (refs.get(BRANCH)?.snapshotId ?? currentSnapshotId) : currentSnapshotId;
  }

  /** The store and the catalog as the audit sees them. */
  direct(): { readonly io: FileIO; readonly manifests: CommitContext["manifests"] } {
    return { io: this.store.direct(), manifests: this.#manifests };
  }

  #catalogOf(process: SimProcess, io: FileIO): Catalog {
    if (this.settings.catalog === "server") return catalogClient(this.#server, this.network, process);
    const { clock, random } = process.runtime;
    return new ObjectStoreCatalog("sim", io, LOCATION, { nowMs: () => clock.nowMs(), uuid: () => randomUuid(random) });
  }

  /** What somebody does to the store himself, which is no commit of anybody. */
  unwatched(act: () => void): void {
    this.#isWatched = false;
    act();
    this.#isWatched = true;
  }

  #watched(change: "put" | "delete", location: string): void {
    if (!this.#isWatched) return;
    try {
      if (change === "put" && location.endsWith("/version-hint.text")) this.#hintSwapped(location);
      else if (change === "put" && location.endsWith("/ledger.json")) this.#ledgerSwapped(location);
    } catch (error) {
      this.fail(error);
    }
  }

  #hintSwapped(location: string): void {
    const folder = location.slice(0, -"version-hint.text".length);
    const hint = Buffer.from(this.store.get(location)?.bytes ?? []).toString();
    this.#swapped(`${folder}${hint}.metadata.json`, null);
  }

  /** A table has got this metadata file. */
  #swapped(metadataLocation: string, parsed: TableMetadata | null): void {
    const table = /\/shop\/([a-z]+)\/metadata\//.exec(metadataLocation)?.[1] as TableName;
    const bytes = this.store.get(metadataLocation)?.bytes;
    if (bytes === undefined) throw new Violation("metadata missing", metadataLocation);
    const metadata = parsed ?? parseTableMetadata(bytes, metadataLocation);
    const before = this.oracle.tables.get(table)?.metadata ?? null;
    const fresh = this.oracle.swapped(table, metadata);
    this.log.swapped(table, before, metadata, fresh);
    this.#snapshots += fresh.length;
    for (const snapshot of fresh) {
      if (!this.#everySnapshot && this.#checkedIn++ % 8 !== 7) continue;
      checkSnapshot(this.store.direct(), this.oracle, table, snapshot, this.#manifests).catch((error: unknown) =>
        this.fail(error),
      );
    }
  }

  /** Where one commit spans all tables, they agree at any time. */
  #checkHeads(): void {
    // By hand one table goes back without the others, until an operator mends it.
    if (this.setBack) return;
    for (const headOf of [({ currentSnapshotId }: TableMetadata) => currentSnapshotId, this.headOf.bind(this)]) {
      const heads = new Map<TableName, bigint>();
      for (const [table, { metadata }] of this.oracle.tables) {
        const head = headOf(metadata);
        if (head !== null) heads.set(table, head);
      }
      this.#checkSum(heads);
      // `main` and the branch, where there is one: each is a consistent cut.
      if (!this.has("branch")) return;
    }
  }

  #ledgerSwapped(location: string): void {
    const text = Buffer.from(this.store.get(location)?.bytes ?? []).toString();
    const ledger = JSON.parse(text) as {
      epoch: string;
      checkpoint: string;
      position: string;
      tables: Record<string, string>;
    };
    const position = new Map(
      Object.entries(JSON.parse(ledger.position) as Record<string, string>).map(([split, at]) => [split, Number(at)]),
    );
    this.log.events.push({
      event: "ledger applied",
      process: `epoch ${ledger.epoch}`,
      epoch: Number(ledger.epoch),
      checkpoint: Number(ledger.checkpoint),
      position: Object.fromEntries(position),
      tables: Object.fromEntries(Object.entries(ledger.tables).map(([name, id]) => [tableOf(name), id])),
    });
    const cut = new Map<TableName, bigint>();
    for (const [name, id] of Object.entries(ledger.tables)) {
      const table = tableOf(name);
      cut.set(table, BigInt(id));
      if (position.size === 0) continue;
      const { position: held } = this.oracle.expected(table, BigInt(id));
      // A table that is opened later than at the cut is empty of the time before: it holds nothing that the cut lacks.
      const concerns = (change: LoggedChange): boolean => change.table === table;
      for (const [split, end] of held) {
        const beyond = this.changelog.splits.get(split)?.slice(position.get(split) ?? 0, end) ?? [];
        if (beyond.some(concerns)) {
          throw new Violation(
            "cut behind a table",
            `${table} holds ${split} up to ${end}, the cut is ${position.get(split)}`,
          );
        }
      }
      for (const [split, end] of position) {
        const between = (this.changelog.splits.get(split) ?? []).slice(held.get(split) ?? 0, end);
        if (between.some(concerns)) {
          throw new Violation("cut ahead of a table", `${table} lacks changes of ${split} up to ${end}`);
        }
      }
    }
    if (position.size > 0) this.#checkSum(cut);
  }

  /** Money goes from account to account; none comes or goes. */
  #checkSum(cut: ReadonlyMap<TableName, bigint>): void {
    const [a, b] = (["a", "b"] as const).map((table) => {
      const id = cut.get(table);
      return id === undefined ? null : this.oracle.expected(table, id);
    });
    if (a === null || b === null || a === undefined || b === undefined) return;
    const splits = new Set([...a.position.keys(), ...b.position.keys()]);
    const isOpen = (split: string) => [a, b].some(({ position }) => (position.get(split) ?? 0) > 0);
    const wanted = [...splits].filter(isOpen).length * Changelog.splitSum;
    const found = accountsSum(a) + accountsSum(b);
    if (wanted !== found) throw new Violation("torn cut", `the accounts hold ${found}, expected ${wanted}`);
  }

  /** Compares all heads, and every `every`-th older snapshot; every file that a held snapshot needs must be there. */
  async audit(every: number): Promise<void> {
    const { io, manifests } = this.direct();
    for (const table of TABLES) {
      const held = this.oracle.tables.get(table);
      if (held === undefined) continue;
      for (const [index, snapshot] of held.metadata.snapshots.entries()) {
        const { currentSnapshotId } = held.metadata;
        const isHead = [currentSnapshotId, this.headOf(held.metadata)].includes(snapshot.snapshotId);
        if (!isHead && index % every !== 0) continue;
        await checkSnapshot(io, this.oracle, table, snapshot, isHead ? createManifestCache(0) : manifests);
      }
    }
  }
}

function tableOf(name: string): TableName {
  return name.slice(`${NAMESPACE}.`.length) as TableName;
}

/** The codes that say that somebody else was quicker, or that a server was away. */
export function isExpected(error: unknown): boolean {
  return error instanceof FrazilError && ["unavailable", "io", "conflict", "fenced"].includes(error.kind);
}
