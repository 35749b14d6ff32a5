/** What a file below a table's location is, by its place and name. */
export type OrphanKind = "dataFiles" | "deleteFiles" | "manifests" | "manifestLists" | "metadataFiles" | "statistics";

/** What a sort of ours puts aside, and removes when it ends. */
const SORT_RUN = /^_scratch\/[0-9a-f]{16}\/run-\d{5,}\.parquet$/;

/** What a name says of a file. */
export interface FileShape {
  readonly kind: OrphanKind;
  readonly name: string;
  /** Of a metadata file: the number of the table's version. */
  readonly version: number | null;
  /** Of `vN.metadata.json` and `vN.gz.metadata.json`: N. It is a copy of ours, or the version of another catalog. */
  readonly copy: number | null;
  /** What a sort of ours has put aside. */
  readonly isScratch: boolean;
}

/**
 * The shape of a file that Iceberg writers, or sorts of ours, put below a table's location; null for everything else, which is never
 * touched: other folders than `data` and `metadata`, hidden names, hints, metadata files of other names.
 * @param path relative to the table's location
 */
export function shapeOf(path: string): FileShape | null {
  const parts = path.split("/");
  const name = parts.at(-1) ?? "";
  const folders = parts.slice(0, -1);
  if (SORT_RUN.test(path)) return { kind: "dataFiles", name, version: null, copy: null, isScratch: true };
  if ([...folders, name].some(isHidden)) return null;
  const kind = folders[0] === "data" ? dataKind(name) : folders.join("/") === "metadata" ? metadataKind(name) : null;
  if (kind === null) return null;
  const shape = { kind, name, version: null, copy: null, isScratch: false };
  if (kind !== "metadataFiles") return shape;
  const [, copy] = /^v(\d{1,15})(?:\.gz)?\.metadata\.json$/.exec(name) ?? [];
  if (copy !== undefined) return { ...shape, copy: Number(copy) };
  const digits = /^(\d{1,15})-/.exec(name)?.[1];
  return digits === undefined ? null : { ...shape, version: Number(digits) };
}

/** Whether a path is another table's metadata file, below the folder of the table in question. */
export function isNestedMetadata(path: string): boolean {
  return /.\/metadata\/(?:[^/]*\.metadata\.json(?:\.gz)?|version-hint\.text)$/.test(path);
}

/** The number that a metadata file's name begins with: `00012-…`, `v12…`. */
export function versionOf(metadataLocation: string): number | null {
  const digits = /^v?(\d{1,15})/.exec(metadataLocation.slice(metadataLocation.lastIndexOf("/") + 1))?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Names that start with a dot or an underscore are other programs' business, unless they are values of a partition. */
function isHidden(part: string): boolean {
  return part === "" || ((part.startsWith(".") || part.startsWith("_")) && !part.includes("="));
}

function dataKind(name: string): OrphanKind | null {
  if (name.endsWith(".puffin")) return "deleteFiles";
  if (!/\.(?:parquet|orc|avro)$/.test(name)) return null;
  return /-deletes\.|-pd-\d{4}-/.test(name) ? "deleteFiles" : "dataFiles";
}

function metadataKind(name: string): OrphanKind | null {
  if (/\.metadata\.json(?:\.gz)?$/.test(name)) return "metadataFiles";
  if (/\.(?:puffin|stats)$/.test(name)) return "statistics";
  if (!name.endsWith(".avro")) return null;
  return /^snap-|-a\d+-snap-\d+-/.test(name) ? "manifestLists" : "manifests";
}
