import { existsSync } from "node:fs";
import { identText } from "../../../table-format/index.ts";
import { branchHead, type Publication, pipelineCut } from "../../commit/publish-cut.ts";
import { readPipeline } from "../../commit/read-pipeline.ts";
import { apart, writerBranch } from "../../commit/writer-branch.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { FrazilError } from "../../core/errors.ts";
import { publishPlanned } from "../../pipeline/publish.ts";
import { namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { jsonLine } from "../output.ts";
import { liveRows } from "../snapshot-figures.ts";
import { unknownBranch } from "../unknown-branch.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface PublishOptions {
  readonly branch?: string;
  readonly check?: readonly string[];
}

/** `frazil publish <table|job> [--branch …] [--check …]`: `main` becomes the branch, if the checks hold. */
export async function publish(context: CliContext, subject: string, options: PublishOptions): Promise<void> {
  if (!isJobFile(subject)) {
    await withWarehouse(context, async (warehouse) => {
      const table = await namedTable(warehouse, subject);
      const branch = options.branch ?? writerBranch(table);
      if (branch === null) throw noBranch(`no job writes ${subject} to a branch`);
      if (branch === "main" || table.metadata.refs.get(branch)?.type !== "branch") {
        throw unknownBranch(subject, `${branch} beside main`);
      }
      const plan = async (): Promise<readonly Publication[]> => {
        const head = branchHead(await namedTable(warehouse, subject), branch);
        return head === null ? [] : [head];
      };
      await publishNow(context, warehouse, branch, plan, options.check ?? []);
    });
    return;
  }
  const job = readJob(context, subject);
  const branch = options.branch ?? job.branch;
  if (branch === null) throw noBranch(`the job ${job.name} writes to main`);
  const publishAllOf = async (warehouse: Warehouse): Promise<void> => {
    const place = { ...warehouse, warehouseLocation: warehouse.location, pipeline: job.name };
    const idents = async () => (await readPipeline(place)).tables.map(({ loaded }) => loaded.ident);
    const checks = [...(job.publish?.checks ?? []), ...(options.check ?? [])];
    await publishNow(context, warehouse, branch, () => pipelineCut(place, branch, idents), checks);
  };
  await withWarehouse(context, publishAllOf, job.warehouse);
}

function isJobFile(subject: string): boolean {
  return /\.(ya?ml|json)$/.test(subject) || subject.includes("/") || existsSync(subject);
}

function noBranch(message: string): FrazilError {
  return new FrazilError("config", "USAGE", `${message}; expected --branch <name>`, {
    hint: "frazil branch <table> lists the branches of a table",
  });
}

async function publishNow(
  { output, runtime }: CliContext,
  warehouse: Warehouse,
  branch: string,
  plan: () => Promise<readonly Publication[]>,
  checks: readonly string[],
): Promise<void> {
  const { failed, publications } = await publishPlanned({ ...warehouse, runtime }, branch, plan, checks);
  if (publications.length === 0) {
    if (output.json) await output.write(jsonLine({ event: "nothing", branch }));
    else output.note(`main holds all of ${branch} already`);
    return;
  }
  const [first] = failed;
  if (first !== undefined) {
    if (output.json) {
      for (const { sql, found } of failed) await output.write(jsonLine({ event: "check-failed", check: sql, found }));
    } else {
      for (const { sql, found } of failed) output.note(`does not hold: ${sql}\n  found ${found}`);
    }
    throw new FrazilError(
      "data",
      "CHECK_FAILED",
      `${failed.length} of ${counted(checks.length, "check")} ${failed.length === 1 ? "does" : "do"} not hold; main stays as it is`,
      { hint: `frazil query --as-of ${branch} shows the rows; frazil rollback <table> --to main gives them up` },
    );
  }
  const held = checks.length === 0 ? "" : `; ${counted(checks.length, "check")} held`;
  for (const { table, snapshot } of publications) {
    const name = identText(table.ident);
    const { snapshotId } = snapshot;
    const rows = liveRows(snapshot);
    const before = table.metadata.currentSnapshotId;
    if (output.json) {
      const counts = { before, snapshotId, rows, checks: checks.length };
      await output.write(jsonLine({ event: "published", table: name, branch, ...counts }));
      continue;
    }
    const further = apart(table.metadata, "main", branch)?.ahead ?? null;
    const by = further === null ? "" : `, ${counted(further, "snapshot")} further`;
    await output.write(
      `main of ${name} is at snapshot ${snapshotId}${by}: ${rows === null ? "?" : grouped(rows)} rows${held}\n`,
    );
  }
}
