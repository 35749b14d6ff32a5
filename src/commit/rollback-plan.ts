import { ancestors, currentSnapshot, identText, type LoadedTable, type Snapshot } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import { type PipelinePlace, type PipelineTable, pipelinesOf, readPipeline } from "./read-pipeline.ts";
import { readStamp, type Stamp } from "./stamp.ts";
import { readPipelineTag } from "./tracked-table.ts";

/** What is to be rolled back. */
export type RollbackRequest =
  | {
      /** One table, and its snapshot to go back to. */
      readonly table: LoadedTable;
      readonly target: Snapshot;
      readonly keepPosition: boolean;
    }
  | {
      /** All tables of a pipeline, to one checkpoint. `find` looks for the point that is meant in one table. */
      readonly pipeline: string;
      readonly find: (table: LoadedTable) => Snapshot | null;
      readonly keepPosition: boolean;
    };

export interface RollbackPlan {
  /** Null: a table that no pipeline writes to. */
  readonly pipeline: string | null;
  readonly keepPosition: boolean;
  readonly tables: readonly PlannedRollback[];
  /** The pipeline's tables that keep their rows. They get the new epoch too. */
  readonly others: readonly LoadedTable[];
  /** All tables (`namespace.table`) that the pipeline had when this was planned. One that it opens later is in no part of the plan. */
  readonly seen: ReadonlySet<string>;
  /**
   * The rows stay what they are, whatever is committed meanwhile, and the tables get these positions instead of those of their targets.
   * @param newest what the pipeline committed last to the table
   */
  readonly setTo?: (table: string, newest: Stamp | null) => Position;
}

export interface PlannedRollback {
  readonly loaded: LoadedTable;
  /** What the table is rolled back from; null when `main` names nothing. */
  readonly head: Snapshot | null;
  readonly target: Snapshot;
  /** What the pipeline has in the target; null without a pipeline. */
  readonly stamp: Stamp | null;
}

type Place = Omit<PipelinePlace, "pipeline">;

/**
 * Finds out what a rollback has to do; writes nothing. The target of each table gets the position that its pipeline had in it, so that
 * the pipeline replays from there. Where one commit spans several tables the anchor's position is that of all: then one table alone
 * cannot go back with its position.
 *
 * @throws FrazilError `config`, code `ROLLBACK_CHOICE`, naming the two ways; `SEVERAL_PIPELINES`; `data`, code `NO_POSITION`, for a target
 * from before the pipeline's time; as `readPipelineTag` for a table that keeps its rows and is not the pipeline's any more.
 */
export async function planRollback(place: Place, request: RollbackRequest): Promise<RollbackPlan> {
  return "table" in request ? planTable(place, request) : planPipeline(place, request);
}

async function planTable(
  place: Place,
  { table, target, keepPosition }: Extract<RollbackRequest, { table: LoadedTable }>,
): Promise<RollbackPlan> {
  const [pipeline = null, second] = pipelinesOf(table);
  const name = identText(table.ident);
  if (pipeline === null) {
    const head = currentSnapshot(table.metadata);
    return {
      pipeline,
      keepPosition,
      tables: [{ loaded: table, head, target, stamp: null }],
      others: [],
      seen: new Set(),
    };
  }
  if (second !== undefined) {
    const message = `table ${name} is written by several pipelines (${pipelinesOf(table).join(", ")}), whose positions cannot go back together`;
    throw new FrazilError("config", "SEVERAL_PIPELINES", message, {
      hint: "stop all but one of them, and remove the others' tags and ingest.* properties",
    });
  }
  const state = await readPipeline({ ...place, pipeline });
  const others = state.tables.filter((other) => other.name !== name).map(({ loaded }) => loaded);
  if (place.catalog.atomicAcrossTables && !keepPosition && others.length > 0) {
    throw new FrazilError(
      "config",
      "ROLLBACK_CHOICE",
      `table ${name} shares its position with ${others.map(({ ident }) => identText(ident)).join(", ")}: all are committed together by the pipeline ${pipeline}`,
      {
        hint: `either --pipeline ${pipeline}: all of them go back to one checkpoint, and the job replays from there; or --keep-position: only the rows of ${name} go back, and the job goes on where it is`,
      },
    );
  }
  for (const other of others) readPipelineTag(other, pipeline);
  return { pipeline, keepPosition, tables: [planned(table, target, pipeline)], others, seen: namesOf(state.tables) };
}

async function planPipeline(
  place: Place,
  { pipeline, find, keepPosition }: Extract<RollbackRequest, { pipeline: string }>,
): Promise<RollbackPlan> {
  const { tables } = await readPipeline({ ...place, pipeline });
  if (tables.length === 0) {
    throw new FrazilError("not-found", "PIPELINE_NOT_FOUND", `no table is written by a pipeline ${pipeline}`, {
      hint: "the pipeline is the `name:` of the job file",
    });
  }
  const found = firstFound(tables, find);
  if (found === null) {
    const names = tables.map(({ name }) => name).join(", ");
    throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `none of ${names} has the snapshot, time or tag`, {
      hint: `frazil snapshots ${tables[0]?.name ?? ""} lists what there is`,
    });
  }
  const cut = planned(found.table.loaded, found.snapshot, pipeline);
  // A table with a position of its own that goes back further than was asked for replays what it lacks then.
  const exact = place.catalog.atomicAcrossTables || keepPosition;
  const rollbacks = tables.map((table) => {
    if (table === found.table) return cut;
    return planned(table.loaded, snapshotAt(table, pipeline, cut.stamp as Stamp, exact), pipeline);
  });
  return { pipeline, keepPosition, tables: rollbacks, others: [], seen: namesOf(tables) };
}

/** What a plan of a pipeline has seen. */
export function namesOf(tables: readonly PipelineTable[]): ReadonlySet<string> {
  return new Set(tables.map(({ name }) => name));
}

/** Asked first of tables that are written to a branch: what others call `main` is newer than what is published of those. */
function firstFound(
  tables: readonly PipelineTable[],
  find: (table: LoadedTable) => Snapshot | null,
): { table: PipelineTable; snapshot: Snapshot } | null {
  const rank = ({ loaded }: PipelineTable): number => (loaded.branch === undefined ? 1 : 0);
  for (const table of tables.toSorted((a, b) => rank(a) - rank(b))) {
    const snapshot = find(table.loaded);
    if (snapshot !== null) return { table, snapshot };
  }
  return null;
}

/**
 * The table as the checkpoint left it: its newest snapshot of the pipeline that is not of a later one.
 *
 * @param exact Refuse an older one where the checkpoint's own may have been expired.
 */
function snapshotAt(table: PipelineTable, pipeline: string, cut: Stamp, exact: boolean): Snapshot {
  let best: { snapshot: Snapshot; stamp: Stamp } | null = null;
  let oldest: Snapshot | null = null;
  for (const snapshot of table.loaded.metadata.snapshots) {
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline !== pipeline) continue;
    if (oldest === null || snapshot.sequenceNumber < oldest.sequenceNumber) oldest = snapshot;
    if (compareStamps(stamp, cut) > 0) continue;
    const order = best === null ? 1 : compareStamps(stamp, best.stamp);
    if (best === null || order > 0 || (order === 0 && snapshot.sequenceNumber > best.snapshot.sequenceNumber)) {
      best = { snapshot, stamp };
    }
  }
  if (best !== null) {
    if (!exact || compareStamps(best.stamp, cut) === 0 || !mayLackLater(table, pipeline, best.snapshot, cut)) {
      return best.snapshot;
    }
    throw new FrazilError(
      "data",
      "NO_POSITION",
      `table ${table.name}: what followed snapshot ${best.snapshot.snapshotId} has been expired, so it cannot be told whether the table was that at checkpoint ${cut.checkpoint} (epoch ${cut.epoch}) of the pipeline ${pipeline}`,
      { hint: "choose a later point, of which all tables still hold what came behind it" },
    );
  }
  // The table was created later: it goes back to the empty snapshot that created it.
  if (oldest !== null && oldest.parentSnapshotId === null && oldest.summary.get("total-records") === "0") return oldest;
  throw new FrazilError(
    "data",
    "NO_POSITION",
    `table ${table.name} no longer holds a snapshot of checkpoint ${cut.checkpoint} (epoch ${cut.epoch}) of the pipeline ${pipeline} or before`,
    { hint: `frazil snapshots ${table.name} lists what there is` },
  );
}

/** Whether a snapshot between a given one and the first of a later checkpoint is gone: each commit to a table takes the next sequence number. */
function mayLackLater({ loaded }: PipelineTable, pipeline: string, from: Snapshot, cut: Stamp): boolean {
  const { snapshots, lastSequenceNumber } = loaded.metadata;
  let known = from.sequenceNumber;
  for (const snapshot of snapshots.toSorted((a, b) => Number(a.sequenceNumber - b.sequenceNumber))) {
    if (snapshot.sequenceNumber <= known) continue;
    if (snapshot.sequenceNumber !== known + 1n) return true;
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline === pipeline && compareStamps(stamp, cut) > 0) return false;
    known = snapshot.sequenceNumber;
  }
  return known !== lastSequenceNumber;
}

function compareStamps(a: Stamp, b: Stamp): number {
  return Number(a.epoch - b.epoch) || Number(a.checkpoint - b.checkpoint);
}

function planned(loaded: LoadedTable, target: Snapshot, pipeline: string): PlannedRollback {
  for (const snapshot of ancestors(loaded.metadata, target.snapshotId)) {
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline === pipeline) return { loaded, head: currentSnapshot(loaded.metadata), target, stamp };
  }
  throw new FrazilError(
    "data",
    "NO_POSITION",
    `table ${identText(loaded.ident)}: neither snapshot ${target.snapshotId} nor one below it that is held tells the position of the pipeline ${pipeline}`,
    { hint: "choose a later snapshot; frazil snapshots shows which ones the pipeline wrote" },
  );
}

/** The position that a rolled back table gets; null without a pipeline. */
export function positionAfter(plan: RollbackPlan, { loaded, stamp }: PlannedRollback): Position | null {
  if (stamp === null || plan.pipeline === null) return null;
  if (!plan.keepPosition) return stamp.position;
  return newestStamp(loaded, plan.pipeline)?.position ?? stamp.position;
}

/** The stamp that the pipeline's tag names or, if it is gone, the last one that the pipeline committed. */
export function newestStamp({ metadata }: LoadedTable, pipeline: string): Stamp | null {
  const tagged = metadata.refs.get(`ingest.${pipeline}`)?.snapshotId;
  let newest: { snapshot: Snapshot; stamp: Stamp } | null = null;
  for (const snapshot of metadata.snapshots) {
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline !== pipeline) continue;
    if (snapshot.snapshotId === tagged) return stamp;
    if (newest === null || snapshot.sequenceNumber > newest.snapshot.sequenceNumber) newest = { snapshot, stamp };
  }
  return newest?.stamp ?? null;
}
