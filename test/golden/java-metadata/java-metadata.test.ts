import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { tableMetadataBytes } from "../../../table-format/metadata/metadata-bytes.ts";
import { parseTableMetadata } from "../../../table-format/metadata/metadata-json.ts";
import { snapshotAsOf } from "../../../table-format/metadata/refs.ts";

const read = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

describe.each([
  ["v2.metadata.json.gz", 7188604287015258726n],
  ["v3.metadata.json.gz", 542641605005075318n],
])("%s", (name, first) => {
  const table = parseTableMetadata(read(name), name);

  test("is written again byte for byte", () => {
    expect(new TextDecoder().decode(tableMetadataBytes(table))).toBe(gunzipSync(read(name)).toString());
  });

  test("means what Java was told", () => {
    expect(table.currentSnapshotId).toBe(first);
    expect(table.refs).toEqual(
      new Map([
        ["main", { snapshotId: first, type: "branch" }],
        ["first", { snapshotId: first, type: "tag", maxRefAgeMs: 86_400_000n }],
        ["audit", { snapshotId: first, type: "branch", minSnapshotsToKeep: 4, maxSnapshotAgeMs: 900n }],
      ]),
    );
    expect(table.partitionSpecs.map((spec) => spec.fields.map((field) => `${field.fieldId} ${field.name}`))).toEqual([
      ["1000 at_day", "1001 id_bucket"],
      ["1001 id_bucket", "1002 at_month"],
    ]);
    expect(table.lastColumnId).toBe(10);
    expect(table.metadataLog).toHaveLength(3);
    expect(table.nextRowId).toBe(table.formatVersion === 3 ? 9n : 0n);
    // The rollback is history too: three appends, then the first snapshot again.
    const before = table.snapshotLog[2]!;
    expect(snapshotAsOf(table, before.timestampMs)?.sequenceNumber).toBe(3n);
    expect(snapshotAsOf(table, table.lastUpdatedMs)?.snapshotId).toBe(first);
  });
});
