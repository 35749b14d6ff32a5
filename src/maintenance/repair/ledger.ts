import { type Ledger, LedgerStore } from "../../commit/ledger.ts";
import { samePosition } from "../../commit/merge-position.ts";
import { ledgerLocation } from "../../commit/names.ts";
import { type PipelinePlace, type PipelineTable, readPipeline } from "../../commit/read-pipeline.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Source } from "../../core/source.ts";
import { verifyPipeline } from "../verify/pipeline.ts";
import { NOTHING, type RepairPlan } from "./repair.ts";

/**
 * A ledger that is gone, broken, or at odds with the tables, written anew from their tags. It claims no more than they prove: their
 * position where all agree, else none, and then each table goes on from its own. The anchor stays what it was; of a ledger that is gone
 * the table with the highest checkpoint takes its place, since the anchor is part of every commit.
 */
export async function planLedgerRepair(place: PipelinePlace, compare: Source["comparePoints"]): Promise<RepairPlan> {
  const { catalog, io, pipeline, warehouseLocation } = place;
  if (catalog.atomicAcrossTables || catalog.claims) return NOTHING;
  const findings = await verifyPipeline(place, compare);
  const wrong = findings.filter(({ hint }) => hint.includes("frazil repair"));
  if (wrong.length === 0) return NOTHING;
  const location = ledgerLocation(warehouseLocation, pipeline);
  const held = await io.readTagged(location);
  const before = await readOrNull(new LedgerStore(io, warehouseLocation, pipeline));
  // A ledger that cannot be read keeps the pipeline from being read.
  const tables = (await readPipeline({ ...place, io: before === null ? without(place.io, location) : place.io }))
    .tables;
  const tagged = tables.filter((table) => table.tagged !== null);
  if (tagged.length === 0 || tagged.length < tables.length) {
    const hint = "put the tags right first: frazil repair <table>";
    return { repairs: [], refusals: [{ table: pipeline, problem: "a table of the pipeline has lost its tag", hint }] };
  }
  const ledger = ledgerOf(tagged, before);
  const agrees =
    ledger.position.size > 0
      ? "the position that all tables have"
      : "no position: the tables differ, and each goes on from its own";
  return {
    refusals: [],
    repairs: [
      {
        repair: "ledger",
        table: pipeline,
        plan: `${location} (${wrong[0]?.found === "none" ? "it is gone" : `${wrong[0]?.object.slice(location.length + 2)} is wrong`}) is written anew from the tags of ${tagged.length} tables: anchor ${ledger.anchor}, epoch ${ledger.epoch}, checkpoint ${ledger.checkpoint}, ${agrees}`,
        rows: 0n,
        async run() {
          const store = new LedgerStore(io, warehouseLocation, pipeline);
          if ((await store.swap(ledger, held?.etag ?? null)) === null) {
            throw new FrazilError("conflict", "LEDGER_CHANGED", `${location} was written by somebody else meanwhile`, {
              hint: "run it again",
            });
          }
          return `${location} is written`;
        },
      },
    ],
  };
}

async function readOrNull(store: LedgerStore): Promise<Ledger | null> {
  try {
    return (await store.read())?.ledger ?? null;
  } catch (error) {
    if (error instanceof FrazilError && error.code === "LEDGER_CORRUPT") return null;
    throw error;
  }
}

/** The store as if the object were not there. */
function without(io: PipelinePlace["io"], location: string): PipelinePlace["io"] {
  return new Proxy(io, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property === "readTagged") {
        return async (asked: string) => (asked === location ? null : target.readTagged(asked));
      }
      return value.bind(target) as unknown;
    },
  });
}

function ledgerOf(tables: readonly PipelineTable[], before: Ledger | null): Ledger {
  const stamps = tables.flatMap(({ tagged }) => (tagged === null ? [] : [tagged.stamp]));
  const epoch = stamps.reduce((max, stamp) => (stamp.epoch > max ? stamp.epoch : max), 0n);
  const checkpoint = stamps.reduce((max, stamp) => (stamp.checkpoint > max ? stamp.checkpoint : max), 0n);
  const first = stamps[0]?.position ?? new Map<string, string>();
  const agree = stamps.every(({ position }) => samePosition(position, first));
  const position: Position = agree ? first : new Map();
  const named = tables.some(({ name }) => name === before?.anchor) ? before?.anchor : undefined;
  const anchor = named ?? tables.find(({ tagged }) => tagged?.stamp.checkpoint === checkpoint)?.name ?? "";
  return {
    anchor,
    epoch,
    checkpoint,
    position,
    tables: new Map(
      tables.flatMap(({ name, tagged }) => (tagged === null ? [] : [[name, tagged.snapshot.snapshotId]])),
    ),
    checkpoints: new Map(
      tables.flatMap(({ name, tagged }) => (tagged === null ? [] : [[name, tagged.stamp.checkpoint]])),
    ),
  };
}
