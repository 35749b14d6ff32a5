import { grouped } from "../../core/count-text.ts";
import type { Catalog, LoadedTable, Snapshot } from "../../../table-format/index.ts";
import { identText } from "../../../table-format/index.ts";
import { planRollback, positionAfter, type RollbackPlan, type RollbackRequest } from "../../commit/rollback-plan.ts";
import { rollBack } from "../../commit/rollback.ts";
import { FrazilError } from "../../core/errors.ts";
import { positionText } from "../../core/position.ts";
import { readPipeline } from "../../commit/read-pipeline.ts";
import { writerBranch, writersCatalog } from "../../commit/writer-branch.ts";
import { tableAsOf } from "../../query/as-of.ts";
import { namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { liveRows, timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface RollbackOptions {
  readonly to: string;
  readonly pipeline?: string;
  readonly keepPosition?: boolean;
  readonly yes?: boolean;
}

/** `frazil rollback [table] --to <point> [--pipeline <name> | --keep-position] [--yes]`: prints the plan, and acts with `--yes`. */
export async function rollback(context: CliContext, name: string | undefined, options: RollbackOptions): Promise<void> {
  const { output, runtime } = context;
  await withWarehouse(context, async (warehouse) => {
    const shown = { ...warehouse, catalog: await catalogOf(warehouse, name, options) };
    const place = { ...shown, warehouseLocation: warehouse.location };
    const plan = await planRollback(place, await request(shown, name, options));
    await printPlan(context, plan, options.yes ?? false);
    if (options.yes !== true) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    for (const { table, snapshotId } of await rollBack({ ...place, runtime }, plan)) {
      if (output.json) await output.write(jsonLine({ event: "rolled-back", table, snapshotId }));
      else output.note(`${table} is at snapshot ${snapshotId}`);
    }
    if (plan.pipeline !== null) {
      const where = plan.keepPosition ? "goes on where it was" : "replays from the position above";
      output.note(`a running process of ${plan.pipeline} ends with exit 76; the next start ${where}`);
    }
  });
}

/** The catalog in which a branch that the pipeline writes to stands in for `main`. */
async function catalogOf(
  warehouse: Warehouse,
  name: string | undefined,
  { pipeline }: RollbackOptions,
): Promise<Catalog> {
  if (name !== undefined) return writersCatalog(warehouse.catalog, await namedTable(warehouse, name));
  if (pipeline === undefined) return warehouse.catalog;
  const { tables } = await readPipeline({ ...warehouse, warehouseLocation: warehouse.location, pipeline });
  const onBranch = tables.find(({ loaded }) => writerBranch(loaded) !== null);
  return onBranch === undefined ? warehouse.catalog : writersCatalog(warehouse.catalog, onBranch.loaded);
}

async function request(
  warehouse: Warehouse,
  name: string | undefined,
  { to, pipeline, keepPosition = false }: RollbackOptions,
): Promise<RollbackRequest> {
  if ((name === undefined) === (pipeline === undefined)) {
    throw new FrazilError("config", "USAGE", "expected either a table or --pipeline <name>", {
      hint: "frazil rollback <table> --to <point>, or frazil rollback --pipeline <name> --to <point>",
    });
  }
  if (name !== undefined) {
    const table = await namedTable(warehouse, name);
    return { table, target: tableAsOf(table, to).snapshot, keepPosition };
  }
  await checkHeld(warehouse, pipeline as string, to);
  return { pipeline: pipeline as string, keepPosition, find: (table) => snapshotOrNull(table, to) };
}

/** A point that is in none of the pipeline's tables is told in the words of its first one. */
async function checkHeld(warehouse: Warehouse, pipeline: string, to: string): Promise<void> {
  const { tables } = await readPipeline({ ...warehouse, warehouseLocation: warehouse.location, pipeline });
  const [first] = tables;
  if (first !== undefined && tables.every(({ loaded }) => snapshotOrNull(loaded, to) === null)) {
    tableAsOf(first.loaded, to);
  }
}

function snapshotOrNull(table: LoadedTable, point: string): Snapshot | null {
  try {
    return tableAsOf(table, point).snapshot;
  } catch (error) {
    if (error instanceof FrazilError && error.code === "SNAPSHOT_NOT_FOUND") return null;
    throw error;
  }
}

async function printPlan({ output }: CliContext, plan: RollbackPlan, acts: boolean): Promise<void> {
  for (const rollback of plan.tables) {
    const { loaded, head, target, stamp } = rollback;
    const table = identText(loaded.ident);
    const position = positionAfter(plan, rollback);
    const rowsNow = head === null ? null : liveRows(head);
    const rows = liveRows(target);
    if (output.json) {
      const record = {
        event: "plan",
        table,
        pipeline: plan.pipeline,
        from: head?.snapshotId ?? null,
        to: target.snapshotId,
        time: timeText(target.timestampMs),
        checkpoint: stamp?.checkpoint,
        rows,
        rowsNow,
        position: position === null ? null : Object.fromEntries(position),
        keepPosition: plan.keepPosition,
      };
      await output.write(jsonLine(record));
      continue;
    }
    const count = (value: bigint | null): string => (value === null ? "?" : grouped(value));
    const of = stamp === null ? "" : `, checkpoint ${stamp.checkpoint}`;
    await output.write(
      `${acts ? "rolls" : "would roll"} ${table} back to snapshot ${target.snapshotId} of ${timeText(target.timestampMs)}${of}: ${count(rowsNow)} -> ${count(rows)} rows\n`,
    );
    if (position !== null) {
      const what = plan.keepPosition ? "position kept" : "position";
      await output.write(`  ${what} ${positionText(position)}\n`);
    }
  }
}
