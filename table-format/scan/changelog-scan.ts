import { createBuilder } from "../arrow/builder.ts";
import type { Column } from "../arrow/column.ts";
import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import { ancestors, currentSnapshot, snapshotById, snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { constantColumn } from "../parquet/default-value.ts";
import { explicitRowIds, ROW_ID_FIELD } from "../parquet/lineage.ts";
import { checkIdentifierField, nestedFields } from "../schema/schema.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { type ChangedRows, diffSnapshots } from "./changelog.ts";
import { readRowsAt } from "./data-columns.ts";
import { type MatchedRows, matchRows, type RowIdentity } from "./row-matching.ts";

/** What happened to a row: it came, it went, or it is one of the two states of a row that changed. */
export type ChangeType = "INSERT" | "DELETE" | "UPDATE_BEFORE" | "UPDATE_AFTER";

/** The columns that a changelog has behind the table's, with the names and the reserved ids of Java's `MetadataColumns`. */
export const CHANGELOG_FIELDS: readonly NestedField[] = [
  { id: 2147483543, name: "_change_type", required: true, type: { kind: "string" } },
  { id: 2147483542, name: "_change_ordinal", required: true, type: { kind: "int" } },
  { id: 2147483541, name: "_commit_snapshot_id", required: true, type: { kind: "long" } },
];

/** Rows that one snapshot changed. */
export interface ChangelogRows {
  readonly snapshot: Snapshot;
  readonly length: number;
  /** The table's columns that were asked for; `_row_id` where rows are paired by it; `CHANGELOG_FIELDS`. */
  readonly fields: readonly NestedField[];
  /** In the order of `fields`. */
  readonly columns: readonly AnyColumn[];
}

export interface ChangelogOptions {
  /** Changes after this snapshot; by default, or null, from the empty table: the rows of the oldest snapshot that is held are inserts. */
  readonly from?: bigint | null;
  /** Changes up to this snapshot; by default the table's current one. */
  readonly to?: bigint;
  /**
   * Names of the columns (with dots within structs) by which the two states of a row are paired; by default the identifier fields of the
   * schema. With none rows are paired by row id, where the table has ids.
   */
  readonly identifierFields?: readonly string[];
  /** One change of the whole way rather than one for each snapshot: between any two snapshots, in either direction, of any branches. */
  readonly net?: boolean;
  /** By which all rows are read; by default the schema that the newer of the two snapshots was written with. */
  readonly schema?: Schema;
  /** The columns to read; by default all of the schema. Rows that differ in other columns alone have not changed. */
  readonly fields?: readonly NestedField[];
  readonly manifests?: ManifestCache;
}

/**
 * Reads what changed between two snapshots, snapshot by snapshot, oldest first: of each the rows that went, then those that came. A row
 * that went and came back with equal values does not show, nor does a snapshot that only moved rows to other files (`replace`). What
 * deletion vectors, position deletes and equality deletes hide is told row by row. Read are data files that differ and those of which
 * deletes take rows, never others.
 *
 * Held are a row group of one file, the manifest entries that differ, the delete files of both snapshots, and, for a snapshot by which
 * rows went and came, what `matchRows` says.
 *
 * @throws FrazilError `not-found` when a snapshot is not held; `config` when `from` is no ancestor of `to` (and the change is not to be
 * `net`), or a name no identifier field; as `readColumns`
 */
export async function* changelogScan(
  io: FileIO,
  metadata: TableMetadata,
  options: ChangelogOptions = {},
): AsyncGenerator<ChangelogRows> {
  const to = options.to === undefined ? currentSnapshot(metadata) : held(metadata, options.to);
  const from = options.from === undefined || options.from === null ? null : held(metadata, options.from);
  if (to === null) return;
  const schema = options.schema ?? snapshotSchema(metadata, from !== null && isNewer(from, to) ? from : to);
  const fields = options.fields ?? schema.fields;
  const identity = identityOf(metadata, schema, options.identifierFields);
  const steps = options.net === true ? [{ from, to }] : stepsBetween(metadata, from, to);
  for (const [ordinal, step] of steps.entries()) {
    if (step.from?.snapshotId === step.to.snapshotId) continue;
    const plan = await diffSnapshots(io, metadata, step.from, step.to, options.manifests);
    const compared = identity.by === "fields" ? withFields(schema, fields, identity.fieldIds) : fields;
    const matched = await matchRows({ io, metadata }, plan, schema, compared, identity);
    const reading: Reading = { io, metadata, fields, hasRowIds: identity.by === "row-id", ordinal, snapshot: step.to };
    yield* sideRows(reading, plan.deleted, matched, "deleted");
    yield* sideRows(reading, plan.inserted, matched, "inserted");
  }
}

/** Sequence numbers are all 0 in version 1. */
function isNewer(one: Snapshot, other: Snapshot): boolean {
  if (one.sequenceNumber !== other.sequenceNumber) return one.sequenceNumber > other.sequenceNumber;
  return one.timestampMs > other.timestampMs;
}

interface Step {
  readonly from: Snapshot | null;
  readonly to: Snapshot;
}

/** The snapshots that changed rows, each with the one before it. */
function stepsBetween(metadata: TableMetadata, from: Snapshot | null, to: Snapshot): Step[] {
  const steps: Step[] = [];
  let isFound = from === null;
  for (const snapshot of ancestors(metadata, to.snapshotId)) {
    if (snapshot === from) {
      isFound = true;
      break;
    }
    const { parentSnapshotId: parent } = snapshot;
    steps.push({ from: parent === null ? null : snapshotById(metadata, parent), to: snapshot });
  }
  if (!isFound) {
    const message = `expected an ancestor of snapshot ${to.snapshotId} as the beginning, found ${from?.snapshotId}`;
    throw new FrazilError("config", "SNAPSHOT_RANGE", message, {
      hint: "it lies on another branch, or snapshots in between have expired; the net change can be told of any two snapshots",
    });
  }
  return steps.reverse().filter((step) => step.from === null || step.to.summary.get("operation") !== "replace");
}

function held(metadata: TableMetadata, id: bigint): Snapshot {
  const snapshot = snapshotById(metadata, id);
  if (snapshot !== null) return snapshot;
  throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `the table holds no snapshot ${id}`, {
    hint: "it may have expired",
  });
}

function identityOf(metadata: TableMetadata, schema: Schema, names: readonly string[] | undefined): RowIdentity {
  const fieldIds = names === undefined ? schema.identifierFieldIds : names.map((name) => identifierId(schema, name));
  if (fieldIds.length > 0) return { by: "fields", fieldIds };
  return { by: metadata.formatVersion >= 3 ? "row-id" : "nothing" };
}

function identifierId(schema: Schema, name: string): number {
  let fields: readonly NestedField[] = schema.fields;
  let found: NestedField | undefined;
  for (const part of name.split(".")) {
    found = fields.find((field) => field.name === part);
    fields = found?.type.kind === "struct" ? found.type.fields : [];
  }
  found = schema.fields.find((field) => field.name === name) ?? found;
  if (found !== undefined) {
    // Of rows that are read, the column may as well be optional.
    checkIdentifierField({ ...found, required: true });
    return found.id;
  }
  throw new FrazilError("config", "UNKNOWN_COLUMN", `key column ${JSON.stringify(name)} is not in the schema`, {
    hint: `columns: ${schema.fields.map((field) => field.name).join(", ")}`,
  });
}

/** The fields, and those that hold some columns. */
function withFields(schema: Schema, fields: readonly NestedField[], ids: readonly number[]): readonly NestedField[] {
  const known = new Set([...nestedFields(fields)].map(({ id }) => id));
  const missing = schema.fields.filter((field) =>
    [...nestedFields([field])].some(({ id }) => ids.includes(id) && !known.has(id)),
  );
  return [...fields, ...missing];
}

interface Reading {
  readonly io: FileIO;
  readonly metadata: TableMetadata;
  readonly fields: readonly NestedField[];
  readonly hasRowIds: boolean;
  readonly ordinal: number;
  readonly snapshot: Snapshot;
}

const TYPES = {
  deleted: { alone: "DELETE", paired: "UPDATE_BEFORE" },
  inserted: { alone: "INSERT", paired: "UPDATE_AFTER" },
} as const satisfies Record<string, Record<string, ChangeType>>;

async function* sideRows(
  reading: Reading,
  changes: readonly ChangedRows[],
  { unchanged, updated }: MatchedRows,
  side: keyof typeof TYPES,
): AsyncGenerator<ChangelogRows> {
  const { io, metadata, snapshot } = reading;
  const rowId = reading.hasRowIds ? [ROW_ID_FIELD] : [];
  const wanted = [...reading.fields, ...rowId];
  const fields = [...wanted, ...CHANGELOG_FIELDS];
  for (const [index, { file, positions }] of changes.entries()) {
    const rows = positions === null ? Number(file.recordCount) : positions.cardinality;
    if (rows === unchanged[side].countOf(index)) continue;
    const hasChanged = (position: number): boolean => !unchanged[side].has(index, position);
    for await (const batch of readRowsAt(io, metadata, file, wanted, positions, hasChanged)) {
      const { length } = batch.positions;
      const isPaired = (position: number): boolean => updated[side].has(index, position);
      const types = Array.from(batch.positions, (position) => TYPES[side][isPaired(position) ? "paired" : "alone"]);
      const idsOf = (stored: Column): Column => explicitRowIds(stored, file, (row) => batch.positions[row] as number);
      const own = reading.hasRowIds
        ? [...batch.columns.slice(0, -1), idsOf(batch.columns.at(-1) as Column)]
        : batch.columns;
      yield { snapshot, length, fields, columns: [...own, ...changeColumns(reading, types)] };
    }
  }
}

/** The values of `CHANGELOG_FIELDS`. */
function changeColumns({ ordinal, snapshot }: Reading, types: readonly ChangeType[]): Column[] {
  const builder = createBuilder({ kind: "string" });
  for (const type of types) builder.appendString(type);
  return [
    builder.finish(),
    constantColumn({ kind: "int" }, ordinal, types.length),
    constantColumn({ kind: "long" }, snapshot.snapshotId, types.length),
  ];
}
