import { currentSnapshot, identText, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { BRANCH_ENTRY, tagName } from "../../commit/names.ts";
import { pipelinesOf, readPipeline } from "../../commit/read-pipeline.ts";
import { putBackAlone } from "../../commit/put-back.ts";
import { rollBack, type RollbackContext } from "../../commit/rollback.ts";
import { namesOf, type RollbackPlan } from "../../commit/rollback-plan.ts";
import type { Stamp } from "../../commit/stamp.ts";
import { readPipelineTag } from "../../commit/tracked-table.ts";
import { asWritten } from "../../commit/writer-branch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { type StampedSnapshot, stampedAncestors } from "../verify/history.ts";
import { NOTHING, type Refusal, type Repair, type RepairPlan } from "./repair.ts";

/**
 * A pipeline's tag that is gone, or was moved back: the newest snapshot of the pipeline in the history of `main` is what it named, if none
 * that is held beside `main` is of a later checkpoint: then somebody set `main` back, and other tables or the ledger may be ahead of it. It comes back as a new snapshot with that position under a new epoch, as a rollback does:
 * a ref that went to an old snapshot would let a late request of an older process pass.
 */
export async function planTagRepair(context: RollbackContext, table: LoadedTable): Promise<RepairPlan> {
  const plans = await Promise.all(pipelinesOf(table).map((pipeline) => planOne(context, table, pipeline)));
  return { repairs: plans.flatMap(({ repairs }) => repairs), refusals: plans.flatMap(({ refusals }) => refusals) };
}

async function planOne(context: RollbackContext, table: LoadedTable, pipeline: string): Promise<RepairPlan> {
  const problem = problemOf(table, pipeline);
  if (problem === null) return NOTHING;
  const name = identText(table.ident);
  const [newest] = stampedAncestors(table, pipeline);
  const refused = (why: string): RepairPlan => ({ repairs: [], refusals: [refusal(name, pipeline, problem, why)] });
  if (!REPAIRED.has(problem.code)) return refused(problem.message);
  if (newest === undefined) return refused("main holds no snapshot of the pipeline");
  const onBranch = table.metadata.snapshots.find(
    ({ summary }) => summary.get("ingest.pipe") === pipeline && summary.has(BRANCH_ENTRY),
  );
  if (onBranch !== undefined && problem.code !== "TAG_BEHIND") {
    return refused(
      `it wrote to the branch ${onBranch.summary.get(BRANCH_ENTRY)}, and only the tag tells where it came to`,
    );
  }
  const later = table.metadata.snapshots.find((snapshot) => isLater(snapshot, pipeline, newest.stamp));
  if (later !== undefined) return refused(`snapshot ${later.snapshotId}, beside main, is of a later checkpoint`);
  const back = putBackAlone(await readPipeline({ ...context, pipeline }), pipeline).find((each) => each.table === name);
  if (back !== undefined) {
    return refused(
      `the table had checkpoint ${back.noted}, and this is ${back.found}: somebody put it back to older metadata`,
    );
  }
  const repair: Repair = {
    repair: "tag",
    table: name,
    plan: `tag ${tagName(pipeline)} (${problem.message}) comes back at the position of snapshot ${newest.snapshot.snapshotId}, the newest of the pipeline on main, by a new snapshot with the same rows`,
    rows: 0n,
    async run() {
      const [done] = await rollBack(context, await rollbackPlan(context, { table, pipeline, newest }));
      return `${name} is at snapshot ${must(done, "one table").snapshotId}, which ${tagName(pipeline)} names`;
    },
  };
  return { repairs: [repair], refusals: [] };
}

/** Whether a snapshot is of a later epoch or checkpoint of the pipeline. */
function isLater({ summary }: Snapshot, pipeline: string, { epoch, checkpoint }: Stamp): boolean {
  if (summary.get("ingest.pipe") !== pipeline) return false;
  const ofEpoch = BigInt(summary.get("ingest.epoch") ?? 0);
  return ofEpoch > epoch || (ofEpoch === epoch && BigInt(summary.get("ingest.ckpt") ?? 0) > checkpoint);
}

const REPAIRED: ReadonlySet<string> = new Set(["TAG_MISSING", "TAG_FOREIGN", "TAG_BEHIND"]);

interface Problem {
  readonly code: string;
  readonly message: string;
}

function problemOf(found: LoadedTable, pipeline: string): Problem | null {
  const table = asWritten(found);
  try {
    const tagged = readPipelineTag(table, pipeline);
    const [newest] = stampedAncestors(table, pipeline);
    if (tagged === null || newest === undefined) return null;
    if (newest.snapshot.snapshotId === tagged.snapshot.snapshotId) return null;
    return { code: "TAG_BEHIND", message: `it names snapshot ${tagged.snapshot.snapshotId}, which is older` };
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    const short = { TAG_MISSING: "it is gone", TAG_FOREIGN: "it names a snapshot of somebody else" };
    return { code: error.code, message: short[error.code as keyof typeof short] ?? error.message };
  }
}

function refusal(table: string, pipeline: string, { code }: Problem, why: string): Refusal {
  const hint =
    code === "TABLE_ROLLED_BACK"
      ? `frazil rollback ${table} --to main lets the job replay from where main is; --to ${tagName(pipeline)} brings the rows back`
      : `choose the snapshot that is right: frazil rollback ${table} --to <snapshot>; or load the table under another job name`;
  return { table, problem: `the tag of ${pipeline} cannot be put right: ${why}`, hint };
}

/** The table's part of a rollback that leaves the rows as they are; the pipeline's other tables get the new epoch, as far as they have their tag. */
async function rollbackPlan(
  context: RollbackContext,
  { table, pipeline, newest }: { table: LoadedTable; pipeline: string; newest: StampedSnapshot },
): Promise<RollbackPlan> {
  const { tables } = await readPipeline({ ...context, pipeline });
  const others = tables.filter((other) => other.tagged !== null && other.name !== identText(table.ident));
  const head = must(currentSnapshot(table.metadata), "a table with stamped snapshots has a head");
  return {
    pipeline,
    keepPosition: true,
    tables: [{ loaded: table, head, target: head, stamp: newest.stamp }],
    others: others.map(({ loaded }) => loaded).filter((other) => problemOf(other, pipeline) === null),
    seen: namesOf(tables),
    setTo: () => newest.stamp.position,
  };
}
