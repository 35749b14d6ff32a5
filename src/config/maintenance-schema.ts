import { z } from "zod";
import { COMPACT_DELETE_RATIO, COMPACT_MIN_FILES, EXPIRE_MAX_SNAPSHOTS } from "../core/limits.ts";
import type { MaintenanceKind, MaintenanceTask } from "../core/maintenance.ts";
import { cronProblem, type Schedule } from "../core/schedule.ts";
import { isSortExpression } from "./job-rules.ts";
import { duration, share, size, text, whole } from "./scalars.ts";

/** The shortest interval: each point costs a look at the table. */
const SHORTEST_EVERY_MS = 1_000;

/** When something is done: the settings that every kind has. */
function when(usual: string) {
  return {
    every: duration(SHORTEST_EVERY_MS)
      .optional()
      .meta({ example: usual })
      .describe(`At the multiples of this time since 1970 UTC. Default: \`${usual}\`, unless \`cron\` is given.`),
    cron: text()
      .optional()
      .meta({ example: "0 3 * * *" })
      .describe("Five fields: minute, hour, day of month, month, day of week; instead of `every`."),
    zone: text().optional().describe("Time zone of `cron`. Default: `UTC`.").meta({ example: "Europe/Berlin" }),
  };
}

interface When {
  readonly every?: number | undefined;
  readonly cron?: string | undefined;
  readonly zone?: string | undefined;
}

function checkWhen(value: When, context: z.RefinementCtx): void {
  const issue = (key: string, message: string): void => context.addIssue({ code: "custom", path: [key], message });
  if (value.cron !== undefined && value.every !== undefined) issue("cron", "is one schedule too many beside every");
  if (value.cron === undefined && value.zone !== undefined) issue("zone", "belongs to cron");
  // Lint leaves a variable without a value in place.
  if (value.cron === undefined || /\$\{/.test(`${value.cron}${value.zone}`)) return;
  const problem = cronProblem(value.cron, value.zone ?? "UTC");
  if (problem !== null) issue(problem.includes("zone") ? "zone" : "cron", problem);
}

function scheduleOf({ every, cron, zone }: When, usualMs: number): Schedule {
  return cron === undefined ? { everyMs: every ?? usualMs } : { cron, zone: zone ?? "UTC" };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const compact = z
  .strictObject({
    ...when("10m"),
    target_size: size(2 ** 16)
      .prefault("256MiB")
      .describe("Files are joined up to this size."),
    min_files: whole(2).prefault(COMPACT_MIN_FILES).describe("Join at least so many small files."),
    delete_ratio: share()
      .prefault(COMPACT_DELETE_RATIO)
      .describe("Rewrite a file of which at least this share of the rows is deleted; 0: one that has any deletes."),
    pace: share()
      .refine((value) => value > 0, { error: "must be above 0" })
      .prefault(0.5)
      .describe("The share of the time that a rewrite works; then it rests, so that ingestion stays fresh."),
    sort_by: z
      .array(z.string().refine(isSortExpression, { error: "must be a term as in the sort_by of a table" }))
      .min(1)
      .optional()
      .meta({ example: ["region", "created_at desc"] })
      .describe(
        "Sort the rows of the files that are rewritten, by terms as in a table's `sort_by`. Default: files that are sorted by one order of the table stay so.",
      ),
    z_order: z
      .array(text())
      .min(1)
      .optional()
      .meta({ example: ["customer_id", "created_at"] })
      .describe(
        "Put the rows of the files that are rewritten along a z-order curve over these columns, instead of `sort_by`.",
      ),
    where: text()
      .optional()
      .meta({ example: "day(created_at) >= now - 7d" })
      .describe("Take only files that may hold such rows, as with `frazil compact --where`."),
  })
  .superRefine(checkWhen)
  .superRefine((value, context) => {
    if (value.sort_by === undefined || value.z_order === undefined) return;
    context.addIssue({ code: "custom", path: ["z_order"], message: "is one order too many beside sort_by" });
  })
  .transform((value): MaintenanceTask<"compact"> => ({
    kind: "compact",
    schedule: scheduleOf(value, 10 * MINUTE_MS),
    targetSizeBytes: value.target_size,
    minFiles: value.min_files,
    deleteRatio: value.delete_ratio,
    pace: value.pace,
    arrange:
      value.z_order !== undefined
        ? { zOrder: value.z_order }
        : value.sort_by !== undefined
          ? { sortBy: value.sort_by }
          : null,
    where: value.where ?? null,
  }));

const expire = z
  .strictObject({
    ...when("1h"),
    keep: duration()
      .optional()
      .meta({ example: "7d" })
      .describe("Keep snapshots younger than this. Default: the table's own property, else five days."),
    min_snapshots: whole(1)
      .optional()
      .describe("Snapshots of each branch to keep at least. Default: the table's own property, else 1."),
    max_snapshots: whole(1)
      .optional()
      .describe(
        `Snapshots of each branch to keep at most, but for those of the last hour and what is needed. Default: ${EXPIRE_MAX_SNAPSHOTS} where neither \`keep\` nor the table says how long they stay, else no bound.`,
      ),
  })
  .superRefine(checkWhen)
  .superRefine(({ min_snapshots: least, max_snapshots: most }, context) => {
    if (least === undefined || most === undefined || least <= most) return;
    context.addIssue({ code: "custom", path: ["max_snapshots"], message: `must not be below min_snapshots, ${least}` });
  })
  .transform((value): MaintenanceTask<"expire"> => ({
    kind: "expire",
    schedule: scheduleOf(value, HOUR_MS),
    keepMs: value.keep ?? null,
    minSnapshots: value.min_snapshots ?? null,
    maxSnapshots: value.max_snapshots ?? null,
  }));

const analyze = z
  .strictObject(when("1d"))
  .superRefine(checkWhen)
  .transform((value): MaintenanceTask<"analyze"> => ({ kind: "analyze", schedule: scheduleOf(value, DAY_MS) }));

const rewriteManifests = z
  .strictObject(when("1h"))
  .superRefine(checkWhen)
  .transform((value): MaintenanceTask<"rewrite_manifests"> => ({
    kind: "rewrite_manifests",
    schedule: scheduleOf(value, HOUR_MS),
  }));

const cleanOrphans = z
  .strictObject({
    ...when("1d"),
    older_than: duration(DAY_MS)
      .prefault("3d")
      .describe("Files whose name does not tell that they are garbage count as such from this age on; at least `1d`."),
    foreign: z
      .boolean()
      .default(false)
      .describe("Whether files of other engines are deleted as well, from that age on."),
  })
  .superRefine(checkWhen)
  .transform((value): MaintenanceTask<"clean_orphans"> => ({
    kind: "clean_orphans",
    schedule: scheduleOf(value, DAY_MS),
    olderThanMs: value.older_than,
    foreign: value.foreign,
  }));

const tag = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,60}$/, "must be a letter and up to 60 letters, digits, _ and -")
      .meta({ example: "daily" })
      .describe("What the tags' names begin with: `daily` makes `daily-2026-11-21`, hourly ones `…T13`."),
    ...when("1d"),
    keep: duration().prefault("30d").describe("How long a tag holds its snapshot; then expiry takes both away."),
  })
  .superRefine(checkWhen)
  .transform((value): MaintenanceTask<"tag"> => ({
    kind: "tag",
    schedule: scheduleOf(value, DAY_MS),
    name: value.name,
    keepMs: value.keep,
  }));

/** The schema of each kind; one that is a list may be given several times. */
export const maintenanceShape = {
  compact: compact.optional().describe("Joins small data files and rewrites those with many deleted rows."),
  rewrite_manifests: rewriteManifests.optional().describe("Joins small manifests, sorted by partition."),
  expire: expire.optional().describe("Takes out old snapshots and deletes what only they reach."),
  analyze: analyze.optional().describe("Counts the distinct values of columns, for planners; reads all rows."),
  clean_orphans: cleanOrphans.optional().describe("Deletes files that nothing reaches."),
  tag: z
    .array(tag)
    .superRefine(checkTagNames)
    .optional()
    .describe("Gives the table as it was at each point of time a name."),
} satisfies Record<MaintenanceKind, z.ZodType>;

function checkTagNames(tags: readonly MaintenanceTask<"tag">[], context: z.RefinementCtx): void {
  for (const [index, { name }] of tags.entries()) {
    if (tags.findIndex((other) => other.name === name) === index) continue;
    context.addIssue({ code: "custom", path: [index, "name"], message: `"${name}" is taken by another entry` });
  }
}

/** The tasks of a block of `maintenanceShape`, in the order in which they are done when several are due. */
export function tasksOf(block: {
  readonly [K in MaintenanceKind]?: MaintenanceTask<K> | readonly MaintenanceTask<K>[] | undefined;
}): readonly MaintenanceTask[] {
  return (Object.keys(ORDER) as MaintenanceKind[])
    .toSorted((a, b) => ORDER[a] - ORDER[b])
    .flatMap((kind): readonly MaintenanceTask[] => [block[kind] ?? []].flat());
}

/** Tags first, as they are about a point of time; what makes garbage comes before what clears it away. */
const ORDER: Record<MaintenanceKind, number> = {
  tag: 0,
  compact: 1,
  rewrite_manifests: 2,
  expire: 3,
  analyze: 4,
  clean_orphans: 5,
};

/** The `maintenance:` block of a job. */
export const maintenanceSchema = z.strictObject(maintenanceShape).transform(tasksOf);
