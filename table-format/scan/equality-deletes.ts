import { FrazilError } from "../errors.ts";
import { decodeBound } from "../expression/metrics-range.ts";
import type { FileIO } from "../io/file-io.ts";
import { EQUALITY_KEYS_HELD } from "../limits.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { isMisordered } from "../manifest/partition-match.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { isUnpartitioned } from "../partition/spec.ts";
import { tupleKey } from "../partition/tuple.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import { isComparable, isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType } from "../schema/types.ts";
import { partitionKey } from "../transaction/snapshot-summary.ts";
import { type AnyColumn, type Cell, cellAt, type CellStruct } from "../values/cell.ts";
import { compareValues } from "../values/single-value.ts";
import { readColumns } from "./data-columns.ts";
import { type DeleteIndex, push } from "./delete-index.ts";

/** Finds the rows that equality deletes take from data files. */
export interface EqualityDeletes {
  /** Positions that the given delete files (as `matchEqualityDeletes` names them) take from a data file. */
  of(dataFile: DataFile, deletes: readonly LiveFile[]): Promise<RoaringBitmap>;
}

/**
 * Finds the equality deletes that may hide rows of a data file (spec, "Scan Planning"): of a higher sequence number, and of the same
 * partition or of an unpartitioned spec.
 */
export function equalityDeleteIndex<T extends LiveFile>(
  metadata: TableMetadata,
  deleteFiles: readonly T[],
): DeleteIndex<T> {
  const everywhere: T[] = [];
  const byPartition = new Map<string, T[]>();
  for (const each of deleteFiles) {
    if (each.file.content !== "equality-deletes") continue;
    if (isUnpartitioned(specById(metadata, each.file.specId))) everywhere.push(each);
    else push(byPartition, partitionKey(each.file), each);
  }
  if (everywhere.length === 0 && byPartition.size === 0) return () => [];
  return ({ file, sequenceNumber }) =>
    [...everywhere, ...(byPartition.get(partitionKey(file)) ?? [])].filter(
      (each) => sequenceNumber < each.sequenceNumber && mayMatch(metadata, file, each.file),
    );
}

/** Gives each data file the equality deletes that may hide rows of it; data files without any are absent. */
export function matchEqualityDeletes<T extends LiveFile>(
  metadata: TableMetadata,
  dataFiles: readonly LiveFile[],
  deleteFiles: readonly T[],
): Map<string, readonly T[]> {
  const deletesOf = equalityDeleteIndex(metadata, deleteFiles);
  const matched = new Map<string, readonly T[]>();
  for (const each of dataFiles) {
    const applying = deletesOf(each);
    if (applying.length > 0) matched.set(each.file.filePath, applying);
  }
  return matched;
}

/** False when the bounds of a key column say that no row can be equal. */
function mayMatch(metadata: TableMetadata, data: DataFile, deletes: DataFile): boolean {
  return (deletes.equalityIds ?? []).every((id) => {
    const { type } = keyField(metadata, id, deletes).leaf;
    const nulls = (file: DataFile): bigint | undefined => file.nullValueCounts?.get(id);
    if (nulls(data) !== 0n && nulls(deletes) !== 0n) return true;
    const bound = (file: DataFile, side: "lowerBounds" | "upperBounds") => decodeBound(type, file[side]?.get(id));
    const [low, high] = [bound(data, "lowerBounds"), bound(data, "upperBounds")];
    const [from, to] = [bound(deletes, "lowerBounds"), bound(deletes, "upperBounds")];
    if (low === null || high === null || from === null || to === null) return true;
    // NaN is in no bound, and floats should be no keys.
    if (type.kind === "float" || type.kind === "double") return true;
    if (isMisordered(type, low, high) || isMisordered(type, from, to)) return true;
    return compareValues(type, low, to) <= 0 && compareValues(type, from, high) <= 0;
  });
}

/**
 * A reader of equality deletes that holds the keys of up to `EQUALITY_KEYS_HELD` deletes for further data files, or of one larger delete
 * file. A data file is read once for each so many keys that may be about it.
 */
export function equalityDeletes(io: FileIO, metadata: TableMetadata): EqualityDeletes {
  const loaded = new Map<string, { readonly count: number; readonly keys: Promise<ReadonlySet<string>> }>();
  let held = 0;
  const read = async (file: DataFile, keys: readonly KeyField[]): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    for await (const key of rowKeys(io, metadata, file, keys)) found.add(key);
    return found;
  };
  const keysOf = (file: DataFile, keys: readonly KeyField[]): Promise<ReadonlySet<string>> => {
    const known = loaded.get(file.filePath);
    if (known !== undefined) return known.keys;
    const count = Number(file.recordCount);
    // A map keeps the order of insertion: what was loaded first goes first.
    for (const [path, oldest] of loaded) {
      if (held + count <= EQUALITY_KEYS_HELD) break;
      loaded.delete(path);
      held -= oldest.count;
    }
    const loading = { count, keys: read(file, keys) };
    loaded.set(file.filePath, loading);
    held += count;
    return loading.keys;
  };
  return {
    of: async (dataFile, deletes) => {
      const dead = new RoaringBitmap();
      const byColumns = Map.groupBy(deletes, ({ file }) => idsOf(file).join());
      for (const members of byColumns.values()) {
        const [first] = members as [LiveFile, ...LiveFile[]];
        const keys = idsOf(first.file).map((id) => keyField(metadata, id, first.file));
        for (const some of portions(members)) {
          const gone = await Promise.all(some.map(({ file }) => keysOf(file, keys)));
          let position = 0;
          for await (const key of rowKeys(io, metadata, dataFile, keys)) {
            if (gone.some((set) => set.has(key))) dead.add(position);
            position++;
          }
        }
      }
      return dead;
    },
  };
}

/** Delete files of up to so many keys at a time. */
function portions(deletes: readonly LiveFile[]): LiveFile[][] {
  const all: LiveFile[][] = [];
  let room = 0;
  for (const each of deletes) {
    const count = Number(each.file.recordCount);
    if (all.length === 0 || count > room) {
      all.push([]);
      room = EQUALITY_KEYS_HELD;
    }
    all.at(-1)?.push(each);
    room -= count;
  }
  return all;
}

/** In one order, whatever the delete file's. */
function idsOf(file: DataFile): number[] {
  const ids = file.equalityIds ?? [];
  if (ids.length === 0) {
    const message = `${file.filePath}: expected equality_ids of equality deletes, found none`;
    throw new FrazilError("corrupt", "EQUALITY_IDS", message);
  }
  return ids.toSorted((a, b) => a - b);
}

/** A column that rows are compared by: a top-level field, or one within structs. */
interface KeyField {
  /** The top-level field, of a struct only what leads to the leaf. */
  readonly field: NestedField;
  /** Names from the top-level field's struct to the leaf. */
  readonly path: readonly string[];
  readonly leaf: { readonly type: PrimitiveType };
}

/** The field in the newest schema that holds it: a column that was dropped still counts for the files that have it. */
function keyField(metadata: TableMetadata, id: number, file: DataFile): KeyField {
  for (const schema of schemasCurrentFirst(metadata)) {
    for (const field of schema.fields) {
      const found = within(field, id);
      if (found !== null) return found;
    }
  }
  const message = `${file.filePath}: equality_ids name column ${id}, which no schema of the table has as a primitive column`;
  throw new FrazilError("corrupt", "EQUALITY_IDS", message);
}

function within(field: NestedField, id: number): KeyField | null {
  const { type } = field;
  // A file that lacks the column compares as null, whatever the schema asks of new rows.
  if (field.id === id && isPrimitive(type)) return { field: { ...field, required: false }, path: [], leaf: { type } };
  if (type.kind !== "struct") return null;
  for (const child of type.fields) {
    const found = within(child, id);
    if (found === null) continue;
    const struct = { ...field, required: false, type: { ...type, fields: [found.field] } };
    return { field: struct, path: [child.name, ...found.path], leaf: found.leaf };
  }
  return null;
}

/** The key of every row: equal for equal values of all columns, nulls being equal to nulls. */
async function* rowKeys(
  io: FileIO,
  metadata: TableMetadata,
  file: DataFile,
  keys: readonly KeyField[],
): AsyncGenerator<string> {
  const unread = keys.find(({ leaf }) => !isComparable(leaf.type));
  if (unread !== undefined) {
    const message = `${file.filePath}: equality deletes by a column of type ${typeText(unread.leaf.type)} are not read`;
    throw new FrazilError("unsupported", "EQUALITY_TYPE", message);
  }
  const fields = keys.map(({ field }) => field);
  for await (const { length, columns } of readColumns(io, metadata, file, fields)) {
    for (let row = 0; row < length; row++) {
      yield tupleKey(keys.map(({ path }, k) => leafValue(cellAt(columns[k] as AnyColumn, row), path)));
    }
  }
}

function leafValue(cell: Cell | null, path: readonly string[]): Parameters<typeof tupleKey>[0][number] {
  let value = cell;
  for (const name of path) value = (value as CellStruct | null)?.[name] ?? null;
  return value as Parameters<typeof tupleKey>[0][number];
}
