import { canonicalPath, type FileIO, identText, isWithin, type LoadedTable } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Finding } from "./finding.ts";
import { readMetadata } from "./version-hint.ts";

/** A table that lies elsewhere than its metadata says. */
export interface Misplaced {
  /** The folder in which the metadata file lies; null: it is in no folder of metadata, so that it does not tell. */
  readonly folder: string | null;
  /** The metadata file that lies there and says otherwise. */
  readonly metadataFile: string;
}

type Described = Pick<LoadedTable, "metadata" | "metadataLocation">;

/**
 * Whether the `location` of a table's metadata was changed by hand. Each writer puts the metadata file into the folder that the file itself
 * says (spec, "Table Metadata Fields"), also the commit that moves a table; so one that lies elsewhere was edited. What was committed on top
 * of it lies in the other folder, and then the newest file of the first folder that the log still has tells.
 *
 * @throws FrazilError of the store; a file that is gone or broken tells nothing.
 */
export async function misplacedTable(io: FileIO, table: LoadedTable): Promise<Misplaced | null> {
  const now = misplacedFile(table);
  if (now !== null) return now;
  const { metadataLog } = table.metadata;
  const before = metadataLog.findLast(({ metadataFile }) => !sameFolder(metadataFile, table.metadataLocation));
  if (before === undefined) return null;
  const metadata = await readMetadata(io, before.metadataFile);
  return metadata === null ? null : misplacedFile({ metadata, metadataLocation: before.metadataFile });
}

function misplacedFile({ metadata, metadataLocation }: Described): Misplaced | null {
  const { location, properties } = metadata;
  const parent = parentOf(metadataLocation);
  const homes = [`${location}/metadata`, properties.get("write.metadata.path")];
  if (homes.some((home) => home !== undefined && canonicalPath(home) === canonicalPath(parent))) return null;
  const folder = /^(.+)\/metadata\/*$/.exec(parent)?.[1] ?? null;
  // A catalog with names of its own for what lies in the table's folder.
  if (folder === null && isWithin(location, metadataLocation)) return null;
  return { folder, metadataFile: metadataLocation };
}

function parentOf(location: string): string {
  return location.slice(0, location.lastIndexOf("/"));
}

function sameFolder(a: string, b: string): boolean {
  return canonicalPath(parentOf(a)) === canonicalPath(parentOf(b));
}

/** Tells of a table that lies elsewhere than its metadata says. */
export async function verifyFolder(io: FileIO, table: LoadedTable): Promise<Finding[]> {
  const moved = await misplacedTable(io, table);
  if (moved === null) return [];
  const name = identText(table.ident);
  return [
    {
      check: "objects",
      table: name,
      object: moved.metadataFile,
      expected: `location ${moved.folder ?? "of a folder that holds it"}, where the file lies`,
      found: table.metadata.location,
      hint: `somebody changed the metadata by hand, and what is written from now on goes to the other folder: frazil repair ${name}`,
    },
  ];
}

/**
 * Checks that the table's folder may be looked through for garbage: one that somebody else's name stands for may hold others' files.
 * @throws FrazilError `config`, code `LOCATION_CHANGED`.
 */
export async function checkFolder(io: FileIO, table: LoadedTable): Promise<void> {
  const [finding] = await verifyFolder(io, table);
  if (finding === undefined) return;
  throw new FrazilError(
    "config",
    "LOCATION_CHANGED",
    `table ${finding.table} says that it lies at ${finding.found}, but ${finding.object} does not lie there: whose files these are is not known`,
    { hint: `frazil verify ${finding.table}, frazil repair ${finding.table}` },
  );
}
