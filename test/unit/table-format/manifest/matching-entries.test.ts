import fc from "fast-check";
import { expect, test } from "vitest";
import type { DataFile, PartitionSpec } from "../../../../table-format/index.ts";
import type { FileStatistics } from "../../../../table-format/manifest/data-file.ts";
import type { EntryStatus, WrittenEntry } from "../../../../table-format/manifest/manifest-file.ts";
import { parseManifest } from "../../../../table-format/manifest/manifest-reader.ts";
import { writeManifest } from "../../../../table-format/manifest/manifest-writer.ts";
import { entryFilter, matchingEntries } from "../../../../table-format/manifest/matching-entries.ts";
import { dataFile } from "../data-file.ts";
import { tableMetadata } from "../metadata.ts";

const spec: PartitionSpec = {
  specId: 0,
  fields: [{ sourceId: 1, fieldId: 1000, name: "id_bucket", transform: "bucket[4]" }],
};
const metadata = tableMetadata({ partitionSpecs: [spec] });
const columns = fc.integer({ min: 1, max: 6 });
const counts = fc.option(
  fc.array(fc.tuple(columns, fc.bigInt({ min: 0n, max: 2n ** 60n }))).map((all) => new Map(all)),
);
const bounds = fc.option(fc.array(fc.tuple(columns, fc.uint8Array({ maxLength: 9 }))).map((all) => new Map(all)));
const file: fc.Arbitrary<DataFile> = fc
  .record({
    filePath: fc.string({ minLength: 1 }),
    partition: fc.tuple(fc.option(fc.integer({ min: 0, max: 3 }))),
    recordCount: fc.bigInt({ min: 1n, max: 2n ** 40n }),
    columnSizes: counts,
    valueCounts: counts,
    nullValueCounts: counts,
    nanValueCounts: counts,
    lowerBounds: bounds,
    upperBounds: bounds,
    splitOffsets: fc.option(fc.array(fc.bigInt({ min: 0n, max: 2n ** 62n }))),
    firstRowId: fc.option(fc.bigInt({ min: 0n, max: 2n ** 40n })),
  })
  .map(dataFile);
const entry: fc.Arbitrary<WrittenEntry> = fc
  .tuple(fc.constantFrom<EntryStatus>("existing", "added", "deleted"), file)
  .map(([status, file]) =>
    status === "added"
      ? { status, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, file }
      : { status, snapshotId: 3n, sequenceNumber: 2n, fileSequenceNumber: 2n, file },
  );

/** Only the entries of some keys. */
function only<T>(map: ReadonlyMap<number, T> | null, keys: ReadonlySet<number>): ReadonlyMap<number, T> | null {
  return map === null || keys.size === 0 ? null : new Map([...map].filter(([key]) => keys.has(key)));
}

test("the live files that pass are those of the whole manifest, and the filter sees their partition and statistics", () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 12 }),
      fc.uniqueArray(columns).map((ids) => new Set(ids)),
      fc.constantFrom(2 as const, 3 as const),
      fc.integer({ min: 1, max: 3 }),
      (entries, asked, formatVersion, every) => {
        const options = {
          location: "m.avro",
          formatVersion,
          content: "data",
          spec,
          snapshotId: 7n,
          sequenceNumber: 4n,
        } as const;
        const written = writeManifest({ ...options, schemas: metadata.schemas }, entries);
        const manifest = { ...written.manifest, firstRowId: formatVersion === 3 ? 100n : null };
        const all = parseManifest(written.bytes, metadata, manifest);
        const live = all.filter(({ status }) => status !== "deleted");
        const seen: FileStatistics[] = [];
        const filter = entryFilter(asked, (statistics) => seen.push(statistics) % every === 0);
        const found = matchingEntries(written.bytes, metadata, manifest, filter);
        expect(found).toEqual(live.filter((_, i) => (i + 1) % every === 0));
        expect(seen).toEqual(
          live.map(({ file }) => ({
            specId: 0,
            partition: file.partition,
            recordCount: file.recordCount,
            valueCounts: only(file.valueCounts, asked),
            nullValueCounts: only(file.nullValueCounts, asked),
            nanValueCounts: only(file.nanValueCounts, asked),
            lowerBounds: only(file.lowerBounds, asked),
            upperBounds: only(file.upperBounds, asked),
          })),
        );
      },
    ),
    { numRuns: 150 },
  );
});
