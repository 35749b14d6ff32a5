import {
  contentKey,
  type DataFile,
  type FileIO,
  FrazilError,
  identText,
  isDeletionVector,
  type JsonValue,
  type LoadedTable,
  type ManifestEntry,
  type ManifestFile,
  mapConcurrently,
  readManifest,
  readManifestList,
  type Snapshot,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import type { Finding } from "./finding.ts";

export type ObjectKind = "manifest list" | "manifest" | "data file" | "delete file" | "statistics file";

/** An object that a table needs. */
export interface ObjectReference {
  readonly kind: ObjectKind;
  /** Null: nothing says. */
  readonly sizeBytes: bigint | null;
  /** One of the snapshots that need it. */
  readonly snapshotId: bigint;
}

/** All that some snapshots of a table need. Held in memory: some 300 bytes an object. */
export interface TableReferences {
  /** By location. */
  readonly objects: ReadonlyMap<string, ObjectReference>;
  /** Rows of each data file, by location. */
  readonly dataRows: ReadonlyMap<string, bigint>;
  /** Position delete files and vectors, by `contentKey`. */
  readonly deleteFiles: ReadonlyMap<string, DataFile>;
  /** Manifests that cannot be read though they are there, wrong counts, files that are listed twice, second vectors. */
  readonly findings: readonly Finding[];
}

/** What a manifest lists, as far as later checks need it. */
interface Listed {
  /** The data file of each live vector. */
  readonly vectors: readonly string[];
  /** Live data files. */
  readonly dataFiles: readonly string[];
}

/**
 * Walks the manifests of snapshots, each once. A manifest or list that is not there ends up among the objects like any other; what only it
 * would name is not known then.
 *
 * @throws FrazilError `unavailable` and the like: only a missing or broken file is a finding.
 */
export async function tableReferences(
  io: FileIO,
  table: LoadedTable,
  snapshots: readonly Snapshot[],
): Promise<TableReferences> {
  const walk = new Walk(io, table);
  for (const snapshot of snapshots) await walk.snapshot(snapshot);
  const held = new Set(snapshots.map(({ snapshotId }) => snapshotId));
  for (const { snapshotId, path, sizeBytes } of statisticsFiles(table.metadata)) {
    if (held.has(snapshotId)) walk.objects.set(path, { kind: "statistics file", sizeBytes, snapshotId });
  }
  return walk;
}

/** A Puffin file that the metadata names for a snapshot. */
export interface NamedStatistics {
  readonly of: "statistics" | "partition-statistics";
  readonly snapshotId: bigint;
  readonly path: string;
  readonly sizeBytes: bigint | null;
}

/** The statistics of a table and of its partitions, as its metadata names them. */
export function statisticsFiles({ unknownFields }: TableMetadata): NamedStatistics[] {
  return (["statistics", "partition-statistics"] as const).flatMap((of) => {
    const entries = unknownFields.get(of);
    if (!Array.isArray(entries)) return [];
    return (entries as readonly { readonly [key: string]: JsonValue }[]).flatMap((entry) => {
      const { "snapshot-id": snapshotId, "statistics-path": path, "file-size-in-bytes": size } = entry;
      if (typeof snapshotId !== "bigint" || typeof path !== "string") return [];
      return [{ of, snapshotId, path, sizeBytes: typeof size === "bigint" ? size : null }];
    });
  });
}

class Walk implements TableReferences {
  readonly objects = new Map<string, ObjectReference>();
  readonly dataRows = new Map<string, bigint>();
  readonly deleteFiles = new Map<string, DataFile>();
  readonly findings: Finding[] = [];
  readonly #io: FileIO;
  readonly #table: LoadedTable;
  readonly #name: string;
  readonly #listed = new Map<string, Listed>();

  constructor(io: FileIO, table: LoadedTable) {
    this.#io = io;
    this.#table = table;
    this.#name = identText(table.ident);
  }

  async snapshot(snapshot: Snapshot): Promise<void> {
    const { manifestList, snapshotId } = snapshot;
    this.objects.set(manifestList, { kind: "manifest list", sizeBytes: null, snapshotId });
    const manifests =
      (await this.#read(manifestList, "manifest list", () => readManifestList(this.#io, snapshot))) ?? [];
    this.#checkList(snapshot, manifests);
    // Named twice, it is read once.
    const unseen = [...new Map(manifests.map((each) => [each.path, each])).values()].filter(
      ({ path }) => !this.#listed.has(path),
    );
    await mapConcurrently(unseen, EXPIRE_REQUESTS_IN_FLIGHT, (manifest) => this.#manifest(manifest, snapshotId));
    this.#checkVectors(snapshotId, manifests);
    // Of older snapshots that would cost their number times their files.
    if (snapshotId === this.#table.metadata.currentSnapshotId) this.#checkDataFiles(snapshotId, manifests);
  }

  /** The list against itself and, where a pipeline counted its files, against what the summary says. */
  #checkList({ snapshotId, manifestList, summary }: Snapshot, manifests: readonly ManifestFile[]): void {
    const tell = (expected: string, found: string): void =>
      void this.findings.push({
        check: "manifests",
        table: this.#name,
        object: manifestList,
        expected,
        found,
        hint: `${UNREADABLE_HINT} (frazil rollback)`,
      });
    const names = new Set(manifests.map(({ path }) => path));
    if (names.size < manifests.length) {
      tell(`each manifest once, of snapshot ${snapshotId}`, `${manifests.length - names.size} named again`);
    }
    const said = summary.get("total-data-files");
    if (said === undefined || !summary.has("ingest.pipe")) return;
    const data = manifests.filter(({ content }) => content === "data");
    const counts = data.map(({ addedFilesCount, existingFilesCount }) =>
      addedFilesCount === null || existingFilesCount === null ? null : addedFilesCount + existingFilesCount,
    );
    if (counts.includes(null)) return;
    const found = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    if (String(found) !== said) tell(`${said} data files, as snapshot ${snapshotId} says`, String(found));
  }

  #checkDataFiles(snapshotId: bigint, manifests: readonly ManifestFile[]): void {
    const seen = new Set<string>();
    for (const path of new Set(manifests.map((manifest) => manifest.path))) {
      for (const dataFile of this.#listed.get(path)?.dataFiles ?? []) {
        if (!seen.has(dataFile)) {
          seen.add(dataFile);
          continue;
        }
        this.findings.push({
          check: "manifests",
          table: this.#name,
          object: dataFile,
          expected: `a data file that snapshot ${snapshotId} holds once`,
          found: "several entries",
          hint: "readers give its rows more than once: roll back to a snapshot before it (frazil rollback)",
        });
      }
    }
  }

  async #manifest(manifest: ManifestFile, snapshotId: bigint): Promise<void> {
    const { path, lengthBytes } = manifest;
    this.objects.set(path, { kind: "manifest", sizeBytes: lengthBytes, snapshotId });
    const read = () => readManifest(this.#io, this.#table.metadata, manifest);
    const entries = (await this.#read(path, "manifest", read)) ?? null;
    const live = (entries ?? []).filter(({ status }) => status !== "deleted");
    for (const { file } of live) {
      const kind = file.content === "data" ? "data file" : "delete file";
      this.objects.set(file.filePath, { kind, sizeBytes: file.fileSizeBytes, snapshotId });
      if (file.content === "data") this.dataRows.set(file.filePath, file.recordCount);
      else if (file.content === "position-deletes") this.deleteFiles.set(contentKey(file), file);
    }
    const vectors = live.filter(({ file }) => isDeletionVector(file));
    this.#listed.set(path, {
      vectors: vectors.map(({ file }) => file.referencedDataFile ?? ""),
      dataFiles: live.flatMap(({ file }) => (file.content === "data" ? [file.filePath] : [])),
    });
    if (entries !== null) this.#checkCounts(manifest, entries);
  }

  #checkCounts(manifest: ManifestFile, entries: readonly ManifestEntry[]): void {
    const said = countsText(
      [manifest.addedFilesCount, manifest.existingFilesCount, manifest.deletedFilesCount],
      [manifest.addedRowsCount, manifest.existingRowsCount, manifest.deletedRowsCount],
    );
    const of = (status: ManifestEntry["status"]) => entries.filter((entry) => entry.status === status);
    const groups = [of("added"), of("existing"), of("deleted")];
    const found = countsText(
      groups.map(({ length }) => length),
      groups.map((group) => group.reduce((sum, { file }) => sum + file.recordCount, 0n)),
    );
    // Lists of format version 1 may leave counts out.
    if (said.includes("?") || said === found) return;
    this.findings.push({
      check: "manifests",
      table: this.#name,
      object: manifest.path,
      expected: said,
      found,
      hint: "frazil compact --manifests writes the manifests of the head anew",
    });
  }

  #checkVectors(snapshotId: bigint, manifests: readonly ManifestFile[]): void {
    const seen = new Set<string>();
    const doubled = new Set<string>();
    for (const { path } of manifests) {
      for (const dataFile of this.#listed.get(path)?.vectors ?? []) {
        if (seen.has(dataFile)) doubled.add(dataFile);
        seen.add(dataFile);
      }
    }
    for (const dataFile of doubled) {
      if (this.findings.some(({ check, object }) => check === "vectors" && object === dataFile)) continue;
      this.findings.push({
        check: "vectors",
        table: this.#name,
        object: dataFile,
        expected: `one deletion vector in snapshot ${snapshotId}`,
        found: "several",
        hint: "readers may take only one of them: roll back to a snapshot before it (frazil rollback)",
      });
    }
  }

  /** Null for a file that is not there, which the look at the objects tells, or broken, which is a finding. */
  async #read<T>(location: string, kind: ObjectKind, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (error.kind === "not-found") return null;
      if (error.kind !== "corrupt" && error.kind !== "unsupported") throw error;
      this.findings.push({
        check: "objects",
        table: this.#name,
        object: location,
        expected: `a ${kind} that can be read`,
        found: error.message,
        hint: UNREADABLE_HINT,
      });
      return null;
    }
  }
}

const UNREADABLE_HINT =
  "bring the object back from a backup or an older version of it; or roll back to a snapshot that does not need it";

function countsText(files: readonly (number | null)[], rows: readonly (bigint | null)[]): string {
  const [added, existing, deleted] = files.map((count, index) => `${count ?? "?"} (${rows[index] ?? "?"} rows)`);
  return `files: ${added} added, ${existing} existing, ${deleted} deleted`;
}
