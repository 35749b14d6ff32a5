import { z } from "zod";
import type { DeadLetterSettings } from "../core/dead-letter.ts";
import type { MaintenanceTask } from "../core/maintenance.ts";
import type { TableRule } from "../core/table-rule.ts";
import {
  checkDeadLetterTable,
  checkTableOptions,
  checkTables,
  isPartitionExpression,
  isSortExpression,
  isTableName,
} from "./job-rules.ts";
import { maintenanceSchema } from "./maintenance-schema.ts";
import { type PostgresCatalogSettings, postgresCatalogSchema } from "./postgres-catalog-schema.ts";
import { branchSchema, checkBranch, type PublishSettings, publishSchema } from "./publish-schema.ts";
import { type RestCatalogSettings, restCatalogSchema } from "./rest-catalog-schema.ts";
import { duration, flag, foundText, primitiveType, share, size, text, whole } from "./scalars.ts";

/** What `source:` of a job becomes: each source type's own settings, told apart by `type`. */
export interface SourceSettings {
  readonly type: string;
}

/** A job as the engine takes it: defaults filled in, durations in milliseconds, sizes in bytes. */
export interface Job<S extends SourceSettings = SourceSettings> {
  /** The pipeline's identity: `[a-z0-9-]{1,40}`. */
  readonly name: string;
  readonly source: S;
  readonly warehouse: WarehouseSettings;
  readonly tables: readonly TableRule[];
  readonly checkpoint: CheckpointSettings;
  /** Null: the first message that cannot be decoded ends the job. */
  readonly deadLetter: DeadLetterSettings | null;
  /** The branch that the job's tables are written to; null: `main`. */
  readonly branch: string | null;
  /** Null: somebody else brings the branch to `main`. */
  readonly publish: PublishSettings | null;
  /** What is done to the job's tables beside ingestion; empty: nothing. */
  readonly maintenance: readonly MaintenanceTask[];
  /** The byte budget of the process. */
  readonly memoryBytes: number;
  /** Folder for keys that do not fit in memory. */
  readonly cache?: string | undefined;
}

export interface WarehouseSettings {
  /** A folder (absolute, or relative to the working directory), `file://…` or `s3://bucket/prefix`; without a trailing slash. */
  readonly location: string;
  readonly catalog: CatalogSettings;
  readonly s3: S3AccessSettings;
  /** Folders, beside `location`, below which alone files are touched; absent: wherever a table says they are. */
  readonly confinedTo?: readonly string[] | undefined;
}

export type CatalogSettings =
  /** `path` null: `<location>/catalog.sqlite`. `name` is the `catalog_name` of the rows. */
  | { readonly type: "sqlite"; readonly name: string; readonly path: string | null }
  | { readonly type: "object-store"; readonly name: string }
  | PostgresCatalogSettings
  | RestCatalogSettings;

/** Absent where the job says nothing: then the SDK's own chain and AWS_* decide, and `pathStyle` is true where `endpoint` is set. */
export interface S3AccessSettings {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly pathStyle?: boolean | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
}

export interface CheckpointSettings {
  readonly intervalMs: number;
  readonly maxRows: number;
  readonly maxSizeBytes: number;
  /** At most this often the position is committed without rows. */
  readonly idleCommitMs: number;
}

const s3 = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/, error: "must be an http:// or https:// address" })
      .optional()
      .describe(
        "Address of a store that is not AWS. Without it `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL` are looked at.",
      ),
    region: text().optional().describe("Without it `AWS_REGION` or the profile decides."),
    path_style: flag()
      .optional()
      .describe("The bucket stands in the path, not in the host name. Default: true where an endpoint is set."),
    access_key_id: text()
      .optional()
      .describe("Without it the AWS SDK's own chain finds credentials (`AWS_ACCESS_KEY_ID`, profile, role)."),
    secret_access_key: text().optional().describe("The other half of `access_key_id`."),
    session_token: text().optional().describe("For temporary credentials."),
  })
  .superRefine((value, context) => {
    if ((value.access_key_id === undefined) !== (value.secret_access_key === undefined)) {
      const missing = value.access_key_id === undefined ? "access_key_id" : "secret_access_key";
      context.addIssue({
        code: "custom",
        path: [missing],
        message: "is required beside the other half of the credentials",
      });
    }
  })
  .transform((value): S3AccessSettings => ({
    endpoint: value.endpoint,
    region: value.region,
    pathStyle: value.path_style,
    accessKeyId: value.access_key_id,
    secretAccessKey: value.secret_access_key,
    sessionToken: value.session_token,
  }));

const catalog = z.discriminatedUnion("type", [
  z
    .strictObject({
      type: z.literal("sqlite"),
      name: text().default("frazil").describe("The `catalog_name` of its rows."),
      path: text()
        .optional()
        .describe("The SQLite file. Default: `catalog.sqlite` in a local location; required for `s3://`."),
    })
    .transform((value): CatalogSettings => ({ type: value.type, name: value.name, path: value.path ?? null }))
    .describe(
      "A SQLite file as Java's JDBC catalog and PyIceberg lay it out; all tables of a checkpoint commit in one transaction.",
    ),
  z
    .strictObject({
      type: z.literal("object-store"),
      name: text().default("frazil").describe("How the catalog is called in messages."),
    })
    .describe("No server: `metadata/version-hint.text` of each table, replaced only if unchanged, is the commit."),
  postgresCatalogSchema,
  restCatalogSchema,
]);

/** The `warehouse:` block. Also what `--warehouse` means: this block with a location alone. */
export const warehouseSchema = z
  .strictObject({
    location: z
      .string()
      .min(1)
      .refine((value) => !/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(value) || /^(s3:\/\/[^/]+|file:\/\/\/)/.test(value), {
        error: "must be a folder or s3://bucket/prefix",
      })
      .meta({ example: "./warehouse" })
      .describe("A folder, or `s3://bucket/prefix`. A table lies at `<location>/<namespace>/<table>`."),
    catalog: catalog.optional().describe("Default: `sqlite` for a folder, `object-store` for `s3://`."),
    s3: s3
      .optional()
      .meta({ example: { endpoint: "http://localhost:9000", region: "us-east-1" } })
      .describe("How the store of an `s3://` location is reached."),
    confined_to: z
      .array(text())
      .optional()
      .meta({ example: ["s3://bucket/added"] })
      .describe(
        "For warehouses that others write to: files are read, written and deleted only below the location and these folders, whatever tables say. `[]`: only below the location.",
      ),
  })
  .superRefine((value, context) => {
    const remote = value.location.startsWith("s3://");
    // Lint leaves a variable without a value in place: what kind of location it will be cannot be told.
    if (value.location.startsWith("${")) return;
    if (!remote && value.s3 !== undefined) {
      context.addIssue({ code: "custom", path: ["s3"], message: "belongs to a location that starts with s3://" });
    }
    const tables = value.catalog?.type === "rest" ? value.catalog.tableLocation : undefined;
    if (tables !== undefined && tables.startsWith("s3://") !== remote) {
      const message = "must be in the same kind of store as location";
      context.addIssue({ code: "custom", path: ["catalog", "table_location"], message });
    }
    if (remote && value.catalog?.type === "sqlite" && value.catalog.path === null) {
      const message = "is required for an s3:// location: the file that holds the sqlite catalog";
      context.addIssue({ code: "custom", path: ["catalog", "path"], message });
    }
  })
  .transform((value): WarehouseSettings => {
    const remote = value.location.startsWith("s3://");
    return {
      location: value.location.length > 1 ? value.location.replace(/\/+$/, "") : value.location,
      catalog:
        value.catalog ??
        (remote ? { type: "object-store", name: "frazil" } : { type: "sqlite", name: "frazil", path: null }),
      s3: value.s3 ?? {},
      ...(value.confined_to !== undefined && { confinedTo: value.confined_to }),
    };
  });

const route = z
  .strictObject({
    from: text()
      .meta({ example: "*.orders" })
      .describe(
        "A topic, or the table that the messages name (`schema.table` or `db.table`). `*` and `?` are wild; the first entry that matches wins.",
      ),
    to: z
      .string()
      .refine(isTableName, {
        error: ({ input }) =>
          `must be namespace.table (letters, digits, _ and -, \${table}, \${schema}, \${db}, \${topic}), found ${foundText(input)}`,
      })
      .meta({ example: "shop.${table}" })
      .describe("`namespace.table`. `${table}`, `${schema}`, `${db}` and `${topic}` stand for what matched."),
    mode: z
      .enum(["upsert", "append", "history"])
      .meta({ example: "upsert" })
      .describe(
        "`upsert`: the current row of each key. `append`: inserts only; an update, delete or truncate ends the job with exit 65. `history`: one row a change, with `_op` (insert, update_before, update_after, delete, truncate), `_ts` (when the source made it, else the message's time), `_split` and `_position` (the split's point after it); update_before and the columns of a delete other than its key are there where the source sends the old row, and what an update does not send is null.",
      ),
    key: z
      .array(text())
      .min(1)
      .optional()
      .meta({ example: ["id"] })
      .describe(
        "Columns that tell rows apart, of an upsert or history table. Default: what the messages name. Key columns of an upsert table are required.",
      ),
    columns: z
      .record(z.string(), primitiveType())
      .default({})
      .meta({ example: { total: "decimal(18,2)", created_at: "timestamptz" } })
      .describe("Types of columns by name; they win over what messages declare."),
    partition_by: z
      .array(
        z.string().refine(isPartitionExpression, {
          error: "must be a column, year(c), month(c), day(c), hour(c), bucket(n, c) or truncate(n, c)",
        }),
      )
      .default([])
      .meta({ example: ["day(created_at)", "bucket(16, id)"] })
      .describe(
        "Iceberg partitions of a table that this job creates: a column, `year(c)`, `month(c)`, `day(c)`, `hour(c)`, `bucket(n, c)`, `truncate(n, c)`.",
      ),
    sort_by: z
      .array(
        z.string().refine(isSortExpression, {
          error:
            "must be a column, or a transform as in partition_by, with asc or desc and nulls first or nulls last behind it",
        }),
      )
      .optional()
      .meta({ example: ["region", "created_at desc"] })
      .describe(
        "Order of the rows in each data file: columns, or transforms as in `partition_by`, each with `asc` (default) or `desc` and `nulls first` (default of `asc`) or `nulls last` (default of `desc`). Files written after a change of it have the new order. Default: the order that the table has.",
      ),
    format_version: whole(2, 3)
      .prefault(3)
      .describe(
        "Iceberg format version of a table that this job creates. 3 deletes rows by deletion vectors, 2 by position delete files, for engines that do not read version 3.",
      ),
    schema_changes: z
      .enum(["evolve", "refuse", "ignore"])
      .default("evolve")
      .describe(
        "`evolve`: new columns are added, types widened where Iceberg allows it. `refuse`: either ends the job with exit 65. `ignore`: the table stays as it is; columns that it lacks are left out, and a message with a value that its column cannot hold is a bad one, as by `dead_letter`.",
      ),
    soft_delete: text()
      .optional()
      .meta({ example: "deleted_at" })
      .describe(
        "Deleted rows of an upsert table stay, with the time of the delete in this `timestamptz` column, which is added to the table; it is null in rows that live. A truncate ends the job with exit 65.",
      ),
    ignore_deletes: flag()
      .prefault(false)
      .describe("Deletes and truncates of an upsert table are counted and dropped: its rows stay as they are."),
    order_by: text()
      .optional()
      .meta({ example: "updated_at" })
      .describe(
        "A column of an upsert table that tells which of two changes of a key is the later one: a change with a lower value than the key's row has is counted and dropped. Without it the order of arrival decides.",
      ),
    dedupe: z
      .strictObject({
        key: z
          .array(text())
          .min(1)
          .meta({ example: ["event_id"] })
          .describe("Columns that tell rows apart."),
        window: duration()
          .meta({ example: "1h" })
          .describe("Rows with the same key whose times lie less than this apart are copies of one row."),
      })
      .transform((value) => ({ key: value.key, windowMs: value.window }))
      .optional()
      .describe(
        "Copies of rows of an append table are counted and dropped. Adds the column `_ts`: when the source made the row, else the message's time.",
      ),
  })
  .transform((value): TableRule => ({
    from: value.from,
    to: value.to,
    mode: value.mode,
    key: value.key ?? null,
    columns: new Map(Object.entries(value.columns)),
    partitionBy: value.partition_by,
    sortBy: value.sort_by ?? null,
    formatVersion: value.format_version === 2 ? 2 : 3,
    schemaChanges: value.schema_changes,
    softDelete: value.soft_delete,
    ignoreDeletes: value.ignore_deletes,
    orderBy: value.order_by,
    dedupe: value.dedupe,
  }))
  .superRefine(checkTableOptions);

const checkpoint = z
  .strictObject({
    interval: duration().prefault("10s").describe("A checkpoint closes after this time."),
    max_rows: whole(1).prefault(500_000).describe("A checkpoint closes after this many changes."),
    max_size: size(2 ** 16)
      .prefault("256MiB")
      .describe("A checkpoint closes after this many bytes of changes in memory."),
    idle_commit: duration().prefault("5m").describe("At most this often the position is committed without rows."),
  })
  .transform((value): CheckpointSettings => ({
    intervalMs: value.interval,
    maxRows: value.max_rows,
    maxSizeBytes: value.max_size,
    idleCommitMs: value.idle_commit,
  }));

const deadLetter = z
  .strictObject({
    table: z
      .string()
      .refine((value) => isTableName(value) && !value.includes("${"), {
        error: ({ input }) => `must be namespace.table (letters, digits, _ and -), found ${foundText(input)}`,
      })
      .meta({ example: "shop.dead_letters" })
      .describe("`namespace.table`, created when it is first needed; no table of `tables:`."),
    max_rows: whole(1).prefault(1_000).describe("More messages than this in one run end the job with exit 65."),
    max_share: share()
      .prefault(0.01)
      .describe(
        "A higher share of the messages ends the job with exit 65, once 1,000 were read or the run has come to its end.",
      ),
  })
  .transform((value): DeadLetterSettings => ({
    table: value.table,
    maxRows: value.max_rows,
    maxShare: value.max_share,
  }));

/** The settings of one source type: a strict object with a literal `type`, or its transformation. */
export type SourceSchema = z.ZodType<SourceSettings>;

/** The job over some source types. */
export type JobOver<S extends SourceSchema> = Job<z.output<S>>;

/** A job as it is written: the keys of the job file, before defaults. `S`: what `source:` may be. */
export interface JobInput<S> {
  /** The pipeline's identity: 1 to 40 of a-z, 0-9 and -. */
  readonly name: string;
  readonly source: S;
  readonly warehouse: WarehouseInput;
  readonly tables: z.input<typeof route>[];
  /** Whichever of `interval` (10s), `max_rows` (500,000) and `max_size` (256MiB) comes first closes a checkpoint. */
  readonly checkpoint?: z.input<typeof checkpoint> | undefined;
  readonly dead_letter?: z.input<typeof deadLetter> | undefined;
  /** Write to this branch of the tables, not to `main`. */
  readonly branch?: string | undefined;
  /** What has to hold before the branch becomes `main`, and how often that is tried. */
  readonly publish?: z.input<typeof publishSchema> | undefined;
  /** What is done to the job's tables beside ingestion, and when. */
  readonly maintenance?: z.input<typeof maintenanceSchema> | undefined;
  /** Byte budget of the process for rows and keys: `512MiB`. */
  readonly memory?: string | undefined;
  /** Folder for keys that do not fit in memory. */
  readonly cache?: string | undefined;
}

/** A `warehouse:` block as it is written. */
export type WarehouseInput = z.input<typeof warehouseSchema>;

/** The schema of a job file over the given source types. */
export function jobSchema<S extends SourceSchema>(sources: readonly S[]): z.ZodType<JobOver<S>> {
  // The compiler cannot see that each of the schemas has a literal `type`; zod checks it when the union is built.
  const options = sources as unknown as Parameters<typeof z.discriminatedUnion>[1];
  const source = z.discriminatedUnion("type", options);
  return z
    .strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9-]{1,40}$/, "must be 1 to 40 of a-z, 0-9 and -")
        .describe("The pipeline's identity: it resumes under this name, and its tag in the tables is `ingest.<name>`."),
      source: source.describe("Where changes come from."),
      warehouse: warehouseSchema.describe("Where the tables are."),
      tables: z.array(route).min(1).superRefine(checkTables).describe("Which changes go to which table, and how."),
      checkpoint: checkpoint
        .prefault({})
        .describe("When rows become a snapshot: whichever of `interval`, `max_rows` and `max_size` comes first."),
      dead_letter: deadLetter
        .optional()
        .describe(
          "Keeps messages that cannot be decoded in a table and goes on without them. Without it the first one ends the job with exit 65.",
        ),
      branch: branchSchema.optional(),
      publish: publishSchema
        .optional()
        .describe(
          "What has to hold before the branch becomes `main`, and how often the job itself tries. `frazil publish <job>` runs the same checks.",
        ),
      maintenance: maintenanceSchema
        .optional()
        .describe(
          "What is done to the job's tables beside ingestion, by intervals or cron expressions. Without it: nothing.",
        ),
      memory: size(64 * 2 ** 20)
        .prefault("512MiB")
        .describe("Byte budget of the process for rows and keys."),
      cache: z
        .string()
        .min(1)
        .optional()
        .meta({ example: "/var/cache/frazil" })
        .describe(
          "Folder on a local disk for the keys of `upsert` tables that do not fit in memory, 8 to 16 bytes a key. Whatever is lost of it is read from the tables again. `frazil` uses `frazil/keys` in the user's cache folder by default.",
        ),
    })
    .superRefine(checkDeadLetterTable)
    .superRefine(checkBranch)
    .transform(({ memory, dead_letter, maintenance, branch, publish, ...job }) => ({
      ...job,
      branch: branch ?? null,
      publish: publish ?? null,
      deadLetter: dead_letter ?? null,
      maintenance: maintenance ?? [],
      memoryBytes: memory,
    })) as unknown as z.ZodType<JobOver<S>>;
}
