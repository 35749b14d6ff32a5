import { isDeepStrictEqual } from "node:util";
import {
  type FileIO,
  identText,
  isWithin,
  type LoadedTable,
  parseTableMetadata,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { commitMetadata, type MetadataContext } from "../../commit/metadata-commit.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { misplacedTable } from "../verify/table-folder.ts";
import { otherCopy, type OtherCopy } from "../verify/version-copy.ts";
import { NOTHING, type Repair, type RepairPlan } from "./repair.ts";

type Context = MetadataContext & { readonly io: FileIO };

/**
 * A table whose `location` was changed by hand gets that of the folder back in which its metadata file lies, if a snapshot was written
 * there too. Else the file may have been put there by whoever moves tables. Where an object-store catalog's copy of the file says nothing
 * else but the old location, the file comes back from it: the catalog makes no commit on a version that differs from its copy.
 */
export async function planFolderRepair(context: Context, table: LoadedTable): Promise<RepairPlan> {
  const moved = await misplacedTable(context.io, table);
  const copy = await otherCopy(context.io, table);
  if (moved === null) return copy === null ? NOTHING : refused(table, ...editedText(table, copy));
  const { metadata } = table;
  const { folder, metadataFile } = moved;
  if (folder === null || !metadata.snapshots.some(({ manifestList }) => isWithin(folder, manifestList))) {
    const problem = `${metadataFile} says that the table lies at ${metadata.location}, and does not lie there itself: which of the two folders is meant cannot be proven`;
    const hint =
      "stop the jobs that write to the table, and set its location with the engine that moved it, or bring the metadata file back from a backup";
    return refused(table, problem, hint);
  }
  if (copy === null) return { refusals: [], repairs: [moveBack(context, table, folder)] };
  if (!isBefore(copy, metadata, folder)) return refused(table, ...editedText(table, copy));
  return { refusals: [], repairs: [copyBack(context, table, folder, copy)] };
}

function moveBack(context: Context, table: LoadedTable, folder: string): Repair {
  const { metadata, ident } = table;
  const name = identText(ident);
  return {
    repair: "location",
    table: name,
    plan: `location ${metadata.location} becomes ${folder}, where its metadata and manifests were written; files that are in the other folder stay there, and in the table`,
    rows: 0n,
    async run() {
      await commitMetadata(context, "repair", [table], ([base]) =>
        base?.metadata.location === metadata.location
          ? [
              {
                ident,
                requirements: [{ type: "assert-table-uuid", uuid: metadata.tableUuid }],
                updates: [{ action: "set-location", location: folder }],
              },
            ]
          : [],
      );
      return `${name} lies at ${folder}`;
    },
  };
}

function copyBack({ io }: Context, table: LoadedTable, folder: string, copy: OtherCopy): Repair {
  const name = identText(table.ident);
  const file = table.metadataLocation;
  return {
    repair: "location",
    table: name,
    plan: `location ${table.metadata.location} becomes ${folder}: ${file} comes back from its copy ${copy.location}, which differs in nothing else`,
    rows: 0n,
    async run() {
      const { bytes, etag } = must(await io.readTagged(file), "it was read for the plan");
      // What was edited once more since the plan is not overwritten.
      const now = parseTableMetadata(bytes, file);
      const result = isBefore(copy, now, folder) ? await io.replace(file, copy.bytes, etag) : null;
      if (result?.outcome === "replaced") return `${name} lies at ${folder}`;
      throw new FrazilError("conflict", "METADATA_CHANGED", `${file} was written by somebody else meanwhile`, {
        hint: "run it again",
      });
    },
  };
}

/** Whether the copy holds the same metadata but for the location, which is the folder's. */
function isBefore({ bytes, location }: OtherCopy, metadata: TableMetadata, folder: string): boolean {
  try {
    return isDeepStrictEqual(parseTableMetadata(bytes, location), { ...metadata, location: folder });
  } catch (error) {
    if (error instanceof FrazilError) return false;
    throw error;
  }
}

function editedText({ metadataLocation }: LoadedTable, { location }: OtherCopy): [problem: string, hint: string] {
  return [
    `${location}: expected a copy of ${metadataLocation}, found something else, and which of the two is right cannot be proven`,
    "compare the two: where one was changed by hand, put the other in its place; what another kind of catalog has committed there is no part of the table: write it again through a job, then remove that file and those with higher numbers",
  ];
}

function refused(table: LoadedTable, problem: string, hint: string): RepairPlan {
  return { repairs: [], refusals: [{ table: identText(table.ident), problem, hint }] };
}
