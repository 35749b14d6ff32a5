import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { readManifestList } from "../../../table-format/manifest/manifest-list.ts";
import { readManifest } from "../../../table-format/manifest/manifest-reader.ts";
import { parseTableMetadata } from "../../../table-format/metadata/metadata-json.ts";
import { decimalText } from "../../../table-format/partition/path.ts";
import { planSnapshot } from "../../../table-format/scan/plan.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";

const here = (name: string) => new URL(name, import.meta.url);
const metadata = parseTableMetadata(readFileSync(here("table.metadata.json")), "table.metadata.json");
/** The files lie here; the locations in them are those of the machine that wrote them. */
const io = Object.assign(createMemoryStorage(), {
  read: async (location: string) => new Uint8Array(readFileSync(here(basename(location)))),
});

test("every entry of every snapshot is what PyIceberg reads in it", async () => {
  const entries: unknown[] = [];
  for (const snapshot of metadata.snapshots) {
    for (const manifest of await readManifestList(io, snapshot)) {
      for (const entry of await readManifest(io, metadata, manifest)) {
        const { file } = entry;
        entries.push({
          snapshot: String(snapshot.snapshotId),
          manifest: basename(manifest.path),
          status: entry.status,
          snapshotId: String(entry.snapshotId),
          sequenceNumber: String(entry.sequenceNumber),
          fileSequenceNumber: String(entry.fileSequenceNumber),
          path: file.filePath,
          records: String(file.recordCount),
          size: String(file.fileSizeBytes),
          partition: file.partition.map((value, i) => {
            if (value === null) return null;
            return i === 2 ? decimalText(value as bigint, 2) : String(value);
          }),
          lower: texts(file.lowerBounds, (bytes) => Buffer.from(bytes).toString("hex")),
          nulls: texts(file.nullValueCounts, String),
        });
      }
    }
  }
  expect(entries).toEqual(JSON.parse(readFileSync(here("entries.json"), "utf8")));
});

function texts<T>(map: ReadonlyMap<number, T> | null, text: (value: T) => string): Record<string, string> {
  return Object.fromEntries([...(map ?? [])].map(([id, value]) => [String(id), text(value)]));
}

test("the plan holds the live files", async () => {
  const { dataFiles, deletes, hasEqualityDeletes } = await planSnapshot(io, metadata, metadata.snapshots.at(-1)!);
  expect(dataFiles.reduce((sum, each) => sum + each.file.recordCount, 0n)).toBe(3n);
  expect([deletes.size, hasEqualityDeletes]).toEqual([0, false]);
});
