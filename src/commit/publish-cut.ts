import { ancestors, isAncestor, type LoadedTable, type Snapshot, type TableIdent } from "../../table-format/index.ts";
import { LedgerStore } from "./ledger.ts";
import { anchorKey } from "./names.ts";
import { type PipelinePlace, pipelineTable } from "./read-pipeline.ts";
import { readStamp } from "./stamp.ts";
import { writerBranch } from "./writer-branch.ts";

/** A snapshot of a branch that is to become `main`. */
export interface Publication {
  /** As its own refs name it, not through a branch. */
  readonly table: LoadedTable;
  readonly snapshot: Snapshot;
}

/**
 * What a pipeline has on its branch and `main` lacks, at one checkpoint over all its tables: the newest that is whole. Where one commit
 * spans several tables that is the anchor's, and tables are read behind it, so that none lacks what the checkpoint wrote; elsewhere it is the
 * ledger's.
 *
 * @param idents the pipeline's tables; those that it writes to `main` are left out
 */
export async function pipelineCut(
  place: PipelinePlace,
  branch: string,
  idents: readonly TableIdent[],
): Promise<readonly Publication[]> {
  const { catalog, pipeline } = place;
  const checkpoint = await wholeCheckpoint(place, idents);
  if (checkpoint === null) return [];
  const cut: Publication[] = [];
  for (const ident of idents) {
    const table = await catalog.loadTable(ident);
    if (table === null || writerBranch(table) !== branch) continue;
    const snapshot = newestAt(table, branch, pipeline, checkpoint);
    if (snapshot !== null && !isPublished(table, snapshot)) cut.push({ table, snapshot });
  }
  return cut;
}

/** The head of a table's branch, unless `main` has it; null: nothing to publish. */
export function branchHead(table: LoadedTable, branch: string): Publication | null {
  const head = table.metadata.refs.get(branch)?.snapshotId;
  const snapshot = table.metadata.snapshots.find(({ snapshotId }) => snapshotId === head);
  return snapshot === undefined || isPublished(table, snapshot) ? null : { table, snapshot };
}

function isPublished({ metadata }: LoadedTable, { snapshotId }: Snapshot): boolean {
  const main = metadata.currentSnapshotId;
  return main !== null && isAncestor(metadata, snapshotId, main);
}

async function wholeCheckpoint(place: PipelinePlace, idents: readonly TableIdent[]): Promise<bigint | null> {
  const { catalog, io, pipeline, warehouseLocation } = place;
  if (!catalog.claims) {
    const ledger = await new LedgerStore(io, warehouseLocation, pipeline).read();
    return ledger?.ledger.checkpoint ?? null;
  }
  const anchor = await catalog.readClaim(anchorKey(pipeline));
  const ident = idents.find((each) => [...each.namespace, each.name].join(".") === anchor);
  const loaded = ident === undefined ? null : await catalog.loadTable(ident);
  return loaded === null ? null : (pipelineTable(loaded, pipeline).tagged?.stamp.checkpoint ?? null);
}

/** The newest snapshot of the branch that holds nothing of a later checkpoint; those of others count with what they stand on. */
function newestAt({ metadata }: LoadedTable, branch: string, pipeline: string, checkpoint: bigint): Snapshot | null {
  const head = metadata.refs.get(branch)?.snapshotId;
  let newest: Snapshot | null = null;
  for (const snapshot of head === undefined ? [] : ancestors(metadata, head)) {
    newest ??= snapshot;
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline === pipeline) {
      if (stamp.checkpoint <= checkpoint) return newest;
      newest = null;
    }
  }
  return null;
}
