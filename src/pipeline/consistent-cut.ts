import {
  ancestors,
  isOnMain,
  type LoadedTable,
  parseIdent,
  type Snapshot,
  snapshotById,
} from "../../table-format/index.ts";
import { snapshotAtCheckpoint } from "../commit/checkpoint-snapshot.ts";
import { LedgerStore } from "../commit/ledger.ts";
import { anchorKey, BRANCH_ENTRY } from "../commit/names.ts";
import { type PipelinePlace, pipelineTable, readPipeline } from "../commit/read-pipeline.ts";
import { readStamp, type Stamp } from "../commit/stamp.ts";
import { asWritten } from "../commit/writer-branch.ts";
import { FrazilError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";

/** All tables of a pipeline as one checkpoint left them: what was committed together is seen together, or not at all. */
export interface ConsistentCut {
  readonly pipeline: string;
  readonly checkpoint: bigint;
  /** Every change at or below it is in the tables, and none beyond. */
  readonly position: Position;
  /** The snapshot of each table, by `namespace.table`. */
  readonly tables: ReadonlyMap<string, bigint>;
}

/** Looks at a pipeline that moves on under the reader; each takes one round trip a table. */
const ATTEMPTS = 10;

/**
 * The newest cut over all tables of a pipeline. Where one commit spans several tables it is what the anchor's last checkpoint left in each;
 * elsewhere the ledger names it, and the expirer keeps what the ledger names.
 *
 * @throws FrazilError `not-found`, code `PIPELINE_NOT_FOUND`; `unavailable`, code `NO_CUT`, while there is none: right behind a rollback,
 * before the first checkpoint over all tables, or where the job commits faster than its tables can be read; `conflict`, code
 * `UNPUBLISHED`, where the job writes to a branch and `main` of its tables is not of one checkpoint.
 */
export async function consistentCut(place: PipelinePlace): Promise<ConsistentCut> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const cut = place.catalog.atomicAcrossTables ? await cutOfAnchor(place) : await cutOfLedger(place);
    if (cut !== null) return cut;
  }
  const { pipeline } = place;
  throw new FrazilError("unavailable", "NO_CUT", `there is no state that all tables of ${pipeline} have together yet`, {
    hint: "the job's next checkpoint over all tables makes one",
  });
}

async function cutOfLedger(place: PipelinePlace): Promise<ConsistentCut | null> {
  const { catalog, io, pipeline, warehouseLocation } = place;
  const found = await new LedgerStore(io, warehouseLocation, pipeline).read();
  if (found === null) throw notFound(pipeline);
  const { checkpoint, position, tables } = found.ledger;
  if (position.size === 0) return null;
  for (const [name, snapshotId] of tables) {
    const table = await catalog.loadTable(parseIdent(name));
    const snapshot = table === null ? null : snapshotById(table.metadata, snapshotId);
    // A newer ledger names others; what this one named may be gone since.
    if (table === null || snapshot === null) return null;
    if (isOnMain(table.metadata, snapshotId)) continue;
    const branch = snapshot.summary.get(BRANCH_ENTRY);
    // Rolled back since: the next cut is of what is there now.
    if (branch === undefined) return null;
    throw unpublished(name, pipeline, branch);
  }
  return { pipeline, checkpoint, position, tables };
}

async function cutOfAnchor(place: PipelinePlace): Promise<ConsistentCut | null> {
  const { pipeline } = place;
  const before = await anchorOf(place);
  const { checkpoint, position } = before.stamp;
  const state = await readPipeline(place);
  const tables = new Map<string, bigint>();
  for (const { name, loaded } of state.tables) {
    const at = ({ metadata }: LoadedTable): Snapshot | null =>
      snapshotAtCheckpoint(metadata, metadata.currentSnapshotId, pipeline, checkpoint);
    const { branch, ...written } = asWritten(loaded);
    if (branch !== undefined) {
      const behind = at(written);
      if (behind !== null && !isOnMain(loaded.metadata, behind.snapshotId)) throw unpublished(name, pipeline, branch);
    }
    const snapshot = at(loaded);
    if (snapshot === null) return null;
    tables.set(name, snapshot.snapshotId);
  }
  // A rollback, or another process: what stands behind a number may be another checkpoint now.
  const after = await anchorOf(place);
  if (after.epoch !== before.epoch) return null;
  return { pipeline, checkpoint, position, tables };
}

/** What `main` of the anchor holds, whose position is that of all tables, and under which epoch the anchor is. */
async function anchorOf(place: PipelinePlace): Promise<{ readonly epoch: bigint; readonly stamp: Stamp }> {
  const anchor = await place.catalog.readClaim(anchorKey(place.pipeline));
  if (anchor === null) throw notFound(place.pipeline);
  const table = await place.catalog.loadTable(parseIdent(anchor));
  const tagged = table === null ? null : pipelineTable(table, place.pipeline).tagged;
  if (table === null || tagged === null) throw notFound(place.pipeline);
  const main = table.metadata.currentSnapshotId;
  for (const snapshot of main === null ? [] : ancestors(table.metadata, main)) {
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline === place.pipeline) return { epoch: tagged.stamp.epoch, stamp };
  }
  const branch = tagged.snapshot.summary.get(BRANCH_ENTRY);
  if (branch !== undefined) throw unpublished(anchor, place.pipeline, branch);
  return { epoch: tagged.stamp.epoch, stamp: tagged.stamp };
}

function unpublished(table: string, pipeline: string, branch: string): FrazilError {
  const message = `table ${table}: what ${pipeline} wrote to the branch ${branch} is not on main`;
  return new FrazilError("conflict", "UNPUBLISHED", message, {
    hint: `frazil publish brings it there; --as-of ${branch} reads the branch`,
  });
}

function notFound(pipeline: string): FrazilError {
  return new FrazilError("not-found", "PIPELINE_NOT_FOUND", `no table is written by a pipeline ${pipeline}`, {
    hint: "the pipeline is the `name:` of the job file",
  });
}
