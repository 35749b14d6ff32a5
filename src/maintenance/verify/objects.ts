import {
  type Catalog,
  type FileIO,
  identText,
  type LoadedTable,
  mapConcurrently,
  type Snapshot,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import { type Finding, lostFileHint } from "./finding.ts";
import { type ObjectReference, type TableReferences, tableReferences } from "./references.ts";

interface Absent {
  readonly location: string;
  readonly reference: ObjectReference;
}

/**
 * Looks for every object that the references name, with its size: the table's folder is listed once, and what is not in the list is asked
 * for by name. What is missing is told only if the table, loaded again, still needs it: an expiry may have taken it meanwhile.
 */
export async function verifyObjects(
  { io, catalog }: { readonly io: FileIO; readonly catalog: Catalog },
  table: LoadedTable,
  { objects }: TableReferences,
): Promise<Finding[]> {
  const name = identText(table.ident);
  const findings: Finding[] = [];
  const left = new Map(objects);
  const look = (location: string, reference: ObjectReference, sizeBytes: number): void => {
    left.delete(location);
    if (reference.sizeBytes === null || reference.sizeBytes === BigInt(sizeBytes)) return;
    findings.push({
      check: "objects",
      table: name,
      object: location,
      expected: `a ${reference.kind} of ${reference.sizeBytes} bytes`,
      found: `${sizeBytes} bytes`,
      hint: reference.kind === "data file" ? lostFileHint(name) : hintFor(reference, name),
    });
  };
  for await (const { location, sizeBytes } of io.list(table.metadata.location.replace(/\/+$/, ""))) {
    const reference = left.get(location);
    if (reference !== undefined) look(location, reference, sizeBytes);
  }
  const absent: Absent[] = [];
  await mapConcurrently([...left], EXPIRE_REQUESTS_IN_FLIGHT, async ([location, reference]) => {
    const found = await io.stat(location);
    if (found === null) absent.push({ location, reference });
    else look(location, reference, found.sizeBytes);
  });
  for (const { location, reference } of await stillNeeded({ io, catalog }, table, absent)) {
    findings.push({
      check: "objects",
      table: name,
      object: location,
      expected: `a ${reference.kind}, needed by snapshot ${reference.snapshotId}`,
      found: "nothing",
      hint: hintFor(reference, name),
    });
  }
  return findings;
}

/** What metadata that was loaded after the look still names was missing indeed: files go after the snapshots that name them. */
async function stillNeeded(
  { io, catalog }: { readonly io: FileIO; readonly catalog: Catalog },
  table: LoadedTable,
  absent: readonly Absent[],
): Promise<readonly Absent[]> {
  if (absent.length === 0) return absent;
  const now = await catalog.loadTable(table.ident);
  if (now?.metadata.tableUuid !== table.metadata.tableUuid) return [];
  if (now.metadataLocation === table.metadataLocation) return absent;
  const held = new Set(now.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  // Most often the snapshot itself is still held, which says it without a look into the others.
  const sure = absent.filter(({ reference }) => held.has(reference.snapshotId));
  if (sure.length === absent.length) return sure;
  const { objects } = await tableReferences(io, now, now.metadata.snapshots);
  return absent.filter(({ location }) => objects.has(location));
}

/** The snapshots to look at: all that are held, or the head of `main` alone. */
export function verifiedSnapshots({ metadata }: LoadedTable, headOnly: boolean): readonly Snapshot[] {
  if (!headOnly) return metadata.snapshots;
  return metadata.snapshots.filter(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
}

function hintFor({ kind }: ObjectReference, table: string): string {
  const back = "bring the object back from a backup or an older version of it";
  if (kind === "statistics file") return `${back}, or drop it from the table: frazil repair ${table}`;
  if (kind === "data file") return `${back}, or give its rows up: frazil repair ${table} --drop-missing`;
  return `${back}; or roll back to a snapshot that does not need it (frazil rollback)`;
}
