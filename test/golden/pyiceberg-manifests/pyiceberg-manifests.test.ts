import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { jsonText, parseJson } from "../../../table-format/json/exact-json.ts";
import { JsonFields } from "../../../table-format/json/fields.ts";
import { readManifestList } from "../../../table-format/manifest/manifest-list.ts";
import { readManifest } from "../../../table-format/manifest/manifest-reader.ts";
import { parseTableMetadata } from "../../../table-format/metadata/metadata-json.ts";
import { parseSnapshot, snapshotJson } from "../../../table-format/metadata/snapshot-json.ts";
import { decimalText } from "../../../table-format/values/value-text.ts";
import { planSnapshot } from "../../../table-format/scan/plan.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";

/** The files lie beside this one; the locations in them are those of the machine that wrote them. */
const golden = (version: string) => {
  const here = (location: string) => new URL(`${version}/${basename(location)}`, import.meta.url);
  return {
    metadata: parseTableMetadata(readFileSync(here("table.metadata.json")), "table.metadata.json"),
    expected: JSON.parse(readFileSync(here("entries.json"), "utf8")) as unknown,
    io: Object.assign(createMemoryStorage(), {
      read: async (location: string) => new Uint8Array(readFileSync(here(location))),
    }),
  };
};

test.each(["v1", "v2"])(
  "every entry of every snapshot of a %s table is what PyIceberg reads in it",
  async (version) => {
    const { metadata, io, expected } = golden(version);
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
    expect(entries).toEqual(expected);
  },
);

function texts<T>(map: ReadonlyMap<number, T> | null, text: (value: T) => string): Record<string, string> {
  return Object.fromEntries([...(map ?? [])].map(([id, value]) => [String(id), text(value)]));
}

test.each(["v1", "v2"])("the plan of a %s table holds the live files", async (version) => {
  const { metadata, io } = golden(version);
  const { dataFiles, deletes, hasEqualityDeletes } = await planSnapshot(io, metadata, metadata.snapshots.at(-1)!);
  expect(dataFiles.reduce((sum, each) => sum + each.file.recordCount, 0n)).toBe(3n);
  expect([deletes.size, hasEqualityDeletes]).toEqual([0, false]);
});

test("a snapshot that names its manifests itself, as old tables of version 1 do, is planned as one with a list", async () => {
  const { metadata, io } = golden("v1");
  for (const snapshot of metadata.snapshots) {
    const manifests = (await readManifestList(io, snapshot)).map(({ path }) => path);
    const json = jsonText({
      "snapshot-id": snapshot.snapshotId,
      "timestamp-ms": snapshot.timestampMs,
      manifests,
    });
    const inline = parseSnapshot(new JsonFields(parseJson(json), ""));
    expect(inline).toMatchObject({ manifestList: "", manifests });
    expect(snapshotJson(inline)).toMatchObject({ manifests });
    const paths = async (from: typeof snapshot) =>
      (await planSnapshot(io, metadata, from)).dataFiles.map(({ file, sequenceNumber }) => [file.filePath, sequenceNumber]);
    expect(await paths(inline)).toEqual(await paths(snapshot));
  }
});
