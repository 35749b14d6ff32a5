import {
  isOnMain,
  type LoadedTable,
  parseIdent,
  refSnapshot,
  type Snapshot,
  type TableIdent,
} from "../../table-format/index.ts";
import { snapshotAtCheckpoint } from "./checkpoint-snapshot.ts";
import { type Ledger, LedgerStore } from "./ledger.ts";
import { anchorKey } from "./names.ts";
import { type PipelinePlace, pipelineTable } from "./read-pipeline.ts";
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
 * @param tables the pipeline's, asked behind the look at the checkpoint, so that none is left out that has just been opened; those that it
 *   writes to `main` are
 */
export async function pipelineCut(
  place: PipelinePlace,
  branch: string,
  tables: () => readonly TableIdent[] | Promise<readonly TableIdent[]>,
): Promise<readonly Publication[]> {
  const { catalog, pipeline } = place;
  const whole = await wholeCheckpoint(place);
  if (whole === null) return [];
  const cut: Publication[] = [];
  for (const ident of await tables()) {
    const table = await catalog.loadTable(ident);
    if (table === null || writerBranch(table) !== branch) continue;
    if (whole.ledger !== null && isApart(table, pipeline, whole.ledger)) return [];
    const { metadata } = table;
    const head = metadata.refs.get(branch)?.snapshotId;
    const snapshot = snapshotAtCheckpoint(metadata, head, pipeline, whole.checkpoint);
    if (snapshot !== null && !isOnMain(metadata, snapshot.snapshotId)) cut.push({ table, snapshot });
  }
  return cut;
}

/** The head of a table's branch, unless `main` has it; null: nothing to publish. */
export function branchHead(table: LoadedTable, branch: string): Publication | null {
  const snapshot = refSnapshot(table.metadata, branch);
  return snapshot === null || isOnMain(table.metadata, snapshot.snapshotId) ? null : { table, snapshot };
}

/** Whether the ledger says nothing of a table under its epoch: it has just been opened, or was rolled back alone. */
function isApart(table: LoadedTable, pipeline: string, { epoch, tables }: Ledger): boolean {
  const { name, tagged } = pipelineTable(table, pipeline);
  return !tables.has(name) && tagged !== null && tagged.stamp.epoch >= epoch;
}

interface Whole {
  readonly checkpoint: bigint;
  /** Null where one commit spans several tables. */
  readonly ledger: Ledger | null;
}

async function wholeCheckpoint({ catalog, io, pipeline, warehouseLocation }: PipelinePlace): Promise<Whole | null> {
  if (!catalog.claims) {
    const ledger = (await new LedgerStore(io, warehouseLocation, pipeline).read())?.ledger ?? null;
    // Behind a rollback there is no cut until the next one.
    return ledger === null || ledger.position.size === 0 ? null : { checkpoint: ledger.checkpoint, ledger };
  }
  const anchor = await catalog.readClaim(anchorKey(pipeline));
  if (anchor === null) return null;
  const loaded = await catalog.loadTable(parseIdent(anchor));
  const tagged = loaded === null ? null : pipelineTable(loaded, pipeline).tagged;
  return tagged === null ? null : { checkpoint: tagged.stamp.checkpoint, ledger: null };
}
