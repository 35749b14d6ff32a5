import {
  type DataFile,
  type FileIO,
  FrazilError,
  identText,
  isDeletionVector,
  type LoadedTable,
  mapConcurrently,
  type PuffinFooter,
  readDeletionVector,
  readPositionDeletes,
  readPuffinFooter,
  type RoaringBitmap,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import type { Finding } from "./finding.ts";
import type { TableReferences } from "./references.ts";

type Deletes = Pick<TableReferences, "deleteFiles" | "dataRows">;

/**
 * Reads every deletion vector and position delete file once: what the manifest says of it, what the Puffin file's footer says and what is in
 * it must be one number, about rows that the data file has. Files that are not there are the objects' matter.
 */
export async function verifyVectors(
  io: FileIO,
  table: LoadedTable,
  { deleteFiles, dataRows }: Deletes,
): Promise<Finding[]> {
  const name = identText(table.ident);
  const findings: Finding[] = [];
  const tell = (file: DataFile, expected: string, found: string): void => {
    const object = isDeletionVector(file) ? `${file.filePath} at ${file.contentOffset}` : file.filePath;
    findings.push({ check: "vectors", table: name, object, expected, found, hint: HINT });
  };
  const footers = new Map<string, Promise<PuffinFooter>>();
  const footerOf = ({ filePath, fileSizeBytes }: DataFile): Promise<PuffinFooter> => {
    const known = footers.get(filePath) ?? readPuffinFooter(io, filePath, Number(fileSizeBytes));
    footers.set(filePath, known);
    return known;
  };
  await mapConcurrently([...deleteFiles.values()], EXPIRE_REQUESTS_IN_FLIGHT, async (file) => {
    try {
      const positions = await positionsOf(io, file);
      for (const [path, bitmap] of positions) checkPositions(file, path, bitmap, dataRows.get(path), tell);
      if (isDeletionVector(file)) checkFooter(file, positions, await footerOf(file), tell);
      else checkCount(file, positions, tell);
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (error.kind === "not-found") return;
      if (error.kind !== "corrupt" && error.kind !== "unsupported") throw error;
      tell(file, `${file.recordCount} positions`, error.message);
    }
  });
  return findings;
}

const HINT =
  "readers may see deleted rows or miss live ones: bring the file back from a backup, or roll back to a snapshot before it (frazil rollback)";

type Tell = (file: DataFile, expected: string, found: string) => void;

type Positions = ReadonlyMap<string, RoaringBitmap>;

/** By data file. That a vector has as many positions as the manifest says is checked when it is read. */
async function positionsOf(io: FileIO, file: DataFile): Promise<Positions> {
  if (!isDeletionVector(file)) return readPositionDeletes(io, file);
  const path = file.referencedDataFile;
  return path === null ? new Map() : new Map([[path, await readDeletionVector(io, file)]]);
}

function checkPositions(file: DataFile, path: string, bitmap: RoaringBitmap, rows: bigint | undefined, tell: Tell) {
  const last = bitmap.toArray().at(-1);
  if (rows === undefined || last === undefined || BigInt(last) < rows) return;
  tell(file, `positions below ${rows}, the rows of ${path}`, `position ${last}`);
}

function checkCount(file: DataFile, positions: Positions, tell: Tell): void {
  const count = [...positions.values()].reduce((sum, { cardinality }) => sum + cardinality, 0);
  if (BigInt(count) !== file.recordCount) tell(file, `${file.recordCount} positions`, String(count));
}

/** The blob against what the file's footer says of it. */
function checkFooter(file: DataFile, positions: Positions, { blobs }: PuffinFooter, tell: Tell): void {
  const blob = blobs.find(({ offset }) => BigInt(offset) === file.contentOffset);
  if (blob === undefined) {
    tell(file, `a blob at ${file.contentOffset} in the footer`, "none");
    return;
  }
  const { cardinality, "referenced-data-file": dataFile } = blob.properties;
  const [bitmap] = positions.values();
  if (blob.type !== "deletion-vector-v1") tell(file, "a blob deletion-vector-v1", blob.type);
  if (cardinality !== String(bitmap?.cardinality)) {
    tell(file, `cardinality ${bitmap?.cardinality} in the footer`, cardinality ?? "none");
  }
  if (dataFile !== file.referencedDataFile) {
    tell(file, `${file.referencedDataFile} in the footer`, dataFile ?? "none");
  }
}
