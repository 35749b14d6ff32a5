import {
  ancestors,
  currentSnapshot,
  FrazilError,
  type LoadedTable,
  type Snapshot,
} from "../../../table-format/index.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import { readPipelineTag } from "../../../src/commit/tracked-table.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import type { Draw } from "../world/scheduler.ts";
import { PIPELINE, type Place, type Simulation } from "../world/simulation.ts";
import type { JobSupervisor } from "./job.ts";
import { judgeService, runService } from "./services.ts";

const TABLES = ["a", "b", "log"] as const;

/**
 * Somebody who sets `main` of a table back by hand, as engines do, often to where it was before the job was started anew: the tag alone tells
 * then that a process of before may not go on. After a while an operator mends the table.
 */
export function startHand(sim: Simulation, job: JobSupervisor, stopped: () => boolean): void {
  if (!sim.has("set-back")) return;
  const { scheduler } = sim;
  const draw = scheduler.stream("hand");
  let runs = 0;
  const next = (): void => {
    scheduler.at(draw.between(15_000, 120_000), null, () => {
      if (stopped() || runs === 4) return;
      // While a process of before is suspended, so that it finds the table as it has left it.
      if (!sim.processes.some(({ suspended, name }) => suspended && name.startsWith("job")) && draw.oneIn(2))
        return next();
      runService(sim, `hand${runs++}`, draw, (_, place) => setBack(sim, place, draw), mendLater);
    });
  };
  const mendLater = (): void => {
    scheduler.at(draw.between(5_000, 200_000), null, () =>
      runService(
        sim,
        `mend${runs++}`,
        draw,
        (_, place) => mend(sim, place, job),
        () => {
          if (sim.brokenTables > 0) mendLater();
          else next();
        },
      ),
    );
  };
  next();
}

async function setBack(sim: Simulation, place: Place, draw: Draw): Promise<void> {
  const name = draw.pick(TABLES);
  const table = await place.catalog.loadTable({ namespace: ["shop"], name });
  const target = table === null ? null : earlier(table, draw);
  if (target === null) return;
  sim.setBack = true;
  sim.rowsGoBack();
  sim.brokenTables = 1;
  try {
    await new ForeignWriter(place, name).rollback(target.snapshotId);
    sim.count("set back by hand");
  } catch (error) {
    if (error instanceof FrazilError || !(error instanceof Error)) throw error;
    // Others were quicker, or nobody answered.
  }
}

/** The snapshot below the newest fence, or any that the pipeline has stamped. */
function earlier({ metadata }: LoadedTable, draw: Draw): Snapshot | null {
  if (metadata.currentSnapshotId === null) return null;
  const held = [...ancestors(metadata, metadata.currentSnapshotId)];
  const epochs = held.map((snapshot) => readStamp(snapshot)?.epoch ?? null);
  const newest = epochs.find((epoch) => epoch !== null) ?? null;
  const below = held.find((_, index) => epochs[index] !== null && epochs[index] !== newest) ?? null;
  const stamped = held.slice(1).filter((_, index) => epochs[index + 1] !== null);
  if (below !== null && !draw.oneIn(4)) return below;
  return stamped.length === 0 ? null : draw.pick(stamped);
}

/** `frazil rollback` to what `main` names, as the error's hint says. */
async function mend(sim: Simulation, place: Place, job: JobSupervisor): Promise<void> {
  try {
    for (const name of TABLES) {
      const table = await place.catalog.loadTable({ namespace: ["shop"], name });
      const target = table === null ? null : currentSnapshot(table.metadata);
      if (table === null || target === null || !isRolledBack(table)) continue;
      const find = (each: LoadedTable): Snapshot | null => (each.ident.name === name ? target : null);
      job.takeovers.push(sim.scheduler.nowMs);
      try {
        const plan = await planRollback(
          place,
          place.catalog.atomicAcrossTables
            ? { pipeline: PIPELINE, find, keepPosition: false }
            : { table, target, keepPosition: false },
        );
        await rollBack(place, plan);
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "data") throw error;
        // Another table no longer has that checkpoint: then the other way that the job's error names.
        await setForward(place, table);
      }
      sim.count("mended");
    }
    sim.brokenTables = 0;
  } catch (error) {
    sim.scheduler.note(`mending failed: ${String(error)}`);
    if (error instanceof FrazilError || !(error instanceof Error)) judgeService(sim, "mend", error);
  } finally {
    job.takeovers.push(sim.scheduler.nowMs);
  }
}

/** Puts `main` to the pipeline's newest snapshot again. */
async function setForward(place: Place, { ident, metadata }: LoadedTable): Promise<void> {
  const tagged = metadata.refs.get(`ingest.${PIPELINE}`);
  if (tagged !== undefined) await new ForeignWriter(place, ident.name).rollback(tagged.snapshotId);
}

function isRolledBack(table: LoadedTable): boolean {
  try {
    readPipelineTag(table, PIPELINE);
    return false;
  } catch (error) {
    if (error instanceof FrazilError && error.code === "TABLE_ROLLED_BACK") return true;
    throw error;
  }
}
