import { createBuilder } from "../arrow/builder.ts";
import type { Column } from "../arrow/column.ts";
import { FrazilError } from "../errors.ts";
import type { Expression } from "../expression/expression.ts";
import type { FileIO } from "../io/file-io.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import { ancestors, currentSnapshot, snapshotById, snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import { constantColumn } from "../parquet/default-value.ts";
import { explicitRowIds, ROW_ID_FIELD } from "../parquet/lineage.ts";
import { checkIdentifierField, nestedFields } from "../schema/schema.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { type ChangedRows, countOf, diffSnapshots } from "./changelog.ts";
import { fileRows, inTurn, type ScannedRows } from "./file-rows.ts";
import { planFiles, type PlanOptions } from "./file-tasks.ts";
import { type MatchedRows, matchRows, type RowIdentity } from "./row-matching.ts";
import { readTasks } from "./rows.ts";

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
  /**
   * Which rows count: the changes are those of the table's rows of which it is true, as of a view with that condition. An update of which
   * one side alone fulfils it is the `DELETE` or `INSERT` of that side, so that whoever applies the changes to his copy of these rows
   * holds them still. (Spark and Delta filter the rows of a changelog instead: a lone `UPDATE_BEFORE` then stands for a row that left,
   * and a lone `UPDATE_AFTER` for one that came.) The filter knows the columns of `schema`, whether they are among `fields` or not.
   */
  readonly filter?: Expression;
  readonly manifests?: ManifestCache;
}

/**
 * Reads what changed between two snapshots, snapshot by snapshot, oldest first: of each the rows that went, then those that came. A row
 * that went and came back with equal values does not show, nor does a snapshot that only moved rows to other files (`replace`). What
 * deletion vectors, position deletes and equality deletes hide is told row by row. Read are data files that differ and those of which
 * deletes take rows, never others, nor those that can hold no row of the filter.
 *
 * Held are the first row groups of a few files (`SCANNED_FILES_AHEAD`, `SCANNED_BYTES_AHEAD`), what `diffSnapshots` says, and, for a
 * snapshot by which rows went and came, what `matchRows` says. From the empty table rows are read as by `scanRows`, file by file, and no
 * list of files is held.
 *
 * @throws FrazilError `not-found` when a snapshot is not held; `config` when `from` is no ancestor of `to` (and the change is not to be
 * `net`), a name no identifier field, or for a filter that does not fit the schema; as `readColumns`
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
  const compared = identity.by === "fields" ? withFields(schema, fields, identity.fieldIds) : fields;
  const { filter, manifests } = options;
  const plan = { schema, ...(filter !== undefined && { filter }), ...(manifests !== undefined && { manifests }) };
  const steps = options.net === true ? [{ from, to }] : stepsBetween(metadata, from, to);
  for (const [ordinal, step] of steps.entries()) {
    if (step.from?.snapshotId === step.to.snapshotId) continue;
    const hasRowIds = identity.by === "row-id";
    const reading: Reading = { io, metadata, schema, fields, hasRowIds, ordinal, snapshot: step.to };
    if (step.from === null) {
      yield* allRows(reading, plan);
      continue;
    }
    const changes = await diffSnapshots(io, metadata, step.from, step.to, plan);
    const matched = await matchRows({ io, metadata, schema }, changes, identity, compared);
    yield* sideRows(reading, changes.deleted, matched, "deleted");
    yield* sideRows(reading, changes.inserted, matched, "inserted");
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
  readonly schema: Schema;
  readonly fields: readonly NestedField[];
  readonly hasRowIds: boolean;
  readonly ordinal: number;
  readonly snapshot: Snapshot;
}

/** What is read of the files. */
function fieldsOf({ fields, hasRowIds }: Reading): readonly NestedField[] {
  return hasRowIds ? [...fields, ROW_ID_FIELD] : fields;
}

/** All rows of the snapshot, as inserts. */
async function* allRows(
  reading: Reading,
  plan: PlanOptions & { readonly schema: Schema },
): AsyncGenerator<ChangelogRows> {
  const { io, metadata, snapshot } = reading;
  const tasks = planFiles(io, metadata, snapshot, plan);
  for await (const rows of readTasks(io, metadata, tasks, plan.schema, fieldsOf(reading))) {
    yield changelogRows(reading, rows, new Array<ChangeType>(rows.length).fill("INSERT"));
  }
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
  const { io, metadata, schema } = reading;
  const [same, paired] = [unchanged[side], updated[side]];
  const open = async ([index, change]: readonly [number, ChangedRows]) => {
    const isWanted = (position: number): boolean => !same.has(index, position);
    return fileRows(io, metadata, { ...change, isWanted }, schema, fieldsOf(reading));
  };
  const changed = [...changes.entries()].filter(([index, change]) => countOf(change) > same.countOf(index));
  for await (const [[index], rows] of inTurn(changed, ([, { file }]) => file.fileSizeBytes, open)) {
    const isPaired = (position: number): boolean => paired.has(index, position);
    const types = Array.from(rows.positions, (position) => TYPES[side][isPaired(position) ? "paired" : "alone"]);
    yield changelogRows(reading, rows, types);
  }
}

/** Rows of a file with what stands behind them. */
function changelogRows(reading: Reading, rows: ScannedRows, types: readonly ChangeType[]): ChangelogRows {
  const { snapshot, hasRowIds } = reading;
  const { file, positions, length, columns } = rows;
  const idsOf = (stored: Column): Column => explicitRowIds(stored, file, (row) => positions[row] as number);
  const own = hasRowIds ? [...columns.slice(0, -1), idsOf(columns.at(-1) as Column)] : columns;
  return {
    snapshot,
    length,
    fields: [...fieldsOf(reading), ...CHANGELOG_FIELDS],
    columns: [...own, ...changeColumns(reading, types)],
  };
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
