import {
  type FileIO,
  explicitLineage,
  type ManifestCache,
  planSnapshot,
  readDataFile,
  readDeletionVector,
  readPositionDeletes,
  type RoaringBitmap,
  type Schema,
  type Snapshot,
  type TableMetadata,
  valueAt,
  withLineage,
} from "../../../table-format/index.ts";
import { readStamp, type Stamp } from "../../../src/commit/stamp.ts";
import { Changelog, FIRST_GUEST, rowText, type TableName } from "./changelog.ts";

/** A promise of the protocol does not hold. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, what: string) {
    super(`${rule}: ${what}`);
    this.rule = rule;
  }
}

/** What a snapshot must hold. */
export interface Expected {
  /** By key; of registers by key and number. */
  readonly rows: ReadonlyMap<string, string>;
  /** Changes of each split that are in it. */
  readonly position: ReadonlyMap<string, number>;
  readonly epoch: bigint;
  /** What the accounts hold together, once that has been asked. */
  sum?: number;
}

/** What is known of a table. */
interface KnownTable {
  readonly metadata: TableMetadata;
  readonly expected: Map<bigint, Expected>;
  /** The snapshot that the pipeline's tag names, and what it is stamped with. */
  readonly tagged: { readonly id: bigint; readonly stamp: Stamp | null } | null;
}

/** A table with all that is known of it, as it was at one moment. */
export type TableBackup = KnownTable;

/** What somebody else's commit did, by what he drew its snapshot id for. */
export type ForeignAct = { readonly removed: readonly number[]; readonly added: ReadonlyMap<string, string> };

const EMPTY: Expected = { rows: new Map(), position: new Map(), epoch: 0n };
const FORGOTTEN: Expected["rows"] = new Map();

/**
 * Knows what each snapshot must hold: it sees every swap of every table, and derives a new snapshot from its parent by the changes
 * between their positions.
 */
export class Oracle {
  readonly changelog: Changelog;
  readonly foreign = new Map<bigint, ForeignAct>();
  readonly #tables = new Map<TableName, KnownTable>();
  readonly #pipeline: string;

  constructor(changelog: Changelog, pipeline: string) {
    this.changelog = changelog;
    this.#pipeline = pipeline;
  }

  get tables(): ReadonlyMap<TableName, { readonly metadata: TableMetadata }> {
    return this.#tables;
  }

  /** Whether somebody has taken the pipeline over from whoever has this epoch. */
  isOvertaken(epoch: bigint): boolean {
    return [...this.#tables.values()].some(({ tagged }) => (tagged?.stamp?.epoch ?? 0n) > epoch);
  }

  expected(table: TableName, snapshotId: bigint): Expected {
    const found = this.#tables.get(table)?.expected.get(snapshotId);
    if (found === undefined) throw new Violation("unknown snapshot", `${table} ${snapshotId}`);
    return found;
  }

  /** What is known of a table now, to `restore` it to; null: it is not there. */
  backup(table: TableName): TableBackup | null {
    const known = this.#tables.get(table);
    return known === undefined ? null : { ...known, expected: new Map(known.expected) };
  }

  /** Somebody has put a table back to what it was. The ledger may name what it has lost since until the next cut. */
  restore(table: TableName, { metadata, expected, tagged }: TableBackup): void {
    const known = new Map([...(this.#tables.get(table)?.expected ?? []), ...expected]);
    this.#tables.set(table, { metadata, expected: known, tagged });
  }

  /** A table has got new metadata. @returns the snapshots that came with it. */
  swapped(table: TableName, metadata: TableMetadata): readonly Snapshot[] {
    const before = this.#tables.get(table);
    const expected = before?.expected ?? new Map<bigint, Expected>();
    const fresh = metadata.snapshots.filter(({ snapshotId }) => !expected.has(snapshotId));
    if (before !== undefined && before.metadata.tableUuid !== metadata.tableUuid) {
      throw new Violation("table replaced", table);
    }
    const tagged = this.#tagged(metadata, before?.tagged ?? null);
    checkTag(table, before?.tagged?.stamp ?? null, tagged?.stamp ?? null);
    this.#tables.set(table, { metadata, expected, tagged });
    for (const snapshot of fresh) expected.set(snapshot.snapshotId, this.#derive(table, snapshot, expected));
    if (before !== undefined && before.metadata.snapshots.length + fresh.length > metadata.snapshots.length) {
      forget(before, metadata);
    }
    return fresh;
  }

  #derive(table: TableName, snapshot: Snapshot, known: ReadonlyMap<bigint, Expected>): Expected {
    const { parentSnapshotId, snapshotId, summary } = snapshot;
    const parent = parentSnapshotId === null ? EMPTY : known.get(parentSnapshotId);
    if (parent === undefined || parent.rows === FORGOTTEN)
      throw new Violation("unknown parent", `${table} ${snapshotId} on ${parentSnapshotId}`);
    const act = this.foreign.get(snapshotId);
    if (act !== undefined) {
      const rows = new Map([...parent.rows, ...act.added]);
      for (const id of act.removed) rows.delete(String(id));
      return { rows, position: parent.position, epoch: parent.epoch };
    }
    const stamp = readStamp(snapshot);
    if (stamp === null) return parent;
    const position = new Map([...stamp.position].map(([split, point]) => [split, Number(point)]));
    for (const [split, point] of position) {
      const length = this.changelog.splits.get(split)?.length ?? 0;
      if (point > length) throw new Violation("position ahead", `${table} ${split}: ${point} of ${length}`);
      if (point > 0 && (this.changelog.ends.get(split)?.lastIndexOf(point) ?? -1) < 0) {
        throw new Violation("torn transaction", `${table} ${split}: ${point} lies in a transaction`);
      }
    }
    if (summary.has("ingest.rollback-to")) return { rows: parent.rows, position, epoch: stamp.epoch };
    for (const [split, point] of parent.position) {
      if ((position.get(split) ?? 0) < point) {
        throw new Violation(
          "position back",
          `${table} ${snapshotId}: ${split} from ${point} to ${position.get(split)}`,
        );
      }
    }
    return { rows: this.#applied(table, parent, position), position, epoch: stamp.epoch };
  }

  #applied(table: TableName, before: Expected, position: ReadonlyMap<string, number>): ReadonlyMap<string, string> {
    let rows: Map<string, string> | null = null;
    for (const [split, end] of position) {
      const log = this.changelog.splits.get(split) ?? [];
      for (let at = before.position.get(split) ?? 0; at < end; at++) {
        const change = log[at];
        if (change === undefined || change.table !== table) continue;
        const { op, id, part, value, extra } = change;
        const key = table === "log" ? `${id} ${value}` : String(id);
        rows ??= new Map(before.rows);
        if (op === "delete") rows.delete(key);
        else rows.set(key, rowText(id, part, value, extra));
      }
    }
    // Most snapshots of a long run hold what their parent holds.
    return rows ?? before.rows;
  }

  #tagged({ refs, snapshots }: TableMetadata, before: KnownTable["tagged"]): KnownTable["tagged"] {
    const id = refs.get(`ingest.${this.#pipeline}`)?.snapshotId;
    // Snapshots never change.
    if (id === before?.id) return before;
    const snapshot = snapshots.findLast(({ snapshotId }) => snapshotId === id);
    return snapshot === undefined ? null : { id: snapshot.snapshotId, stamp: readStamp(snapshot) };
  }
}

/** The fence: the tag's epoch never falls. */
function checkTag(table: TableName, was: Stamp | null, is: Stamp | null): void {
  if (was !== null && (is === null || is.epoch < was.epoch)) {
    throw new Violation("epoch back", `${table}: from ${was.epoch} to ${is === null ? "nothing" : is.epoch}`);
  }
}

/** Of snapshots that have expired nobody reads the rows any more; their sum may be asked for, as long as the ledger names them. */
function forget({ metadata, expected }: KnownTable, after: TableMetadata): void {
  const left = new Set(after.snapshots.map(({ snapshotId }) => snapshotId));
  for (const { snapshotId } of metadata.snapshots) {
    const known = expected.get(snapshotId);
    if (left.has(snapshotId) || known === undefined) continue;
    expected.set(snapshotId, { ...known, rows: FORGOTTEN, sum: accountsSum(known) });
  }
}

/** Reads a snapshot straight from the store and compares it with what it must hold. */
export async function checkSnapshot(
  io: FileIO,
  oracle: Oracle,
  table: TableName,
  snapshot: Snapshot,
  manifests: ManifestCache,
): Promise<void> {
  const metadata = oracle.tables.get(table)?.metadata;
  if (metadata === undefined) return;
  const expected = oracle.expected(table, snapshot.snapshotId);
  const found = await snapshotRows(io, metadata, snapshot, manifests);
  const texts = new Set(found.map(({ text }) => text));
  const wanted = [...expected.rows.values()];
  const where = `${table} snapshot ${snapshot.snapshotId}`;
  // No two rows that are wanted look alike.
  if (found.length !== wanted.length || wanted.some((text) => !texts.has(text))) {
    const all = found.map(({ text }) => text);
    throw new Violation("rows differ", `${where}: ${differenceText(wanted, all)}`);
  }
  if (table === "log") checkOrder(where, found);
}

/** Each register's numbers stand in their order, where rows have ids. */
function checkOrder(where: string, rows: readonly FoundRow[]): void {
  const last = new Map<string, number>();
  const inOrder = rows
    .filter(({ rowId }) => rowId !== null)
    .toSorted((a, b) => Number((a.rowId ?? 0n) - (b.rowId ?? 0n)));
  for (const { text } of inOrder) {
    const [id = "", part = "", value = ""] = text.split("|");
    if (part === "f") continue;
    if (Number(value) <= (last.get(id) ?? 0)) throw new Violation("register out of order", `${where}: ${text}`);
    last.set(id, Number(value));
  }
}

/** What the accounts among the rows of a snapshot hold together. */
export function accountsSum(expected: Expected): number {
  expected.sum ??= sumOf(expected.rows);
  return expected.sum;
}

function sumOf(rows: Expected["rows"]): number {
  let sum = 0;
  for (const [key, row] of rows) {
    if (Number(key) < FIRST_GUEST) sum += Number(row.split("|")[2]);
  }
  return sum;
}

interface FoundRow {
  readonly text: string;
  readonly rowId: bigint | null;
}

async function snapshotRows(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  manifests: ManifestCache,
): Promise<FoundRow[]> {
  const current = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId) as Schema;
  const schema = withLineage(current);
  const columns = ["id", "part", "value", "extra"].map(
    (name) => schema.fields.find((field) => field.name === name)?.id,
  );
  const known = columns.filter((id) => id !== undefined);
  const ids = [...known, 2147483540, 2147483539];
  const plan = await planSnapshot(io, metadata, snapshot, manifests);
  const rows: FoundRow[] = [];
  for (const live of plan.dataFiles) {
    const deletes = plan.deletes.get(live.file.filePath) ?? [];
    if (deletes.length > 1) throw new Violation("two vectors", `${live.file.filePath} has ${deletes.length}`);
    const dead = deletes[0] === undefined ? null : await deadRows(io, live.file.filePath, deletes[0].file);
    let position = 0;
    for await (const read of readDataFile(io, live.file, schema, ids)) {
      const batch = explicitLineage(read, live, position);
      for (let row = 0; row < batch.length; row++, position++) {
        if (dead?.has(position) === true) continue;
        const cell = (column: number) => valueAt(batch.columns[column] as (typeof batch.columns)[number], row);
        const rowId = cell(known.length) as bigint | null;
        const extra = known.length > 3 ? (cell(3) as bigint | null) : null;
        rows.push({ text: rowText(cell(0) as bigint, String(cell(1)), cell(2) as bigint | null, extra), rowId });
      }
    }
  }
  return rows;
}

async function deadRows(
  io: FileIO,
  dataFile: string,
  deletes: Parameters<typeof readDeletionVector>[1],
): Promise<RoaringBitmap> {
  if (deletes.fileFormat === "PUFFIN") return readDeletionVector(io, deletes);
  const dead = (await readPositionDeletes(io, deletes)).get(dataFile);
  if (dead === undefined) throw new Violation("foreign position deletes", deletes.filePath);
  return dead;
}

function differenceText(wanted: readonly string[], found: readonly string[]): string {
  const count = (rows: readonly string[]) => Map.groupBy(rows, (row) => row);
  const [w, f] = [count(wanted), count(found)];
  const missing = [...w].filter(([row, all]) => (f.get(row)?.length ?? 0) < all.length).map(([row]) => `lacks ${row}`);
  const extra = [...f].filter(([row, all]) => (w.get(row)?.length ?? 0) < all.length).map(([row]) => `has ${row}`);
  return [...missing, ...extra].slice(0, 8).join(", ");
}
