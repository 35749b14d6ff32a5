import { describe, expect, test } from "vitest";
import { planSnapshot, snapshotSchema } from "../../../table-format/index.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { bothDiffs, openGolden } from "../../support/golden-table.ts";

describe.each(["plain", "partitioned"])("Flink's table %s", (name) => {
  const table = openGolden(new URL(`${name}/`, import.meta.url));
  const { io, metadata, rows } = table;

  test("has the rows that Spark reads in every snapshot", async () => {
    expect(metadata.snapshots).toHaveLength(3);
    for (const snapshot of metadata.snapshots) {
      const { fields } = snapshotSchema(metadata, snapshot);
      expect(await scanLines(io, metadata, snapshot, fields)).toEqual(rows[String(snapshot.snapshotId)]);
    }
    const { equalityDeletes } = await planSnapshot(io, metadata, metadata.snapshots.at(-1)!);
    expect(equalityDeletes.length).toBeGreaterThan(1);
  });

  test("has the changes of a comparison of all rows, between any two snapshots", async () => {
    for (const from of metadata.snapshots) {
      for (const to of metadata.snapshots) {
        const { planned, compared } = await bothDiffs(table, from, to);
        expect(planned).toEqual(compared);
      }
    }
  });
});
