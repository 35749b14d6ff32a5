import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { DataFile, LiveFile, TableMetadata } from "../../../../table-format/index.ts";
import type { ManifestEntry, ManifestFile } from "../../../../table-format/manifest/manifest-file.ts";
import { readManifestList } from "../../../../table-format/manifest/manifest-list.ts";
import { readManifest } from "../../../../table-format/manifest/manifest-reader.ts";
import { planSnapshot } from "../../../../table-format/scan/plan.ts";
import { produceSnapshot, type SnapshotInput } from "../../../../table-format/transaction/snapshot-producer.ts";
import { dataFile } from "../data-file.ts";
import { tableMetadata } from "../metadata.ts";

/** A table of manifests only: its data files are names. */
export class Manifests {
  readonly io = createMemoryStorage();
  readonly read: string[] = [];
  metadata: TableMetadata;

  constructor(given: Partial<TableMetadata> = {}) {
    this.metadata = tableMetadata(given);
    const read = this.io.read.bind(this.io);
    this.io.read = (location) => {
      this.read.push(location);
      return read(location);
    };
  }

  get head() {
    return this.metadata.snapshots.at(-1)!;
  }

  async produce(input: Partial<SnapshotInput>, attempt = 0) {
    const snapshotId = input.snapshotId ?? BigInt(100 + this.metadata.snapshots.length);
    return produceSnapshot(
      this.io,
      this.metadata,
      {
        snapshotId,
        timestampMs: 5_000n,
        addedDataFiles: [],
        removedDataFiles: [],
        addedDeleteFiles: [],
        removedDeleteFiles: [],
        summary: new Map(),
        schema: this.metadata.schemas[0]!,
        ref: "main",
        ...input,
      },
      {
        manifest: (k) => `mem://t/metadata/${snapshotId}-a${attempt}-m${k}.avro`,
        manifestList: () => `mem://t/metadata/snap-${snapshotId}-a${attempt}.avro`,
      },
    );
  }

  /** Produces a snapshot and makes it the head. */
  async commit(input: Partial<SnapshotInput>) {
    const { snapshot } = await this.produce(input);
    this.metadata = {
      ...this.metadata,
      snapshots: [...this.metadata.snapshots, snapshot],
      currentSnapshotId: snapshot.snapshotId,
      lastSequenceNumber: snapshot.sequenceNumber,
      lastUpdatedMs: snapshot.timestampMs,
      nextRowId: (snapshot.firstRowId ?? 0n) + (snapshot.addedRows ?? 0n),
    };
    this.read.length = 0;
    return snapshot;
  }

  list(): Promise<ManifestFile[]> {
    return readManifestList(this.io, this.head);
  }

  async entries(manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
    return readManifest(this.io, this.metadata, manifest);
  }

  /** `status name@sequence number` of every entry, by manifest. */
  async statuses(): Promise<string[][]> {
    const all = [];
    for (const manifest of await this.list()) {
      const entries = await this.entries(manifest);
      all.push(entries.map(({ status, file, sequenceNumber }) => `${status} ${nameOf(file)}@${sequenceNumber}`));
    }
    return all;
  }

  async live(name: string): Promise<LiveFile> {
    const { dataFiles, deletes } = await planSnapshot(this.io, this.metadata, this.head);
    const found = [...dataFiles, ...[...deletes.values()].flat()].find(({ file }) => nameOf(file) === name);
    if (found === undefined) throw new Error(`no live file ${name}`);
    return found;
  }
}

const nameOf = (file: DataFile) =>
  file.contentOffset === null ? file.filePath : `${file.filePath}#${file.contentOffset}`;
export const data = (filePath: string, recordCount = 10n) => dataFile({ filePath, recordCount, fileSizeBytes: 1000n });
export const vector = (filePath: string, of: string, cardinality: bigint, contentOffset = 4n) =>
  dataFile({
    content: "position-deletes",
    fileFormat: "PUFFIN",
    filePath,
    referencedDataFile: of,
    recordCount: cardinality,
    fileSizeBytes: 500n,
    contentOffset,
    contentSizeBytes: 40n,
  });
