import { identText, type LoadedTable, planSnapshot } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import type { Finding } from "../maintenance/verify/finding.ts";
import { tableNow } from "../query/as-of.ts";
import { countKeys, type KeyCount } from "../query/duplicate-keys.ts";
import type { Warehouse } from "../warehouse.ts";

/** What was found of the keys of a table's live rows. */
export interface CountedKeys {
  /** Live rows; null: they were not counted. */
  readonly rows: bigint | null;
  /** Null: the table has no key, or it could not be told. */
  readonly unique: boolean | null;
  readonly findings: readonly Finding[];
}

/** Rows of doubled keys that are looked at; of more, only the number of keys is told. */
const ROWS_SHOWN = 100;

/**
 * Reads the key columns of the head: each key once, and as many live rows as manifests and deletes say. A file that cannot be read is a
 * finding; if the table moved on meanwhile, the new head is looked at instead.
 */
export async function verifyKeys(warehouse: Warehouse, table: LoadedTable): Promise<CountedKeys> {
  const first = await keysOnce(warehouse, table);
  if (first.findings.length === 0) return first;
  const now = await warehouse.catalog.loadTable(table.ident);
  const moved = now !== null && now.metadata.currentSnapshotId !== table.metadata.currentSnapshotId;
  return moved ? keysOnce(warehouse, now) : first;
}

async function keysOnce(warehouse: Warehouse, table: LoadedTable): Promise<CountedKeys> {
  const name = identText(table.ident);
  const at = tableNow(table);
  const tell = (object: string, expected: string, found: string, hint: string): Finding => ({
    check: "keys",
    table: name,
    object,
    expected,
    found,
    hint,
  });
  let keys: KeyCount | null;
  try {
    keys = await countKeys(warehouse, at, ROWS_SHOWN);
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    if (!["corrupt", "data", "not-found", "unsupported"].includes(error.kind)) throw error;
    const finding = tell(
      `snapshot ${at.snapshot?.snapshotId}`,
      "rows that can be read",
      // DuckDB shows the statement below its reason.
      error.message.split("\n", 1)[0] ?? error.message,
      error.hint ?? "see what is found of its objects",
    );
    return { rows: null, unique: null, findings: [finding] };
  }
  if (keys === null) return { rows: null, unique: null, findings: [] };
  const findings = [...Map.groupBy(keys.doubled, ({ key }) => key)].map(([key, rows]) => {
    const places = rows.map(({ dataFile, position }) => `${dataFile} row ${position}`).join(", ");
    return tell(key, "one live row", `${rows.length}: ${places}`, `frazil repair ${name} tells which of them is older`);
  });
  const more = keys.doubledKeys - BigInt(findings.length);
  if (more > 0n) findings.push(tell(`${more} more keys`, "one live row of each", "several", `frazil repair ${name}`));
  const expected = await liveRows(warehouse, table);
  if (expected !== null && expected !== keys.rows) {
    const hint = "a data file does not hold what its manifest says: bring it back from a backup, or roll back";
    findings.push(
      tell(`snapshot ${at.snapshot?.snapshotId}`, `${expected} live rows by its manifests`, String(keys.rows), hint),
    );
  }
  return { rows: keys.rows, unique: keys.doubledKeys === 0n, findings };
}

/** Null where deletes are about rows that nobody but the files knows. */
async function liveRows({ io }: Warehouse, table: LoadedTable): Promise<bigint | null> {
  const { snapshot } = tableNow(table);
  if (snapshot === null) return 0n;
  const { dataFiles, deletes } = await planSnapshot(io, table.metadata, snapshot);
  let rows = 0n;
  for (const { file } of dataFiles) {
    const of = deletes.get(file.filePath) ?? [];
    // Position delete files may name a row twice, or rows of several files.
    if (of.some((each) => each.file.fileFormat !== "PUFFIN")) return null;
    rows += file.recordCount - of.reduce((sum, each) => sum + each.file.recordCount, 0n);
  }
  return rows;
}
