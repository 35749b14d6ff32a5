import {
  canonicalPath,
  checkMayDelete,
  currentSnapshot,
  type FileEntry,
  FrazilError,
  identText,
  isWithin,
  type LoadedTable,
  placesInTable,
  type TableIdent,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { isMaintenanceName, isStatisticsName, type OwnName, parseOwnName, pipelineOfTag } from "../../commit/names.ts";
import { readStamp, type Stamp } from "../../commit/stamp.ts";
import { asWritten } from "../../commit/writer-branch.ts";
import { ORPHAN_CANDIDATES_HELD } from "../../core/limits.ts";
import { checkFolder } from "../verify/table-folder.ts";
import { NeededFiles } from "./needed-files.ts";
import { firstCopyOf } from "./version-copies.ts";
import { isNestedMetadata, type OrphanKind, shapeOf, versionOf } from "./shape.ts";

export interface OrphanSettings {
  /** Files that no name decides are garbage from this age on, by the store's time of writing. */
  readonly olderThanMs: number;
  /** Also files whose names are those of other writers: by default nothing of theirs is taken, as no rule of ours tells when it is dead. */
  readonly foreign?: boolean;
  /** Where the catalog's tables lie and put files, for the check that none shares this one's folder. */
  readonly locations: readonly { readonly ident: TableIdent; readonly location: string }[];
  /** Listed files held at once; by default the limit of the engine. */
  readonly candidatesHeld?: number;
}

export interface Orphan {
  readonly location: string;
  /** Below the table's location, by which it is found among what the table needs (`placesInTable`). */
  readonly place: string;
  readonly sizeBytes: number;
  readonly kind: OrphanKind;
}

export interface OrphanPlan {
  readonly table: LoadedTable;
  /** Garbage before this time. */
  readonly sinceMs: number;
  /** The metadata that the orphans were looked for in; null when the table moved on meanwhile. */
  readonly metadataLocation: string | null;
  /** What was read for that: what came since is all that is left to be read. */
  readonly needed: NeededFiles;
  readonly orphans: readonly Orphan[];
  /** Files below the table's location. */
  readonly listed: number;
  /** Of them: not of a shape that Iceberg writers give, and left alone. */
  readonly unknown: number;
  /** Of them: nothing in the table as it is reaches them, but they are too young or may be published yet. */
  readonly undecided: number;
  /** Of them: what they would count as orphans, were they not of other writers. */
  readonly foreign: number;
}

interface Candidate extends Orphan {
  readonly writtenMs: number;
  readonly old: boolean;
  readonly own: OwnName | null;
  readonly isMaintenance: boolean;
  readonly isForeign: boolean;
  readonly version: number | null;
  readonly copy: number | null;
}

/**
 * Finds the files below a table's location that nothing reaches. Changes nothing.
 *
 * What a live writer may still publish is never among them: a file of a pipeline is garbage once its epoch is below that of the
 * pipeline's tag, as no commit of that epoch can succeed any more, and in the tag's epoch when its checkpoint has come and it is old enough;
 * one of maintenance otherwise when it was old enough at the newest commit already; a metadata file when its version is not above
 * the current one and it is old enough; a copy of a version (`vN.metadata.json`) when the table's log begins after it and it is old enough; one of another writer, if those are asked for, when it is old enough. The table is loaded after its files were listed, so that what is committed
 * in between is reached.
 *
 * @throws FrazilError `config` when the table's files may belong to others too, `data` when it was dropped or replaced meanwhile.
 */
export async function planOrphans(
  context: Pick<MaintenanceContext, "catalog" | "io" | "runtime">,
  table: LoadedTable,
  settings: OrphanSettings,
): Promise<OrphanPlan> {
  const { io, runtime } = context;
  checkMayDelete(table);
  await checkFolder(io, table);
  checkAlone(table, settings.locations);
  const held = settings.candidatesHeld ?? ORPHAN_CANDIDATES_HELD;
  const sinceMs = runtime.clock.nowMs() - settings.olderThanMs;
  const folder = table.metadata.location.replace(/\/+$/, "");
  const orphans: Orphan[] = [];
  const counts = { listed: 0, unknown: 0, undecided: 0, foreign: 0 };
  const looked = new Set<string>();
  let candidates = new Map<string, Candidate>();
  let needed = new NeededFiles(io, sinceMs);
  const settle = async (): Promise<void> => {
    const now = await reloaded(context, table);
    looked.add(now.metadataLocation);
    needed = new NeededFiles(io, sinceMs);
    await dropNeeded(needed, now, candidates);
    const isGarbage = garbageTest(now, settings.olderThanMs);
    const firstCopy = [...candidates.values()].some(({ copy }) => copy !== null) ? await firstCopyOf(io, now) : null;
    const garbage = new Map<string, Candidate>();
    for (const candidate of candidates.values()) {
      const { copy, old, place, isForeign } = candidate;
      if (isForeign && old && settings.foreign !== true) counts.foreign++;
      else if (copy === null ? isGarbage(candidate) : old && firstCopy !== null && copy < firstCopy) {
        garbage.set(place, candidate);
      } else if (copy === null) counts.undecided++;
      else counts.unknown++;
    }
    await dropNeededEarlier(needed, now, garbage);
    orphans.push(...garbage.values());
    candidates = new Map();
  };
  for await (const entry of io.list(folder)) {
    counts.listed++;
    const candidate = candidateOf(entry, folder, sinceMs, table);
    if (candidate === null) counts.unknown++;
    // Of two spellings that count as one, one is left alone.
    else if (!candidates.has(candidate.place)) candidates.set(candidate.place, candidate);
    if (candidates.size >= held) await settle();
  }
  runtime.step("orphans.listed");
  await settle();
  const [metadataLocation = null] = looked.size === 1 ? looked : [];
  return { table, sinceMs, metadataLocation, needed, orphans, ...counts };
}

/**
 * Takes out of the candidates, by their place in the table, what it needs as it is.
 * @throws FrazilError as `NeededFiles`: what cannot be read could reach any of them.
 */
export async function dropNeeded(
  needed: NeededFiles,
  table: LoadedTable,
  candidates: Map<string, unknown>,
): Promise<void> {
  if (candidates.size > 0) await needed.present(table, takesOut(candidates));
}

/**
 * Takes out of what would be garbage what versions from before reach, which are read for that alone: no metadata file is among it.
 * @throws FrazilError as `NeededFiles`
 */
export async function dropNeededEarlier(
  needed: NeededFiles,
  table: LoadedTable,
  garbage: Map<string, Pick<Orphan, "kind">>,
): Promise<void> {
  const isAny = (isIt: (kind: OrphanKind) => boolean): boolean => [...garbage.values()].some(({ kind }) => isIt(kind));
  if (!isAny((kind) => kind !== "metadataFiles")) return;
  await needed.earlier(table, takesOut(garbage), () => isAny((kind) => kind === "statistics"));
}

function takesOut(candidates: Map<string, unknown>): (location: string) => void {
  return (location) => {
    for (const place of placesInTable(location)) candidates.delete(place);
  };
}

/** The table as it is now. @throws FrazilError `data` when it is another one or gone: then nobody knows what its folder holds. */
export async function reloaded(
  { catalog }: Pick<MaintenanceContext, "catalog">,
  table: LoadedTable,
): Promise<LoadedTable> {
  const now = await catalog.loadTable(table.ident);
  if (now?.metadata.tableUuid === table.metadata.tableUuid && now.metadata.location === table.metadata.location) {
    return now;
  }
  const name = identText(table.ident);
  throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped, moved or replaced meanwhile`);
}

/** Null for what is left alone. @throws FrazilError `config` for a file of another table. */
function candidateOf(entry: FileEntry, folder: string, sinceMs: number, table: LoadedTable): Candidate | null {
  const { location, sizeBytes, lastModifiedMs } = entry;
  const path = location.slice(folder.length + 1);
  if (isNestedMetadata(path)) {
    throw new FrazilError(
      "config",
      "TABLE_INSIDE",
      `another table lies inside the folder of ${identText(table.ident)}: ${location} is its metadata`,
      { hint: "a folder is cleaned only when it belongs to one table" },
    );
  }
  const shape = shapeOf(path);
  if (shape === null) return null;
  const { kind, version, copy, name, isScratch } = shape;
  const own = parseOwnName(name);
  const isMaintenance = isMaintenanceName(name);
  const isOurs = own !== null || isMaintenance || isScratch || isStatisticsName(name);
  // Names of metadata files tell nobody's name, but whether their version can still come.
  const isForeign = kind !== "metadataFiles" && !isOurs;
  const old = lastModifiedMs < sinceMs;
  const place = canonicalPath(path);
  const writtenMs = lastModifiedMs;
  return { location, place, sizeBytes, kind, version, copy, own, isMaintenance, isForeign, writtenMs, old };
}

function garbageTest(table: LoadedTable, olderThanMs: number): (candidate: Candidate) => boolean {
  const { metadata, metadataLocation } = table;
  const stamps = new Map<string, Stamp>();
  for (const [ref, { snapshotId }] of metadata.refs) {
    const pipeline = pipelineOfTag(ref);
    const snapshot = metadata.snapshots.find((each) => each.snapshotId === snapshotId);
    const stamp = pipeline === null || snapshot === undefined ? null : readStamp(snapshot);
    if (stamp !== null && stamp.pipeline === pipeline) stamps.set(pipeline, stamp);
  }
  const current = versionOf(metadataLocation);
  const head = currentSnapshot(asWritten(table).metadata);
  const headMs = head === null ? Number.POSITIVE_INFINITY : Number(head.timestampMs);
  return ({ kind, writtenMs, old, own, isMaintenance, version }) => {
    // A commit that is under way has written the next version and not yet named it.
    if (kind === "metadataFiles") return old && version !== null && current !== null && version <= current;
    const stamp = own === null ? undefined : stamps.get(own.pipeline);
    // A higher epoch is being fenced in just now.
    if (own !== null && stamp !== undefined && own.epoch !== stamp.epoch) return own.epoch < stamp.epoch;
    if (own === null && !isMaintenance) return old;
    // Maintenance that was suspended just before its swap can make it as long as the head is the one that it has asserted; so can a pipeline
    // that takes the table up for the first time, and has no tag yet.
    const checkpoint = own?.checkpoint ?? null;
    if (isMaintenance || checkpoint === null || stamp === undefined) return old && headMs - writtenMs > olderThanMs;
    // A later checkpoint is still to come, from a process that was suspended perhaps: only a higher epoch rules it out.
    return old && checkpoint <= stamp.checkpoint;
  };
}

function checkAlone({ ident, metadata }: LoadedTable, locations: OrphanSettings["locations"]): void {
  const name = identText(ident);
  for (const other of locations) {
    if (identText(other.ident) === name) continue;
    if (!isWithin(metadata.location, other.location) && !isWithin(other.location, metadata.location)) continue;
    throw new FrazilError(
      "config",
      "LOCATION_SHARED",
      `the tables ${name} (${metadata.location}) and ${identText(other.ident)} (${other.location}) share a folder`,
      { hint: "a folder is cleaned only when it belongs to one table" },
    );
  }
}
