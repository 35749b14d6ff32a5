import {
  type Catalog,
  type FileIO,
  FrazilError,
  identText,
  type LoadedTable,
  parseTableMetadata,
  type TableMetadata,
  versionNumber,
} from "../../../table-format/index.ts";
import type { Finding } from "./finding.ts";

/** A metadata file in a table's folder. */
export interface MetadataVersion {
  readonly location: string;
  readonly version: number;
}

/** The version of a metadata file as an object-store catalog names it; null for any other file. */
function versionOf(location: string): number | null {
  return versionNumber(/\/metadata\/([^/]+)\.metadata\.json$/i.exec(location)?.[1] ?? "");
}

/** The metadata files in a table's folder, by version, as far as an object-store catalog may have written them. */
export async function metadataVersions(io: FileIO, tableLocation: string): Promise<MetadataVersion[]> {
  const versions: MetadataVersion[] = [];
  for await (const { location } of io.list(`${tableLocation.replace(/\/+$/, "")}/metadata`)) {
    const version = versionOf(location);
    if (version !== null) versions.push({ location, version });
  }
  return versions.sort((a, b) => a.version - b.version);
}

/**
 * Looks whether the hint of a table in an object-store catalog was put back: a metadata file that was built on a successor of the current
 * one proves that the successor was the table. A single file beyond the current one proves nothing: it may be a commit under way. Neither
 * do those of a job that went on since the table was loaded: what is found counts if the hint, asked once more, is still behind it.
 */
export async function verifyHint(
  { io, catalog }: { readonly io: FileIO; readonly catalog: Pick<Catalog, "loadTable"> },
  table: LoadedTable,
): Promise<Finding[]> {
  const current = versionOf(table.metadataLocation);
  if (current === null) return [];
  const beyond = (await metadataVersions(io, table.metadata.location)).filter(({ version }) => version >= current + 2);
  for (const { location, version } of beyond.toReversed()) {
    const metadata = await readMetadata(io, location);
    if (metadata === null || !logOf(metadata).has(table.metadataLocation)) continue;
    const now = await catalog.loadTable(table.ident);
    if (now?.metadata.tableUuid !== table.metadata.tableUuid) return [];
    if ((versionOf(now.metadataLocation) ?? version) >= version) return [];
    return [
      {
        check: "objects",
        table: identText(table.ident),
        object: `${table.metadata.location}/metadata/version-hint.text`,
        expected: `a version behind ${table.metadataLocation}, on which ${location} was built`,
        found: table.metadataLocation,
        hint: `somebody put the hint back: frazil repair ${identText(table.ident)}`,
      },
    ];
  }
  return [];
}

/** Folders of an object-store catalog that hold metadata files and no hint: tables that nobody finds. */
export async function tablesWithoutHint(io: FileIO, warehouseLocation: string): Promise<Finding[]> {
  const folders = new Set<string>();
  const hinted = new Set<string>();
  for await (const { location } of io.list(warehouseLocation)) {
    const at = location.lastIndexOf("/metadata/");
    if (at < 0) continue;
    if (versionOf(location) !== null) folders.add(location.slice(0, at));
    else if (location.endsWith("/metadata/version-hint.text")) hinted.add(location.slice(0, at));
  }
  return [...folders.difference(hinted)].map((folder) => withoutHint(folder, warehouseLocation));
}

function withoutHint(folder: string, warehouseLocation: string): Finding {
  const name = folder.slice(warehouseLocation.length + 1).replaceAll("/", ".");
  return {
    check: "objects",
    table: name,
    object: `${folder}/metadata/version-hint.text`,
    expected: "a hint, since there are metadata files",
    found: "nothing",
    hint: `frazil repair ${name}; or delete the folder, if the table was dropped`,
  };
}

/** The metadata files that a metadata file says came before it. */
export function logOf({ metadataLog }: TableMetadata): ReadonlySet<string> {
  return new Set(metadataLog.map(({ metadataFile }) => metadataFile));
}

/** Null for a file that is gone or cannot be read. */
export async function readMetadata(io: FileIO, location: string): Promise<TableMetadata | null> {
  try {
    return parseTableMetadata(await io.read(location), location);
  } catch (error) {
    if (error instanceof FrazilError && ["not-found", "corrupt", "unsupported"].includes(error.kind)) return null;
    throw error;
  }
}
