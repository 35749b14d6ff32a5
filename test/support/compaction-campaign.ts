import { expect } from "vitest";
import { FrazilError } from "../../src/core/errors.ts";
import { sortArrangement, zOrderArrangement } from "../../src/maintenance/compact/arrangement.ts";
import { type MovedInOrder, runCompaction } from "../../src/maintenance/compact/compact.ts";
import { partitionScope, whereScope } from "../../src/maintenance/compact/file-scope.ts";
import { type CompactPlan, type CompactSettings, planCompaction } from "../../src/maintenance/compact/plan.ts";
import { runCleaning } from "../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../src/maintenance/clean-orphans/plan.ts";
import { planExpiry, runExpiry } from "../../src/maintenance/expire/expire.ts";
import { planManifests, runManifestRewrite } from "../../src/maintenance/rewrite-manifests/rewrite-manifests.ts";
import {
  type Catalog,
  type CommitOutcome,
  createManifestCache,
  currentSchema,
  type LoadedTable,
} from "../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "./checkpoints.ts";
import { type ForeignRow, ForeignWriter } from "./foreign-writer.ts";
import { filesOf, IDENT, loaded } from "./maintenance.ts";
import { tableRows } from "./table-rows.ts";
import type { OtherWriter } from "./upsert-engines.ts";
import { seededRandom, type VirtualRuntime, virtualRuntime } from "./virtual-runtime.ts";

class Crash extends Error {}

/** What a campaign has done, so that a test can tell that it did anything. */
export interface CampaignCounts {
  checkpoints: number;
  compactions: number;
  permuted: number;
  crashes: number;
  expiries: number;
  foreign: number;
  /** Rewrites of manifests. */
  manifests: number;
  /** Files that a clean-up deleted. */
  orphans: number;
  remapped: number;
  /** Compactions that made several files. */
  spread: number;
  /** Compactions of which the job was told where rows went. */
  followed: number;
}

export function noCounts(): CampaignCounts {
  return {
    checkpoints: 0,
    compactions: 0,
    permuted: 0,
    crashes: 0,
    expiries: 0,
    foreign: 0,
    manifests: 0,
    orphans: 0,
    remapped: 0,
    spread: 0,
    followed: 0,
  };
}

/** Errors that a table service ends with when others were quicker; it is run again. */
const EXPECTED = new Set(["EPOCH_CHANGED", "TAG_MOVED", "COMMIT_CONFLICT", "COMMIT_UNKNOWN", "ROLLED_BACK"]);
/** What stands still is the store's time: all files count as old, but while something else is at work. */
const ALL_OLD_MS = -1_000_000;
const DAY_MS = 86_400_000;

/**
 * One table under a job, compactions of every kind, rewrites of manifests, expiries, clean-ups and another engine, each of which may crash at any step and lose answers:
 * `commands` commands drawn from a seed, after which the rows must be those of a map, and every snapshot must have its files.
 */
export async function runCampaign(
  seed: number,
  commands: number,
  counts: CampaignCounts,
  place: CampaignPlace | null = null,
): Promise<void> {
  const campaign = await Campaign.start(seed, counts, place);
  for (let at = 0; at < commands; at++) {
    await campaign.command();
    if (place !== null && at % place.otherEvery === place.otherEvery - 1) await campaign.foreign();
  }
  await campaign.end();
}

/** Where a campaign runs, with whom; by default in memory, where another engine is simulated. */
export interface CampaignPlace {
  readonly warehouse: Warehouse;
  readonly nowMs: () => number;
  /** Who else writes to the table `shop.a`, once it is there. */
  readonly other: (formatVersion: 2 | 3) => OtherWriter;
  /** After so many commands it does. */
  readonly otherEvery: number;
}

class Campaign {
  readonly #random: { uint32(): number };
  readonly #warehouse: Warehouse;
  readonly #rules: ReturnType<typeof upsertRule>[];
  readonly #other: OtherWriter | null;
  readonly #given: CampaignPlace | null;
  readonly #counts: CampaignCounts;
  readonly #seed: number;
  /** The source: the job reads it from its position on. */
  readonly #log: string[] = [];
  readonly #foreignRows = new Map<number, number>();
  readonly #plans: CompactPlan[] = [];
  /** Of all services: manifests never change. */
  readonly #manifests = createManifestCache(1_000);
  #process: Process;
  #runs = 0;
  #depth = 0;

  private constructor(
    seed: number,
    counts: CampaignCounts,
    {
      warehouse,
      rule,
      given,
    }: {
      readonly warehouse: Warehouse;
      readonly rule: ReturnType<typeof upsertRule>;
      readonly given: CampaignPlace | null;
    },
  ) {
    this.#seed = seed;
    this.#given = given;
    this.#random = seededRandom(seed);
    this.#warehouse = warehouse;
    this.#rules = [rule];
    this.#counts = counts;
    // The simulated engine knows no partitions, and deletes with vectors.
    const plain = rule.partitionBy.length === 0 && rule.formatVersion === 3;
    this.#other = given?.other(rule.formatVersion) ?? (plain ? simulated(new ForeignWriter(warehouse, "a")) : null);
    this.#process = undefined as unknown as Process;
  }

  static async start(seed: number, counts: CampaignCounts, given: CampaignPlace | null): Promise<Campaign> {
    const warehouse = given?.warehouse ?? memoryWarehouse(seed % 4 === 0 ? "object-store" : "memory");
    const rule = upsertRule("a", {
      formatVersion: seed % 3 === 0 ? 2 : 3,
      partitionBy: seed % 5 < 2 ? ["part"] : [],
      sortBy: seed % 7 < 3 ? ["part", "value desc"] : null,
    });
    const campaign = new Campaign(seed, counts, { warehouse, rule, given });
    await campaign.#restart();
    campaign.#log.push("+0:x:0", "+1:y:1");
    while ((await warehouse.catalog.loadTable(IDENT)) === null) await campaign.#checkpoint();
    return campaign;
  }

  async command(): Promise<void> {
    const draw = this.#draw(100);
    if (draw < 74) this.#change();
    else if (draw < 83) await this.#checkpoint();
    else if (draw < 88) await this.#plan();
    else if (draw < 94) await this.#compact();
    else if (draw < 96) await this.#expire();
    else if (draw < 97) await this.#rewriteManifests();
    else if (draw < 98) await this.#clean();
    else if (draw < 99) await this.foreign();
    else await this.#restart();
  }

  /** The job catches up, and all is compared. */
  async end(): Promise<void> {
    await this.#restart();
    while (Number(this.#process.reached.get("t/0")) < this.#log.length) await this.#checkpoint();
    await this.#plan();
    await this.#compact();
    await this.check();
    const { metadata } = await loaded(this.#warehouse);
    for (const file of await filesOf(this.#warehouse.io, metadata, metadata.snapshots, this.#manifests)) {
      expect(await this.#warehouse.io.stat(file), `${this.#seed}: ${file}`).not.toBeNull();
    }
  }

  async check(): Promise<void> {
    const rows = new Map<number, string>();
    const reached = Number(this.#process.reached.get("t/0"));
    for (const text of this.#log.slice(0, reached)) {
      const { op, id, part, value } = change("a", text);
      if (op === "delete") rows.delete(Number(id));
      else rows.set(Number(id), `${id}|${part}|${value}`);
    }
    for (const [id, value] of this.#foreignRows) rows.set(id, `${id}|f|${value}`);
    const found = await tableRows(this.#warehouse.io, this.#warehouse.catalog, IDENT);
    expect(found, `seed ${this.#seed} at ${reached}`).toEqual([...rows.values()].toSorted());
  }

  #draw(below: number): number {
    return this.#random.uint32() % below;
  }

  #change(): void {
    const id = this.#draw(12);
    const part = "xyz"[this.#draw(3)] as string;
    this.#log.push(this.#draw(4) === 0 ? `-${id}` : `~${id}:${part}:${this.#draw(50)}`);
  }

  async #checkpoint(): Promise<void> {
    const from = Number(this.#process.reached.get("t/0"));
    const upTo = Math.min(this.#log.length, from + 20);
    if (upTo === from) return;
    this.#counts.checkpoints++;
    const crashAt = this.#draw(12) === 0 ? this.#draw(9) : -1;
    this.#crashAfter(this.#process.runtime, crashAt);
    try {
      await this.#process.checkpoint(this.#log.slice(from, upTo).map((text) => change("a", text)));
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await this.#restart();
    } finally {
      this.#process.runtime.onStep = () => undefined;
    }
  }

  async #restart(): Promise<void> {
    this.#process = await Process.start(this.#warehouse, this.#rules, this.#seed * 1_000 + this.#runs++);
    if (this.#given !== null) this.#process.runtime.clock.nowMs = this.#given.nowMs;
  }

  #crashAfter(runtime: VirtualRuntime, steps: number): void {
    let left = steps;
    runtime.onStep = (name) => {
      if (left-- !== 0) return;
      this.#counts.crashes++;
      throw new Crash(name);
    };
  }

  async #plan(): Promise<void> {
    const table = await loaded(this.#warehouse);
    this.#plans.push(
      await planCompaction(
        this.#place(() => undefined),
        table,
        this.#settings(table),
      ),
    );
    if (this.#plans.length > 3) this.#plans.shift();
  }

  #settings({ metadata }: LoadedTable): CompactSettings {
    const schema = currentSchema(metadata);
    const minFiles = 2 + this.#draw(2);
    const kind = this.#draw(6);
    const partitioned = metadata.partitionSpecs.some(({ fields }) => fields.length > 0);
    return {
      // Now and then so small that a sorted rewrite makes several files.
      targetSizeBytes: kind < 2 && this.#draw(4) !== 0 ? 40 : 1 << 20,
      minFiles,
      arrangement:
        kind === 0
          ? sortArrangement(metadata, schema, ["value desc nulls last", "id"])
          : kind === 1
            ? zOrderArrangement(schema, ["id", "value"])
            : kind === 2 && metadata.defaultSortOrderId !== 0
              ? sortArrangement(metadata, schema, null)
              : undefined,
      scope:
        kind === 3
          ? whereScope(metadata, "part = 'x' or value > 25", 0)
          : kind === 4 && partitioned
            ? partitionScope(metadata, "part=y")
            : undefined,
      oldSpecs: this.#draw(2) === 0,
      ...(this.#draw(3) === 0 ? { maxBytes: 4_000 } : {}),
      // Now and then so little that every batch becomes a run.
      ...(this.#draw(4) === 0 ? { memoryBytes: 512 } : {}),
    };
  }

  async #compact(): Promise<void> {
    const [plan] = this.#plans.splice(this.#draw(Math.max(1, this.#plans.length)), 1);
    if (plan === undefined) return;
    const place = this.#place(async () => {
      if (this.#depth > 0 || this.#draw(5) !== 0) return;
      this.#depth++;
      this.#change();
      this.#change();
      const what = this.#draw(10);
      if (what === 0) await this.#expire();
      else if (what === 1) await this.#rewriteManifests();
      else if (what === 2) await this.#clean();
      else if (what === 3) await this.foreign();
      else await this.#checkpoint();
      this.#depth--;
    });
    this.#crashAfter(place.runtime, this.#draw(6) === 0 ? this.#draw(8) : -1);
    // Of every other seed in the job's own process, whose next checkpoint follows the rows.
    const moved =
      this.#seed % 2 === 0
        ? (rows: MovedInOrder): void => {
            this.#process.checkpointer.moved(IDENT, rows);
            this.#counts.followed++;
          }
        : undefined;
    try {
      for await (const done of runCompaction(place, plan, { pin: this.#draw(2) === 0, moved })) {
        if (done.snapshotId === null) continue;
        this.#counts.compactions++;
        if (done.orderKept === false) this.#counts.permuted++;
        if (done.filesAfter > 1) this.#counts.spread++;
        const { metadata } = await loaded(this.#warehouse);
        const snapshot = metadata.snapshots.find(({ snapshotId }) => snapshotId === done.snapshotId);
        const landed = snapshot?.summary.get("added-position-deletes");
        if (landed !== undefined) this.#counts.remapped++;
      }
    } catch (error) {
      forgive(error);
    }
    if (this.#depth === 0) await this.check();
  }

  async #expire(): Promise<void> {
    const place = this.#place(() => undefined);
    this.#crashAfter(place.runtime, this.#draw(4) === 0 ? this.#draw(3) : -1);
    try {
      const policy = { minSnapshotsToKeep: 1 + this.#draw(3), maxSnapshotAgeMs: -1_000_000n };
      const plan = await planExpiry(place, await loaded(this.#warehouse), policy);
      await runExpiry(place, plan);
      this.#counts.expiries++;
    } catch (error) {
      forgive(error);
    }
  }

  async #rewriteManifests(): Promise<void> {
    const place = this.#place(() => undefined);
    this.#crashAfter(place.runtime, this.#draw(4) === 0 ? this.#draw(3) : -1);
    try {
      const plan = await planManifests(place, await loaded(this.#warehouse));
      const { snapshotId } = await runManifestRewrite(place, plan);
      if (snapshotId !== null) this.#counts.manifests++;
    } catch (error) {
      forgive(error);
    }
    if (this.#depth === 0) await this.check();
  }

  async #clean(): Promise<void> {
    const place = this.#place(() => undefined);
    this.#crashAfter(place.runtime, this.#draw(4) === 0 ? this.#draw(3) : -1);
    try {
      const settings = { olderThanMs: this.#depth === 0 ? ALL_OLD_MS : DAY_MS, locations: [] };
      const { deleted } = await runCleaning(place, await planOrphans(place, await loaded(this.#warehouse), settings));
      this.#counts.orphans += deleted.length;
    } catch (error) {
      forgive(error);
    }
  }

  /** Somebody else changes one of his rows, or rewrites all files. */
  async foreign(): Promise<void> {
    if (this.#other === null) return;
    this.#counts.foreign++;
    const id = 1_000 + this.#draw(6);
    const value = this.#draw(50);
    if (this.#draw(4) === 0) {
      await this.#other.rewrite();
      return;
    }
    const gone = this.#foreignRows.has(id) ? [{ id: BigInt(id) }] : [];
    await this.#other.replace(gone, [{ id: BigInt(id), part: "f", value: BigInt(value) }]);
    this.#foreignRows.set(id, value);
  }

  /** What a table service of another process has: it loses answers, and others commit before its requests. */
  #place(before: () => Promise<void> | undefined) {
    const runtime = virtualRuntime(this.#seed * 1_000 + this.#runs++);
    const { io, location = "mem://w" } = this.#warehouse;
    const catalog = this.#faulty(before);
    if (this.#given !== null) runtime.clock.nowMs = this.#given.nowMs;
    return { catalog, io, runtime, manifests: this.#manifests, warehouseLocation: location };
  }

  #faulty(before: () => Promise<void> | undefined): Catalog {
    const { catalog } = this.#warehouse;
    const commit = async (...given: Parameters<Catalog["commit"]>): Promise<CommitOutcome> => {
      await before();
      const fate = this.#draw(20);
      if (fate === 0) return { outcome: "unknown", cause: new Error("lost before the effect") };
      const outcome = await catalog.commit(...given);
      return fate === 1 ? { outcome: "unknown", cause: new Error("lost after the effect") } : outcome;
    };
    const loadTable = async (...given: Parameters<Catalog["loadTable"]>) => {
      await before();
      return catalog.loadTable(...given);
    };
    return new Proxy(catalog, {
      get(target, property) {
        if (property === "commit") return commit;
        if (property === "loadTable") return loadTable;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

function simulated(writer: ForeignWriter): OtherWriter {
  return {
    replace(gone, added) {
      const rows = added.map(({ id, part, value }): ForeignRow => ({
        id: id as bigint,
        part: part as string,
        value: value as bigint,
      }));
      const ids = gone.map(({ id }) => id as bigint);
      return ids.length === 0 ? writer.append(rows) : writer.replace(ids, rows);
    },
    rewrite: () => writer.compact(),
  };
}

/** Crashes and lost races are part of it; everything else is a fault. */
function forgive(error: unknown): void {
  if (error instanceof Crash) return;
  if (error instanceof FrazilError && EXPECTED.has(error.code)) return;
  throw error;
}
