import {
  type Catalog,
  currentSchema,
  type DataFile,
  type FileIO,
  must,
  planSnapshot,
  readDataFile,
  readDeletionVector,
  readPositionDeletes,
  type RoaringBitmap,
  snapshotById,
  snapshotSchema,
  type TableIdent,
  valueAt,
} from "../../table-format/index.ts";

/**
 * Every live row of a table's newest snapshot, each as the values of the schema's columns in text form, sorted.
 * @param tag of another snapshot, whose own schema then counts
 */
export async function tableRows(
  io: FileIO,
  catalog: Catalog,
  ident: TableIdent,
  tag: string | null = null,
): Promise<string[]> {
  const loaded = await catalog.loadTable(ident);
  if (loaded === null) return [];
  const { metadata } = loaded;
  const id = tag === null ? metadata.currentSnapshotId : must(metadata.refs.get(tag), `the tag ${tag}`).snapshotId;
  const snapshot = id === null ? null : snapshotById(metadata, id);
  if (snapshot === null) return [];
  const schema = tag === null ? currentSchema(metadata) : snapshotSchema(metadata, snapshot);
  const plan = await planSnapshot(io, metadata, snapshot);
  const ids = schema.fields.map(({ id }) => id);
  const rows: string[] = [];
  for (const { file } of plan.dataFiles) {
    const deletes = plan.deletes.get(file.filePath) ?? [];
    if (deletes.length > 1) throw new Error(`${file.filePath} has ${deletes.length} delete files`);
    const deleted = deletes[0] === undefined ? null : await deletedRows(io, file, deletes[0].file);
    let position = 0;
    for await (const batch of readDataFile(io, file, schema, ids)) {
      for (let row = 0; row < batch.length; row++, position++) {
        if (deleted?.has(position) === true) continue;
        rows.push(batch.columns.map((column) => String(valueAt(column, row))).join("|"));
      }
    }
  }
  return rows.sort();
}

/** The deleted rows of a data file. @throws Error for a delete file that is about others, too. */
async function deletedRows(io: FileIO, file: DataFile, deletes: DataFile): Promise<RoaringBitmap> {
  if (deletes.fileFormat === "PUFFIN") return readDeletionVector(io, deletes);
  const byPath = await readPositionDeletes(io, deletes);
  const deleted = byPath.get(file.filePath);
  if (byPath.size !== 1 || deleted === undefined)
    throw new Error(`${deletes.filePath} is not about ${file.filePath} alone`);
  return deleted;
}
