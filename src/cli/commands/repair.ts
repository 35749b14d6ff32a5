import { identText, type LoadedTable, parseIdent } from "../../../table-format/index.ts";
import { pipelinesOf } from "../../commit/read-pipeline.ts";
import { writersCatalog } from "../../commit/writer-branch.ts";
import { comparePlainPoints } from "../../core/compare-points.ts";
import { EXIT, FrazilError } from "../../core/errors.ts";
import { REPAIRED_ROWS } from "../../core/limits.ts";
import { planHintRepair } from "../../maintenance/repair/hint.ts";
import { planKeyRepair } from "../../maintenance/repair/key-fields.ts";
import { planLedgerRepair } from "../../maintenance/repair/ledger.ts";
import { NOTHING, type RepairPlan } from "../../maintenance/repair/repair.ts";
import { planDoubledRows, planDropMissing } from "../../maintenance/repair/rows.ts";
import { planStatisticsRepair } from "../../maintenance/repair/statistics.ts";
import { planFolderRepair } from "../../maintenance/repair/table-folder.ts";
import { planTagRepair } from "../../maintenance/repair/tag.ts";
import { verifyMetadata } from "../../maintenance/verify/metadata.ts";
import { verifiedSnapshots, verifyObjects } from "../../maintenance/verify/objects.ts";
import { tableReferences } from "../../maintenance/verify/references.ts";
import { verifyRows } from "../../maintenance/verify/rows.ts";
import { verifyVectors } from "../../maintenance/verify/vectors.ts";
import { tableNow } from "../../query/as-of.ts";
import { countKeys } from "../../query/duplicate-keys.ts";
import { namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { warehouseSettings, withWarehouse } from "../warehouse-option.ts";

export interface RepairOptions {
  readonly dropMissing?: boolean;
  readonly yes?: boolean;
}

/** `frazil repair <table> [--drop-missing] [--yes]`: what of the findings can be put right without guessing; acts with `--yes`. */
export async function repair(context: CliContext, name: string, options: RepairOptions): Promise<void> {
  const { output } = context;
  const isObjectStore = warehouseSettings(context).catalog.type === "object-store";
  await withWarehouse(context, async (warehouse) => {
    const { repairs, refusals } = await planAll({ context, warehouse, isObjectStore, options }, name);
    for (const { repair: what, table, plan, rows } of repairs) {
      await output.write(
        output.json
          ? jsonLine({ event: "plan", repair: what, table, plan, rows })
          : `${options.yes === true ? "repairs" : "would repair"} ${table}: ${plan}\n`,
      );
    }
    for (const refusal of refusals) {
      await output.write(
        output.json
          ? jsonLine({ event: "refused", ...refusal })
          : `✗ ${refusal.table}: ${refusal.problem}\n  ${refusal.hint}\n`,
      );
    }
    if (refusals.length > 0) process.exitCode = EXIT.data;
    if (repairs.length === 0 && refusals.length === 0) {
      output.note(`${name}: nothing to repair. Kept keys (cache:) need none: a job builds them anew from the table`);
    }
    if (repairs.length > 0 && options.yes !== true) output.note("nothing is changed yet: --yes does it");
    if (options.yes !== true) return;
    for (const { repair: what, table, run } of repairs) {
      const done = await run();
      await output.write(output.json ? jsonLine({ event: "repaired", repair: what, table, done }) : `✓ ${done}\n`);
    }
    if (repairs.length > 0) output.note(`frazil verify ${name} looks again`);
  });
}

interface Repairing {
  readonly context: CliContext;
  readonly warehouse: Warehouse;
  readonly isObjectStore: boolean;
  readonly options: RepairOptions;
}

async function planAll(repairing: Repairing, name: string): Promise<RepairPlan> {
  const { warehouse, isObjectStore } = repairing;
  if (isObjectStore) {
    const ident = parseIdent(name);
    if (ident.namespace.length > 0) {
      const plan = await planHintRepair(warehouse.io, ident, warehouse.catalog.defaultLocation(ident));
      // What the hint will name is what the rest is to be looked for in.
      if (plan.repairs.length > 0 || plan.refusals.length > 0) return plan;
    }
  }
  try {
    return await planTable(repairing, await namedTable(warehouse, name));
  } catch (error) {
    if (!(error instanceof FrazilError) || !isBrokenTable(error)) throw error;
    const hint =
      "bring the file back from a backup or an older version of it; without one the table's rows are in its data files, and a new table can take them (add_files of another engine)";
    return { repairs: [], refusals: [{ table: name, problem: error.message, hint }] };
  }
}

/** Its metadata is gone or nonsense, or something that it names: which is not to be guessed. */
function isBrokenTable({ kind, code }: FrazilError): boolean {
  return kind === "corrupt" || (kind === "not-found" && code !== "TABLE_NOT_FOUND");
}

async function planTable({ context, warehouse, options }: Repairing, table: LoadedTable): Promise<RepairPlan> {
  const { runtime } = context;
  const place = { ...warehouse, warehouseLocation: warehouse.location, runtime };
  const catalog = writersCatalog(warehouse.catalog, table);
  const written = (await catalog.loadTable(table.ident)) ?? table;
  // Where the table lies comes before all that is written there.
  const folder = await planFolderRepair(place, table);
  if (folder !== NOTHING) return folder;
  const plans = [await planTagRepair({ ...place, catalog }, written)];
  // Notes are written from tags: those come first, and the notes with the next call.
  if (plans[0]?.repairs.length === 0) {
    for (const pipeline of pipelinesOf(table)) {
      plans.push(await planLedgerRepair({ ...place, pipeline }, comparePlainPoints));
    }
  }
  plans.push(
    await planStatisticsRepair({ ...place, manifests: { get: () => undefined, set: () => undefined } }, table),
  );
  // Rows are put right where the pipelines write: `main` gets them with the next publication.
  plans.push(...(await planRows({ ...place, catalog }, { ...warehouse, catalog }, written, options)));
  // The last one: the others assert the schema that they were planned on.
  plans.push(planKeyRepair(place, table));
  return { repairs: plans.flatMap(({ repairs }) => repairs), refusals: plans.flatMap(({ refusals }) => refusals) };
}

async function planRows(
  place: Parameters<typeof planDoubledRows>[0],
  warehouse: Warehouse,
  table: LoadedTable,
  { dropMissing = false }: RepairOptions,
): Promise<RepairPlan[]> {
  const name = identText(table.ident);
  const references = await tableReferences(warehouse.io, table, verifiedSnapshots(table, true));
  const found = await verifyObjects(warehouse, table, references);
  const kindOf = (location: string) => references.objects.get(location)?.kind;
  const known = new Set(found.map(({ object }) => object));
  const broken = [
    ...found,
    ...references.findings,
    ...verifyMetadata(table),
    ...(await verifyRows(warehouse.io, table, known, false)),
    ...(await verifyVectors(warehouse.io, table, references)),
  ];
  const gone = new Set(
    found
      .filter(({ object, found: what }) => what === "nothing" && kindOf(object) === "data file")
      .map(({ object }) => object),
  );
  const others = broken.filter(({ object }) => !gone.has(object) && kindOf(object) !== "statistics file");
  const plans: RepairPlan[] = others.map(({ object, expected, found: what, hint }) => ({
    repairs: [],
    refusals: [{ table: name, problem: `${object}: expected ${expected}, found ${what}`, hint }],
  }));
  if (gone.size > 0) {
    const plan = others.length > 0 ? NOTHING : await planDropMissing(place, table, gone);
    if (dropMissing) return [...plans, plan];
    const rows = plan.repairs.reduce((sum, each) => sum + each.rows, 0n);
    const problem = `${gone.size} data files are gone, with ${rows} live rows: ${[...gone].join(", ")}`;
    const hint = `bring them back from a backup, or give the rows up: frazil repair ${name} --drop-missing`;
    return [...plans, { repairs: [], refusals: [{ table: name, problem, hint }] }];
  }
  // Keys can only be counted where all rows can be read.
  if (others.length > 0) return plans;
  return [...plans, await planDoubledRows(place, table, await doubledRows(warehouse, table))];
}

async function doubledRows(warehouse: Warehouse, table: LoadedTable) {
  try {
    return (await countKeys(warehouse, tableNow(table), REPAIRED_ROWS))?.doubled ?? [];
  } catch (error) {
    // frazil verify says what keeps them from being counted.
    if (error instanceof FrazilError && ["corrupt", "data", "unsupported"].includes(error.kind)) return [];
    throw error;
  }
}
