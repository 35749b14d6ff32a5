import { z } from "zod";
import { type WarehouseInput, type WarehouseSettings, warehouseSchema } from "../../config/job-schema.ts";
import { isTableName } from "../../config/job-rules.ts";
import { duration, text } from "../../config/scalars.ts";

/** `source:` of a job with `type: table`. */
export interface TableSettings {
  readonly type: "table";
  /** `namespace.table`. */
  readonly table: string;
  /** Null: the job's own. */
  readonly warehouse: WarehouseSettings | null;
  /** The snapshot whose rows come first: `earliest`, `latest`, a snapshot id, an RFC 3339 time, a tag or a branch. */
  readonly from: string;
  /** What to do when the position is no longer part of the table's history. */
  readonly onLostOffsets: "stop" | "earliest" | "latest";
  /** Between two looks for new snapshots. */
  readonly pollMs: number;
}

/** The same block as it is written. */
export interface TableSettingsInput {
  readonly type: "table";
  /** `namespace.table`. */
  readonly table: string;
  /** Where the table is; default: the job's own warehouse. */
  readonly warehouse?: WarehouseInput | undefined;
  /** `earliest` (default), `latest`, a snapshot id, an RFC 3339 time, a tag or a branch; used only where the tables hold no position. */
  readonly from?: string | undefined;
  readonly on_lost_offsets?: "stop" | "earliest" | "latest" | undefined;
  /** Between two looks for new snapshots; default `1s`. */
  readonly poll?: string | undefined;
}

/** Reads `TableSettings` from a job file. */
export const tableSourceSchema: z.ZodType<TableSettings, TableSettingsInput> = z
  .strictObject({
    type: z.literal("table"),
    table: z
      .string()
      .refine((value) => isTableName(value) && !value.includes("${"), {
        error: "must be namespace.table: letters, digits, _ and -",
      })
      .meta({ example: "shop.orders" })
      .describe("`namespace.table`; the name that `tables[].from` matches."),
    warehouse: warehouseSchema
      .optional()
      .meta({ example: { location: "./other-warehouse" } })
      .describe("Where the table is. Default: the job's own warehouse."),
    from: text()
      .prefault("earliest")
      .describe(
        "The snapshot whose rows come first, as inserts; the changes of each later one follow. `earliest` (the oldest that is held), `latest`, a snapshot id, an RFC 3339 time, a tag or a branch. Used only where the job's tables hold no position.",
      ),
    on_lost_offsets: z
      .enum(["stop", "earliest", "latest"])
      .default("stop")
      .describe(
        "When the table no longer holds the position (it has expired, was rolled back, or another table has the name): end with exit 65, or read the table anew, behind a truncate, from the oldest or the newest snapshot; an append table goes on with the changes behind that snapshot.",
      ),
    poll: duration().prefault("1s").describe("How often new snapshots are looked for."),
  })
  .transform(({ warehouse, on_lost_offsets, poll, ...settings }): TableSettings => ({
    ...settings,
    warehouse: warehouse ?? null,
    onLostOffsets: on_lost_offsets,
    pollMs: poll,
  }))
  .describe("An Iceberg table: its rows, then the changes of each snapshot, so that one job's table feeds the next.");
