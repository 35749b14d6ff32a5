import {
  type FileIO,
  type LoadedTable,
  type ManifestFile,
  mapConcurrently,
  parseTableMetadata,
  readManifest,
  readManifestList,
  type Snapshot,
  statisticsPaths,
  type TableMetadata,
  unlessGone,
} from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";

/** Called with every file that is needed, with some more than once. */
export type Reach = (location: string) => void;

/** What tells of a version whether snapshots came and went between it and another one. */
interface Version {
  readonly metadataFile: string;
  readonly formatVersion: number;
  readonly lastSequenceNumber: bigint;
  readonly sequenceNumbers: readonly bigint[];
}

/**
 * Which files a table needs: what the present version reaches, and what versions reach that were current since some time, as a reader that began
 * then may still be at it. Whoever asks again, of a later version and for the same candidates or some of them, has only that read which came since:
 * the files behind a name never change.
 */
export class NeededFiles {
  readonly #io: FileIO;
  readonly #sinceMs: number;
  readonly #snapshots = new Set<string>();
  readonly #manifests = new Set<string>();
  /** The version up to which all earlier ones are done with. */
  #done: Version | null = null;

  constructor(io: FileIO, sinceMs: number) {
    this.#io = io;
    this.#sinceMs = sinceMs;
  }

  /**
   * The table's metadata file, those that its log names, and what each of its snapshots holds.
   * @throws FrazilError when a file cannot be read: it could reach anything.
   */
  async present({ metadata, metadataLocation }: LoadedTable, reach: Reach): Promise<void> {
    reach(metadataLocation);
    for (const { metadataFile } of metadata.metadataLog) reach(metadataFile);
    for (const path of statisticsPaths(metadata)) reach(path);
    await this.#walk(metadata, metadata.snapshots, reach, (read) => read());
  }

  /**
   * What the versions before reach and this one no longer does. Between two versions that were read, others are read only where the
   * sequence numbers do not show that every snapshot of them is in one of the two. For statistics, which have no such numbers, `all` has every
   * version read.
   *
   * @param all asked when that is done @throws FrazilError when a version or a manifest is there and cannot be read; it may be gone.
   */
  async earlier({ metadata, metadataLocation }: LoadedTable, reach: Reach, all: () => boolean): Promise<void> {
    const now = versionOf(metadataLocation, metadata);
    if (this.#done?.metadataFile === metadataLocation) return;
    const files = versionsSince(metadata, this.#sinceMs);
    const known = this.#done;
    const from = known === null ? -1 : files.indexOf(known.metadataFile);
    const left = files.slice(from + 1);
    const skipped: string[] = [];
    const read = (file: string): Promise<Version | null> => this.#readVersion(file, reach);
    const between = async (low: Version, some: string[], high: Version): Promise<void> => {
      if (some.length === 0) return;
      if (nothingWent(low, high)) {
        skipped.push(...some);
        return;
      }
      const at = some.length >> 1;
      const middle = await read(some[at] as string);
      if (middle === null) return between(low, some.toSpliced(at, 1), high);
      await between(low, some.slice(0, at), middle);
      await between(middle, some.slice(at + 1), high);
    };
    let low = from < 0 ? null : known;
    // The oldest may be gone by now, as a commit has forgotten it.
    while (low === null && left.length > 0) low = await read(left.shift() as string);
    if (low !== null) await between(low, left, now);
    if (all()) for (const file of skipped) await read(file);
    this.#done = now;
  }

  async #readVersion(metadataFile: string, reach: Reach): Promise<Version | null> {
    const metadata = await unlessGone(async () => parseTableMetadata(await this.#io.read(metadataFile), metadataFile));
    if (metadata === null) return null;
    for (const path of statisticsPaths(metadata)) reach(path);
    // Expired since: its files may go any time.
    await this.#walk(metadata, metadata.snapshots, reach, unlessGone);
    return versionOf(metadataFile, metadata);
  }

  /** What the snapshots hold that were not looked at yet. Manifests are read a few at a time and not kept. */
  async #walk(
    metadata: TableMetadata,
    snapshots: readonly Snapshot[],
    reach: Reach,
    attempt: <T>(read: () => Promise<T>) => Promise<T | null>,
  ): Promise<void> {
    const unseen = snapshots.filter((snapshot) => addTo(this.#snapshots, keyOf(snapshot)));
    const manifests: ManifestFile[] = [];
    await mapConcurrently(unseen, EXPIRE_REQUESTS_IN_FLIGHT, async (snapshot) => {
      reach(snapshot.manifestList);
      for (const manifest of (await attempt(() => readManifestList(this.#io, snapshot))) ?? []) {
        if (addTo(this.#manifests, manifest.path)) manifests.push(manifest);
      }
    });
    await mapConcurrently(manifests, EXPIRE_REQUESTS_IN_FLIGHT, async (manifest) => {
      reach(manifest.path);
      const entries = await attempt(() => readManifest(this.#io, metadata, manifest));
      for (const { status, file } of entries ?? []) if (status !== "deleted") reach(file.filePath);
    });
  }
}

/**
 * Whether every snapshot of the versions between two is in one of the two: each one that was added since the first took a number of its own
 * beyond those given before (spec, "Sequence Numbers"), and the second holds as many as were given.
 */
function nothingWent(low: Version, high: Version): boolean {
  // Snapshots of version 1 have no numbers.
  if (low.formatVersion < 2) return false;
  const added = new Set(high.sequenceNumbers.filter((number) => number > low.lastSequenceNumber));
  return BigInt(added.size) === high.lastSequenceNumber - low.lastSequenceNumber;
}

function versionOf(metadataFile: string, { formatVersion, lastSequenceNumber, snapshots }: TableMetadata): Version {
  const sequenceNumbers = snapshots.map(({ sequenceNumber }) => sequenceNumber);
  return { metadataFile, formatVersion, lastSequenceNumber, sequenceNumbers };
}

/** The older metadata files that were current at some time since then, the oldest first. A log entry's time is when its version began. */
function versionsSince({ metadataLog, lastUpdatedMs }: TableMetadata, sinceMs: number): string[] {
  const ends = [...metadataLog.slice(1).map(({ timestampMs }) => timestampMs), lastUpdatedMs];
  return metadataLog.flatMap(({ metadataFile }, index) => (Number(ends[index]) >= sinceMs ? [metadataFile] : []));
}

/** Snapshots of version 1 may have no list. */
function keyOf({ snapshotId, manifestList }: Snapshot): string {
  return `${snapshotId} ${manifestList}`;
}

function addTo<T>(set: Set<T>, value: T): boolean {
  if (set.has(value)) return false;
  set.add(value);
  return true;
}
