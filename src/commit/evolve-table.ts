import type { LoadedTable, TableUpdate } from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { CommitContext } from "./context.ts";
import { tagName } from "./names.ts";
import { growingPauses } from "./pauses.ts";
import { checkStillOurs, type TrackedTable } from "./tracked-table.ts";

const GIVE_UP_AFTER_MS = 300_000;

/**
 * Changes a table's schema or sort order under the fence, before the checkpoint that needs it. `plan` says what is missing on a base and is asked again
 * after each conflict or lost answer; nothing missing means done.
 */
export async function evolveTable(
  context: CommitContext,
  table: TrackedTable,
  epoch: bigint,
  plan: (base: LoadedTable) => readonly TableUpdate[],
): Promise<void> {
  const pauses = growingPauses(context.runtime, GIVE_UP_AFTER_MS, context.giveUp);
  for (;;) {
    const loaded = await context.catalog.loadTable(table.loaded.ident);
    if (loaded === null) {
      throw new FrazilError("data", "TABLE_DROPPED", `table ${table.name} no longer exists`, {
        hint: "restore the table, or start the job under another name to load it anew",
      });
    }
    checkStillOurs(loaded, table, context.pipeline, epoch);
    const updates = plan(loaded);
    if (updates.length === 0) {
      table.loaded = loaded;
      return;
    }
    const { metadata } = loaded;
    context.runtime.step("evolve.sent");
    const result = await context.catalog.commit([
      {
        ident: loaded.ident,
        requirements: [
          { type: "assert-table-uuid", uuid: metadata.tableUuid },
          { type: "assert-ref-snapshot-id", ref: tagName(context.pipeline), snapshotId: table.tagSnapshotId },
          { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
          { type: "assert-last-assigned-field-id", lastAssignedFieldId: metadata.lastColumnId },
          { type: "assert-default-sort-order-id", defaultSortOrderId: metadata.defaultSortOrderId },
        ],
        updates,
      },
    ]);
    context.runtime.step("evolve.answered");
    if (result.outcome === "committed") {
      table.loaded = must(result.tables[0], "one table a change");
      return;
    }
    await pauses.next(
      () =>
        new FrazilError(
          result.outcome === "conflict" ? "conflict" : "unavailable",
          "SCHEMA_NOT_CHANGED",
          `the schema of table ${table.name} could not be changed: ${result.outcome === "conflict" ? result.message : String(result.cause)}`,
          { hint: "start the job again" },
        ),
    );
  }
}
