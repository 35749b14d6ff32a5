import { copyLocation, type FileIO, identText, type LoadedTable, unlessGone } from "../../../table-format/index.ts";
import type { Finding } from "./finding.ts";

/** A copy of the current version that is none: other bytes stand under its name. */
export interface OtherCopy {
  readonly location: string;
  readonly bytes: Uint8Array;
}

/**
 * The copy of a table's current version (`vN.metadata.json` of an object-store catalog), where it holds other bytes than the metadata file.
 * Both are written once, so one of them was edited, or another catalog has committed to the folder; the catalog commits no more then.
 */
export async function otherCopy(io: FileIO, { metadataLocation }: LoadedTable): Promise<OtherCopy | null> {
  const location = copyLocation(metadataLocation);
  if (location === null) return null;
  const bytes = await unlessGone(() => io.read(location));
  const file = bytes === null ? null : await unlessGone(() => io.read(metadataLocation));
  // Made with the next commit, or gone with a later one.
  if (bytes === null || file === null) return null;
  return Buffer.compare(bytes, file) === 0 ? null : { location, bytes };
}

/** Tells of a current version that differs from its copy, in an object-store catalog. */
export async function verifyCopy(io: FileIO, table: LoadedTable): Promise<Finding[]> {
  const copy = await otherCopy(io, table);
  if (copy === null) return [];
  const name = identText(table.ident);
  return [
    {
      check: "objects",
      table: name,
      object: copy.location,
      expected: `a copy of ${table.metadataLocation}`,
      found: "something else",
      hint: `one of the two was changed by hand, or another kind of catalog has committed here, and no job can commit: frazil repair ${name}`,
    },
  ];
}
