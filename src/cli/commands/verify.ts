import { identText, type LoadedTable, parseIdent, type TableIdent } from "../../../table-format/index.ts";
import { pipelinesOf } from "../../commit/read-pipeline.ts";
import { writersCatalog } from "../../commit/writer-branch.ts";
import { comparePlainPoints } from "../../core/compare-points.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { EXIT, FrazilError } from "../../core/errors.ts";
import { VERIFY_FINDINGS_SHOWN } from "../../core/limits.ts";
import type { Finding } from "../../maintenance/verify/finding.ts";
import { verifyHistory } from "../../maintenance/verify/history.ts";
import { verifyKeyFields } from "../../maintenance/verify/key-fields.ts";
import { verifyMetadata } from "../../maintenance/verify/metadata.ts";
import { verifiedSnapshots, verifyObjects } from "../../maintenance/verify/objects.ts";
import { verifyPipeline } from "../../maintenance/verify/pipeline.ts";
import { tableReferences } from "../../maintenance/verify/references.ts";
import { verifyRows } from "../../maintenance/verify/rows.ts";
import { verifyFolder } from "../../maintenance/verify/table-folder.ts";
import { verifyVectors } from "../../maintenance/verify/vectors.ts";
import { verifyCopy } from "../../maintenance/verify/version-copy.ts";
import { tablesWithoutHint, verifyHint } from "../../maintenance/verify/version-hint.ts";
import { listTables, namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { type CountedKeys, verifyKeys } from "../verify-keys.ts";
import { verifySource } from "../verify-source.ts";
import { warehouseSettings, withWarehouse } from "../warehouse-option.ts";

export interface VerifyOptions {
  readonly all?: boolean;
  readonly head?: boolean;
  /** Reads all data of the head, not only keys and footers. */
  readonly deep?: boolean;
  /** A job file: its source against its tables. */
  readonly source?: string;
}

/** `frazil verify <table…> | --all [--head] [--deep] | --source <job>`: ends with 0 when all is as it must be, else with 65 and one line a finding. */
export async function verify(context: CliContext, names: readonly string[], options: VerifyOptions): Promise<void> {
  if (options.source !== undefined) {
    if (names.length > 0 || options.all === true) {
      throw new FrazilError("config", "USAGE", "--source looks at all tables of its job: name no others", {
        hint: "frazil verify --source jobs/orders.yaml",
      });
    }
    const found = await verifySource(context, options.source, (subject, findings) =>
      print(context, subject, findings, null),
    );
    if (found > 0) process.exitCode = EXIT.data;
    return;
  }
  if (names.length > 0 === (options.all === true)) {
    throw new FrazilError("config", "USAGE", "expected table names or --all", {
      hint: "frazil verify shop.orders, or frazil verify --all",
    });
  }
  const isObjectStore = warehouseSettings(context).catalog.type === "object-store";
  await withWarehouse(context, async (warehouse) => {
    const verifying: Verifying = {
      context,
      warehouse,
      isObjectStore,
      headOnly: options.head === true,
      deep: options.deep === true,
    };
    const pipelines = new Set<string>();
    let found = 0;
    const unhinted = isObjectStore ? await tablesWithoutHint(warehouse.io, warehouse.location) : [];
    for (const finding of unhinted) {
      if (options.all === true || names.includes(finding.table)) {
        found += await print(context, finding.table, [finding], null);
      }
    }
    const left = names.filter((name) => !unhinted.some(({ table }) => table === name));
    const idents =
      options.all === true
        ? await listTables(warehouse.catalog)
        : await Promise.all(left.map((name) => namedIdent(warehouse, name)));
    if (idents.length === 0 && found === 0) context.output.note("there is no table to verify");
    for (const ident of idents) {
      const { findings, pipelines: own } = await verifyTable(verifying, ident);
      for (const pipeline of own) pipelines.add(pipeline);
      found += findings;
    }
    for (const pipeline of [...pipelines].sort()) found += await verifyNotes(verifying, pipeline);
    if (found > 0) {
      context.output.note(`${counted(found, "finding")}; frazil repair tells what of it can be repaired`);
      process.exitCode = EXIT.data;
    }
  });
}

interface Verifying {
  readonly context: CliContext;
  readonly warehouse: Warehouse;
  readonly isObjectStore: boolean;
  readonly headOnly: boolean;
  readonly deep: boolean;
}

/** A table whose metadata is gone has a name all the same. */
async function namedIdent(warehouse: Warehouse, name: string): Promise<TableIdent> {
  try {
    return (await namedTable(warehouse, name)).ident;
  } catch (error) {
    const broken = error instanceof FrazilError && error.code !== "TABLE_NOT_FOUND" && isDamage(error);
    if (!broken) throw error;
    return parseIdent(name);
  }
}

interface Verified {
  readonly snapshots: number;
  readonly objects: number;
  readonly vectors: number;
  readonly keys: CountedKeys;
}

async function verifyTable(
  { context, warehouse, isObjectStore, headOnly, deep }: Verifying,
  ident: TableIdent,
): Promise<{ readonly findings: number; readonly pipelines: readonly string[] }> {
  const { catalog, io } = warehouse;
  const name = identText(ident);
  let table: LoadedTable | null;
  try {
    table = await catalog.loadTable(ident);
  } catch (error) {
    if (!(error instanceof FrazilError) || !isDamage(error)) throw error;
    const hint = `bring it back from a backup${isObjectStore ? `, or look what frazil repair ${name} can prove` : ""}`;
    const finding: Finding = {
      check: "objects",
      table: name,
      object: "metadata",
      expected: "table metadata that can be read",
      found: error.message,
      hint,
    };
    return { findings: await print(context, name, [finding], null), pipelines: [] };
  }
  // Dropped since it was listed.
  if (table === null) return { findings: 0, pipelines: [] };
  const snapshots = verifiedSnapshots(table, headOnly);
  const references = await tableReferences(io, table, snapshots);
  const objects = await verifyObjects(warehouse, table, references);
  const vectors = await verifyVectors(io, table, references);
  const rows = await verifyRows(io, table, new Set(objects.map(({ object }) => object)), deep);
  // Where pipelines write to a branch, that is what their keys, tags and positions are of.
  const writers = writersCatalog(catalog, table);
  const written = (await writers.loadTable(ident)) ?? table;
  const keys = await verifyKeys({ ...warehouse, catalog: writers }, written);
  const findings = [
    ...objects,
    ...references.findings,
    ...verifyMetadata(table),
    ...(await verifyFolder(io, table)),
    ...rows,
    ...vectors,
    ...verifyKeyFields(table),
    ...keys.findings,
    ...verifyHistory(written, comparePlainPoints),
    ...(isObjectStore ? [...(await verifyHint(warehouse, table)), ...(await verifyCopy(io, table))] : []),
  ];
  const verified = {
    snapshots: snapshots.length,
    objects: references.objects.size,
    vectors: references.deleteFiles.size,
    keys,
  };
  return { findings: await print(context, name, findings, verified), pipelines: pipelinesOf(table) };
}

async function verifyNotes({ context, warehouse }: Verifying, pipeline: string): Promise<number> {
  const place = { ...warehouse, warehouseLocation: warehouse.location, pipeline };
  const findings = await verifyPipeline(place, comparePlainPoints);
  const { output } = context;
  const count = await print(context, `pipeline ${pipeline}`, findings, null);
  if (output.json) await output.write(jsonLine({ event: "verified", pipeline, findings: count }));
  return count;
}

/** What a missing or broken file looks like; all else is no finding, but keeps us from looking. */
function isDamage(error: FrazilError): boolean {
  return ["not-found", "corrupt", "unsupported"].includes(error.kind);
}

/** @returns how many findings there are. */
async function print(
  { output }: CliContext,
  subject: string,
  findings: readonly Finding[],
  verified: Verified | null,
): Promise<number> {
  if (output.json) {
    for (const finding of findings) await output.write(jsonLine({ event: "finding", ...finding }));
    if (verified !== null) {
      const { keys, ...counts } = verified;
      const { rows, unique } = keys;
      await output.write(
        jsonLine({ event: "verified", table: subject, ...counts, rows, unique, findings: findings.length }),
      );
    }
    return findings.length;
  }
  await output.write(
    `${findings.length === 0 ? "✓" : "✗"} ${subject}${verified === null ? "" : verifiedText(verified)}\n`,
  );
  const shown = new Map<string, number>();
  for (const { check, object, expected, found, hint } of findings) {
    const count = (shown.get(check) ?? 0) + 1;
    shown.set(check, count);
    if (count > VERIFY_FINDINGS_SHOWN) continue;
    await output.write(`  ${check}: ${object}\n    expected ${expected}, found ${found}\n    ${hint}\n`);
  }
  for (const [check, count] of shown) {
    const more = count - VERIFY_FINDINGS_SHOWN;
    if (more > 0) await output.write(`  ${check}: ${grouped(more)} more; --json prints all\n`);
  }
  return findings.length;
}

function verifiedText({ snapshots, objects, vectors, keys }: Verified): string {
  const rows = keys.rows === null ? "" : `, ${counted(Number(keys.rows), "live row")}`;
  const unique = keys.unique === true ? ", keys unique" : "";
  return `: ${counted(snapshots, "snapshot")}, ${counted(objects, "object")}, ${counted(vectors, "delete file or vector", "delete files and vectors")}${rows}${unique}`;
}
