import {
  copyLocation,
  type FileIO,
  FrazilError,
  identText,
  METADATA_SUFFIX,
  type TableIdent,
  versionNumber,
} from "../../../table-format/index.ts";
import { logOf, type MetadataVersion, metadataVersions, readMetadata } from "../verify/version-hint.ts";
import { NOTHING, type Repair, type RepairPlan } from "./repair.ts";

/**
 * The hint of a table in an object-store catalog that is gone, holds nonsense, names a file that is gone, or was put back. The newest
 * metadata file is the table if it alone has its version, and its log names every other file as far as it reaches: then no other
 * commit took its place. Two files of one version, or one that the log lacks, prove that one commit lost, and not which.
 *
 * @param tableLocation where the catalog puts the table
 */
export async function planHintRepair(io: FileIO, ident: TableIdent, tableLocation: string): Promise<RepairPlan> {
  const hint = `${tableLocation}/metadata/version-hint.text`;
  const name = identText(ident);
  // In this order: a commit between the two reads would make the hint name a file that the list lacks, and be taken back.
  const held = await io.readTagged(hint);
  const versions = await metadataVersions(io, tableLocation);
  const newest = versions.at(-1);
  if (newest === undefined) return NOTHING;
  const text = held === null ? null : Buffer.from(held.bytes).toString("utf8").trim();
  const wanted = fileName(newest.location).slice(0, -METADATA_SUFFIX.length);
  if (text === wanted) return NOTHING;
  // A commit that is under way has written the next version and not yet named it.
  const current = versions.find(({ location }) => fileName(location) === `${text}${METADATA_SUFFIX}`);
  if (current !== undefined && newest.version <= current.version + 1) return NOTHING;
  const lost = lostVersion(text, newest);
  if (lost !== null) {
    const file = `${tableLocation}/metadata/${lost}${METADATA_SUFFIX}`;
    const problem = `the hint ${hint} names ${lost}${METADATA_SUFFIX}, which is gone and newer than all that are there`;
    const how = `bring it back from a backup, or from its copy, ${copyLocation(file)}, if there is one; to give up what it committed, write ${wanted} into the hint`;
    return { repairs: [], refusals: [{ table: name, problem, hint: how }] };
  }
  const doubt = await doubtOf(io, versions, newest, current);
  if (doubt !== null) {
    const problem = `the hint ${hint} holds ${text === null ? "nothing" : JSON.stringify(text.slice(0, 60))}, and which metadata file is the table cannot be proven: ${doubt}`;
    const how = "look which file holds the last commit, write its name without .metadata.json into the hint";
    return { repairs: [], refusals: [{ table: name, problem, hint: how }] };
  }
  const repair: Repair = {
    repair: "hint",
    table: name,
    plan: `${hint} (${text === null ? "it is gone" : `it holds ${JSON.stringify(text.slice(0, 60))}`}) names ${wanted}, the newest metadata file, whose log names all others`,
    rows: 0n,
    async run() {
      const bytes = new TextEncoder().encode(wanted);
      const result = held === null ? await io.create(hint, bytes) : await io.replace(hint, bytes, held.etag);
      if (result.outcome === "created" || result.outcome === "replaced") return `${hint} names ${wanted}`;
      throw new FrazilError("conflict", "HINT_CHANGED", `${hint} was written by somebody else meanwhile`, {
        hint: "run it again",
      });
    },
  };
  return { repairs: [repair], refusals: [] };
}

/** Why the newest file may not be the table; null: it is. @param named what the hint names, if it is there */
async function doubtOf(
  io: FileIO,
  versions: readonly MetadataVersion[],
  newest: MetadataVersion,
  named: MetadataVersion | undefined,
): Promise<string | null> {
  const metadata = await readMetadata(io, newest.location);
  if (metadata === null) return `${newest.location} cannot be read`;
  const now = named === undefined ? null : await readMetadata(io, named.location);
  if (now !== null && now.tableUuid !== metadata.tableUuid) return `${newest.location} is of another table`;
  const log = logOf(metadata);
  const [oldest] = metadata.metadataLog;
  const from = versions.find(({ location }) => location === oldest?.metadataFile)?.version ?? newest.version;
  const beside = versions.find(
    ({ location, version }) => location !== newest.location && version >= from && !log.has(location),
  );
  return beside === undefined ? null : `${newest.location} does not know ${beside.location}`;
}

/** What the hint names, where no metadata file is as new: a commit that has been, and whose file is gone. */
function lostVersion(text: string | null, newest: MetadataVersion): string | null {
  const version = versionNumber(text ?? "");
  return version !== null && version > newest.version ? text : null;
}

function fileName(location: string): string {
  return location.slice(location.lastIndexOf("/") + 1);
}
