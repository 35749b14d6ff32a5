import { type LoadedTable, ancestors, FrazilError, type Snapshot } from "../../../table-format/index.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { FIRST_FOREIGN, FIRST_GUEST, rowText } from "../world/changelog.ts";
import type { ForeignAct } from "../world/oracle.ts";
import type { Draw } from "../world/scheduler.ts";
import { PIPELINE, type Place, type Simulation } from "../world/simulation.ts";
import { judgeService, runService, writersPlace } from "./services.ts";
import type { JobSupervisor } from "./job.ts";

/** Another engine that appends rows, deletes some and rewrites files, until `stopped`. It knows no partitions and no tables of version 2. */
export function startForeignWriter(sim: Simulation, stopped: () => boolean): void {
  const { settings, scheduler } = sim;
  if (!sim.has("foreign") || settings.partitioned || settings.formatVersion !== 3) return;
  const draw = scheduler.stream("foreign");
  let number = 0;
  let runs = 0;
  const next = (): void => {
    scheduler.at(draw.between(10_000, 120_000), null, () => {
      if (stopped()) return;
      runService(sim, `foreign${runs++}`, draw, act, next);
    });
  };
  const act = async (_sim: Simulation, place: Place): Promise<void> => {
    const name = draw.pick(["a", "b", "late"] as const);
    if ((await place.catalog.loadTable({ namespace: ["shop"], name })) === null) return;
    let planned: ForeignAct = { removed: [], added: new Map() };
    const writer = new ForeignWriter(place, name, () => {
      sim.oracle.foreign.set(BigInt(1_000_000 + ++number), planned);
      return number;
    });
    try {
      // It would drop the column that it does not know.
      if (draw.oneIn(3) && !sim.has("schema")) return await writer.compact();
      const id = FIRST_FOREIGN + draw.below(1_000_000);
      const added = new Map([[String(id), rowText(id, "f", 7, null)]]);
      const row = { id: BigInt(id), part: "f", value: 7n };
      if (draw.oneIn(2)) {
        planned = { removed: [], added };
        return await writer.append([row]);
      }
      const removed = [0, 1, 2].map(() => FIRST_GUEST + draw.below(3) * 10 + draw.below(8));
      planned = { removed, added };
      await writer.replace(removed.map(BigInt), [row]);
    } catch (error) {
      // Others are quicker, and it gives up.
      if (!(error instanceof Error) || !error.message.startsWith("the foreign commit failed")) throw error;
    }
  };
  next();
}

/** An operator who rolls tables back: all of a pipeline together, or one where tables have positions of their own. */
export function startOperator(sim: Simulation, job: JobSupervisor, stopped: () => boolean): void {
  if (!sim.has("rollback")) return;
  const { scheduler } = sim;
  const draw = scheduler.stream("rollback");
  let left = draw.between(1, 2);
  const next = (): void => {
    if (left-- === 0) return;
    scheduler.at(draw.between(30_000, 400_000), null, () => {
      if (!stopped()) runService(sim, `operator${left}`, draw, rollback, next);
    });
  };
  const rollback = async (_sim: Simulation, from: Place): Promise<void> => {
    try {
      const ident = { namespace: ["shop"], name: draw.pick(["a", "b", "log"]) };
      const place = await writersPlace(from, ident);
      const table = await place.catalog.loadTable(ident);
      const target = table === null ? null : olderSnapshot(table, draw);
      if (table === null || target === null) return;
      const all = place.catalog.atomicAcrossTables || draw.oneIn(2);
      const find = (each: LoadedTable): Snapshot | null => (each.ident.name === ident.name ? target : null);
      const plan = await planRollback(
        place,
        all ? { pipeline: PIPELINE, find, keepPosition: false } : { table, target, keepPosition: false },
      );
      sim.rowsGoBack();
      job.takeovers.push(scheduler.nowMs);
      await rollBack(place, plan);
      sim.count("rollbacks");
    } catch (error) {
      // Refusals: the snapshot has expired, or positions are not known.
      if (error instanceof FrazilError && ["data", "config"].includes(error.kind)) sim.count(`refused ${error.code}`);
      else judgeService(sim, "operator", error);
    } finally {
      job.takeovers.push(scheduler.nowMs);
    }
  };
  next();
}

function olderSnapshot({ metadata }: LoadedTable, draw: Draw): Snapshot | null {
  if (metadata.currentSnapshotId === null) return null;
  const held = [...ancestors(metadata, metadata.currentSnapshotId)].filter((snapshot) => readStamp(snapshot) !== null);
  return held.length < 2 ? null : draw.pick(held.slice(1));
}
