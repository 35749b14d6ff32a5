import { FrazilError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Source, SourceBatch } from "../../core/source.ts";
import type { TableBinding, TableRouter } from "../../core/table-binding.ts";
import type { GeneratorSettings } from "./config.ts";
import { ShopRows } from "./rows.ts";
import { SHOP_TABLES } from "./shop.ts";
import { ShopWalk } from "./shop-walk.ts";

/** Events per pull: small enough that a checkpoint can close between two. */
const EVENTS_PER_PULL = 4096;

/** How long the end is waited on between two empty pulls. */
const IDLE_MS = 500;

/** A rate is kept in steps of this length. */
const RATE_TICK_MS = 50;

export interface GeneratorDeps {
  readonly router: TableRouter;
  readonly runtime: Pick<Runtime, "clock">;
}

/**
 * A seeded changelog of a shop: customers and orders with inserts, updates, deletes, changes of key and deletes of unknown keys, and an
 * append-only table of what happened to orders. The same settings give the same changes from any point on. A point is the number of
 * events of the split taken so far, in decimal.
 */
export function createGeneratorSource(settings: GeneratorSettings, { router, runtime }: GeneratorDeps): Source {
  const names = Array.from({ length: settings.splits }, (_, split) => `generator/${split}`);
  let bindings: readonly (TableBinding | null)[] = [];
  const endOf = (split: number): number => Math.max(0, Math.ceil((settings.events - split) / settings.splits));
  const positionAt = (point: (split: number) => number): Position =>
    new Map(names.map((name, split) => [name, String(point(split))]));

  /** Takes up to `budget` events, always the earliest one of all splits. */
  function take(lanes: readonly SplitLane[], budget: number): SourceBatch {
    const moved = new Set<SplitLane>();
    const times = new Map<string, number>();
    let records = 0;
    for (; records < budget; records++) {
      const lane = earliest(lanes);
      if (lane === null) break;
      const sequence = lane.walk.sequence;
      for (const change of lane.walk.next()) {
        if (bindings[change.table] != null) lane.rows[change.table]?.add(change, lane.walk.point, sequence);
      }
      moved.add(lane);
      // The rows tell of a past of their own; an event happens when it is made.
      times.set(lane.name, runtime.clock.nowMs());
    }
    const changes = lanes.flatMap(({ rows }) =>
      rows.flatMap((table, index) => {
        const binding = bindings[index];
        return table.length === 0 || binding == null ? [] : [table.finish(binding.table)];
      }),
    );
    const ends = new Map([...moved].map(({ name, walk }) => [name, String(walk.point)]));
    return { changes, ends, records, times };
  }

  async function* read(from: Position, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const lanes = names.map((name, split): SplitLane => {
      const walk = new ShopWalk(settings.seed, split, settings.splits);
      walk.skipTo(Math.min(pointNumber(name, from.get(name) ?? "0"), endOf(split)));
      return {
        name,
        walk,
        end: endOf(split),
        rows: SHOP_TABLES.map((_, table) => new ShopRows(settings.seed, table, name)),
      };
    });
    const { clock } = runtime;
    const startMs = clock.monotonicMs();
    let taken = 0;
    const due = (): number =>
      settings.rate === null ? Infinity : ((clock.monotonicMs() - startMs) * settings.rate) / 1000 - taken;
    const tick = settings.rate === null ? 0 : Math.max(1, (settings.rate * RATE_TICK_MS) / 1000);
    while (!signal.aborted) {
      const budget = due();
      if (earliest(lanes) === null) {
        await clock.sleep(IDLE_MS, signal);
        yield { changes: [], ends: new Map(), records: 0 };
      } else if (budget < tick) {
        await clock.sleep(Math.min(RATE_TICK_MS, ((tick - budget) * 1000) / (settings.rate ?? 1)), signal);
      } else {
        const batch = take(lanes, Math.min(EVENTS_PER_PULL, Math.floor(budget)));
        taken += batch.records;
        yield batch;
      }
    }
  }

  return {
    async open() {
      bindings = SHOP_TABLES.map(({ stream }) => router.route(stream, stream));
      if (bindings.every((binding) => binding === null)) {
        throw new FrazilError("config", "NO_TABLES", "no entry of tables: matches a table of the generator", {
          hint: `its tables are ${SHOP_TABLES.map(({ stream }) => stream).join(", ")}`,
        });
      }
      for (const [table, binding] of bindings.entries()) if (binding !== null) checkColumns(table, binding);
    },
    startPosition: async () => positionAt(() => 0),
    endPosition: async () => positionAt(endOf),
    read,
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => {},
    close: async () => {},
  };
}

interface SplitLane {
  readonly name: string;
  readonly walk: ShopWalk;
  /** The point at which the changelog ends. */
  readonly end: number;
  /** By `Shop`'s numbers. */
  readonly rows: readonly ShopRows[];
}

function earliest(lanes: readonly SplitLane[]): SplitLane | null {
  let found: SplitLane | null = null;
  for (const lane of lanes) {
    if (lane.walk.point < lane.end && (found === null || lane.walk.sequence < found.walk.sequence)) found = lane;
  }
  return found;
}

function pointNumber(split: string, point: string): number {
  if (/^\d{1,15}$/.test(point)) return Number(point);
  throw new FrazilError("data", "BAD_POSITION", `expected a number of events as the point of ${split}, found ${point}`);
}

/** The generator's types are part of what it is: `columns:` cannot change them. */
function checkColumns(table: number, { columns, target }: TableBinding): void {
  const known = SHOP_TABLES[table]?.fields ?? [];
  for (const [name, type] of columns) {
    const field = known.find((candidate) => candidate.name === name);
    if (field !== undefined && JSON.stringify(field.type) === JSON.stringify(type)) continue;
    const problem = field === undefined ? "the generator has no such column" : "the generator has another type for it";
    throw new FrazilError("config", "GENERATOR_COLUMN", `columns of ${target} name ${name}: ${problem}`, {
      hint: `its columns are ${known.map((candidate) => candidate.name).join(", ")}`,
    });
  }
}
