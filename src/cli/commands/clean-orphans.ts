import { identText, type LoadedTable } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import { runCleaning } from "../../maintenance/clean-orphans/clean.ts";
import { type Orphan, type OrphanPlan, planOrphans } from "../../maintenance/clean-orphans/plan.ts";
import { locationsOf } from "../../maintenance/service/known-tables.ts";
import { listTables, namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import type { EngineOptions } from "../engine-options.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { jsonLine, sizeText } from "../output.ts";
import { type SparkEngine, sparkEngine } from "../spark-engine.ts";
import { cleanBySpark } from "./clean-orphans-spark.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface CleanOrphansOptions extends EngineOptions {
  readonly all?: boolean;
  readonly olderThan?: number;
  readonly foreign?: boolean;
  readonly list?: boolean;
  readonly yes?: boolean;
}

/** Iceberg's default: longer than any commit takes. */
const OLDER_THAN_MS = 3 * 86_400_000;

/** `frazil clean-orphans <table…> | --all [--yes]`: prints per table what nothing reaches, and deletes it with `--yes`. */
export async function cleanOrphans(
  context: CliContext,
  names: readonly string[],
  options: CleanOrphansOptions,
): Promise<void> {
  if (names.length > 0 === (options.all === true)) {
    throw new FrazilError("config", "USAGE", "expected table names or --all", {
      hint: "frazil clean-orphans shop.orders, or frazil clean-orphans --all",
    });
  }
  const { output } = context;
  const spark = sparkEngine(context, options);
  await withWarehouse(context, async (warehouse) => {
    const chosen = await Promise.all(names.map((name) => namedTable(warehouse, name)));
    const all = await everyTable(warehouse);
    const locations = all.flatMap(locationsOf);
    const plans: OrphanPlan[] = [];
    let refused: unknown = null;
    for (const table of options.all === true ? all : chosen) {
      try {
        const plan = await cleanTable({ context, warehouse, options, locations, spark }, table);
        if (plan.orphans.length > 0) plans.push(plan);
      } catch (error) {
        // A table that must not be cleaned keeps no other from it.
        if (!(error instanceof FrazilError) || error.kind !== "config" || options.all !== true) throw error;
        refused ??= error;
        const name = identText(table.ident);
        await output.write(
          output.json
            ? jsonLine({ event: "skipped", table: name, code: error.code, message: error.message })
            : `${name}: skipped: ${error.message}\n`,
        );
      }
    }
    if (options.yes === true && spark !== null && plans.length > 0) {
      await cleanBySpark(spark, plans, (plan, deleted, ms) =>
        writeCleaned(context, plan, { deleted, kept: plan.orphans.length - deleted.length, notDeleted: [], ms }),
      );
    }
    if (refused !== null) throw refused;
    if (options.yes !== true && plans.length > 0) output.note("nothing is changed yet: --yes does it");
  });
}

interface Cleaning {
  readonly context: CliContext;
  readonly warehouse: Warehouse;
  readonly options: CleanOrphansOptions;
  readonly locations: Parameters<typeof planOrphans>[2]["locations"];
  readonly spark: SparkEngine | null;
}

/** Deletes what is planned, unless Spark is to do it. */
async function cleanTable(
  { context, warehouse, options, locations, spark }: Cleaning,
  table: LoadedTable,
): Promise<OrphanPlan> {
  const { output, runtime } = context;
  const { catalog, io } = warehouse;
  const place = { catalog, io, runtime };
  const name = identText(table.ident);
  const { olderThan = OLDER_THAN_MS, foreign = false } = options;
  const plan = await planOrphans(place, table, { olderThanMs: olderThan, foreign, locations });
  if (options.list === true) {
    for (const orphan of plan.orphans) {
      await output.write(output.json ? jsonLine({ event: "orphan", table: name, ...orphan }) : `${orphan.location}\n`);
    }
  }
  await output.write(output.json ? jsonLine(planRecord(name, plan)) : planText(name, plan));
  if (options.yes !== true || plan.orphans.length === 0 || spark !== null) return plan;
  const startedMs = runtime.clock.monotonicMs();
  const done = await runCleaning(place, plan);
  await writeCleaned(context, plan, { ...done, ms: runtime.clock.monotonicMs() - startedMs });
  return plan;
}

interface Cleaned {
  readonly deleted: readonly Orphan[];
  /** Of the plan, as something reaches them now. */
  readonly kept: number;
  readonly notDeleted: readonly string[];
  readonly ms: number;
}

/** @throws FrazilError `io` when the store has not deleted all. */
async function writeCleaned({ output }: CliContext, plan: OrphanPlan, done: Cleaned): Promise<void> {
  const name = identText(plan.table.ident);
  const { deleted, kept, notDeleted } = done;
  const ms = Math.round(done.ms);
  const record = { event: "cleaned", table: name, ...counts(deleted), kept, notDeleted: notDeleted.length, ms };
  await output.write(output.json ? jsonLine(record) : `${name}: deleted ${filesText(deleted)} in ${ms} ms\n`);
  if (notDeleted.length === 0) return;
  throw new FrazilError(
    "io",
    "NOT_DELETED",
    `${counted(notDeleted.length, "file")} of table ${name} could not be deleted, the first of them ${notDeleted[0] ?? ""}`,
    { hint: "look at the rights to delete; the files only take space" },
  );
}

async function everyTable({ catalog }: Warehouse): Promise<LoadedTable[]> {
  const tables: LoadedTable[] = [];
  for (const ident of await listTables(catalog)) {
    const table = await catalog.loadTable(ident);
    if (table !== null) tables.push(table);
  }
  return tables;
}

function counts(orphans: readonly Orphan[]) {
  const of = (kind: Orphan["kind"]) => orphans.filter((orphan) => orphan.kind === kind).length;
  return {
    files: orphans.length,
    bytes: orphans.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    dataFiles: of("dataFiles"),
    deleteFiles: of("deleteFiles"),
    manifests: of("manifests"),
    manifestLists: of("manifestLists"),
    metadataFiles: of("metadataFiles"),
    statistics: of("statistics"),
  };
}

function planRecord(name: string, { orphans, listed, unknown, undecided, foreign }: OrphanPlan) {
  return { event: "plan", table: name, ...counts(orphans), listed, unknown, undecided, foreign };
}

function planText(name: string, { orphans, listed, unknown, undecided, foreign }: OrphanPlan): string {
  const others = foreign === 0 ? "" : `, ${grouped(foreign)} of other engines (--foreign takes them, too)`;
  const rest = `${grouped(undecided)} too young to tell, ${grouped(unknown)} not of a table's shape${others}`;
  if (orphans.length === 0) return `${name}: no orphans among ${counted(listed, "file")}; ${rest}\n`;
  return `${name}: ${filesText(orphans)} of ${grouped(listed)} are orphans; ${rest}\n`;
}

function filesText(orphans: readonly Orphan[]): string {
  const { files, bytes, dataFiles, deleteFiles, manifests, manifestLists, metadataFiles, statistics } = counts(orphans);
  const kinds = `${dataFiles} data, ${deleteFiles} delete, ${manifests + manifestLists + metadataFiles} metadata, ${statistics} statistics`;
  return `${counted(files, "file")} (${sizeText(BigInt(bytes))}: ${kinds})`;
}
