import {
  currentSchema,
  currentSnapshot,
  type FileIO,
  FrazilError,
  identText,
  type LoadedTable,
  mapConcurrently,
  planSnapshot,
  readColumns,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import { type Finding, lostFileHint } from "./finding.ts";

/** Files that are decoded at once, where all of them are. */
const DECODED_AT_ONCE = 2;

/**
 * Whether the data files of the head are what the manifests say, each by its own footer: a Parquet file with as many rows.
 *
 * @param known objects of which something is told already
 * @param deep reads and decodes all that is in them, page by page, too
 * @throws FrazilError `unavailable` and the like: only a broken file is a finding
 */
export async function verifyRows(
  io: FileIO,
  table: LoadedTable,
  known: ReadonlySet<string>,
  deep: boolean,
): Promise<Finding[]> {
  const { metadata } = table;
  const head = currentSnapshot(metadata);
  if (head === null) return [];
  const fields = deep ? currentSchema(metadata).fields : [];
  const findings: Finding[] = [];
  const look = async (file: Parameters<typeof readColumns>[2]): Promise<void> => {
    try {
      // What is in the batches does not matter: they are read.
      for await (const _ of readColumns(io, metadata, file, fields));
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (error.kind === "not-found" || error.kind === "unsupported") return;
      if (error.kind !== "corrupt") throw error;
      findings.push({
        check: "objects",
        table: identText(table.ident),
        object: file.filePath,
        expected: `a data file of ${file.recordCount} rows that can be read`,
        found: error.message,
        hint: lostFileHint(identText(table.ident)),
      });
    }
  };
  let files;
  try {
    files = (await planSnapshot(io, metadata, head)).dataFiles.map(({ file }) => file);
  } catch (error) {
    // A manifest is broken or gone, which the walk through them tells.
    if (error instanceof FrazilError && ["corrupt", "not-found", "unsupported"].includes(error.kind)) return [];
    throw error;
  }
  const parquet = files.filter(({ filePath, fileFormat }) => fileFormat === "PARQUET" && !known.has(filePath));
  await mapConcurrently(parquet, deep ? DECODED_AT_ONCE : EXPIRE_REQUESTS_IN_FLIGHT, look);
  return findings;
}
