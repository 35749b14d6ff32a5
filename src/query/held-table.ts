import { FrazilError, identText, type LoadedTable, snapshotById } from "../../table-format/index.ts";
import type { SnapshotHold } from "../core/snapshot-holds.ts";
import type { TableAt } from "./as-of.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";

/** What a reading holds. */
export type Holds = SnapshotHold[];

/**
 * A table at a point, whose files an expiry leaves where they are as long as `holds` has the hold that is added. Where nothing can be
 * written it is read all the same.
 *
 * @param point asked again of the table as it is then, when the snapshot expires at that very moment
 * @throws FrazilError of `point`; `not-found`, code `TABLE_NOT_FOUND`, when the table goes at that very moment
 */
export async function heldTable(
  { catalog, hold }: Pick<QueryWarehouse, "catalog" | "hold">,
  table: LoadedTable,
  point: (table: LoadedTable) => TableAt,
  holds: Holds,
): Promise<TableAt> {
  for (let now = table; ;) {
    const at = point(now);
    const id = at.snapshot?.snapshotId;
    const held = id === undefined ? null : ((await hold?.(now, id)) ?? null);
    if (held === null) return at;
    holds.push(held);
    const again = await catalog.loadTable(table.ident);
    if (again === null) {
      throw new FrazilError("not-found", "TABLE_NOT_FOUND", `table ${identText(table.ident)} was dropped meanwhile`);
    }
    if (id !== undefined && snapshotById(again.metadata, id) !== null) return at;
    now = again;
  }
}

/** Lets go of all of it. */
export async function release(holds: Holds): Promise<void> {
  await Promise.all(holds.splice(0).map((held) => held.release()));
}
