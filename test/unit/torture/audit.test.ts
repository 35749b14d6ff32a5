import { describe, expect, it } from "vitest";
import type { Position } from "../../../src/core/position.ts";
import { type CanonicalRow, canonicalLines, digestOf } from "../../readers/canonical.ts";
import type { TableDescription } from "../../readers/reader.ts";
import type { TableContents } from "../../readers/requests.ts";
import { type AuditResult, openAudit } from "../../torture/audit.ts";
import { FED_TABLES, type FedTable } from "../../torture/feed.ts";

const POSITION: Position = new Map([["t/0", "4"]]);
const SENT: Readonly<Partial<Record<FedTable, readonly CanonicalRow[]>>> = {
  checking: [{ id: "0", balance: "70" }],
  saving: [{ id: "0", balance: "30" }],
  registers: [1, 2].map((next) => ({ register: "r", next: String(next) })),
};
const NEWER = "registers, newer";
const TABLES = Object.keys(SENT) as FedTable[];
const COLUMNS: Readonly<Partial<Record<FedTable, readonly string[]>>> = {
  checking: ["id", "balance"],
  saving: ["id", "balance"],
  registers: ["register", "next"],
};

/** What is gone of the registers when their snapshot is read, as a newer metadata file has come. */
type Gone = "metadata file" | "data file" | "snapshot";

/** Audits a warehouse in which each table has one snapshot, 1, that stands for the position and has these rows; those that are not named have none. */
async function audited(
  found: Partial<typeof SENT>,
  snapshot = "1",
  hasLedger = true,
  gone: Gone | null = null,
): Promise<AuditResult> {
  const tables = { ...SENT, ...found };
  let isNewer = false;
  const readers = {
    async describe(place: object) {
      const { location } = place as { location: string };
      const snapshotId = gone === "snapshot" && location === NEWER ? "2" : "1";
      const summary = { "ingest.position": '{"t/0":"4"}', "ingest.ckpt": "1" };
      const snapshots = [{ snapshotId, parentSnapshotId: null, sequenceNumber: "1", operation: "append", summary }];
      return { currentSnapshotId: snapshotId, snapshots } as unknown as TableDescription;
    },
    async pyiceberg(place: object) {
      const { location } = place as { location: string };
      if (gone !== null && (location === "registers" || (location === NEWER && gone === "data file"))) {
        isNewer = true;
        throw new Error("FileNotFoundError: made up");
      }
      const name = (location === NEWER ? "registers" : location) as FedTable;
      const rows = tables[name] ?? [];
      const columns = COLUMNS[name] ?? [];
      const described = columns.map((column) => ({ name: column, type: "string" }));
      const lines = canonicalLines(columns, rows);
      const digest = digestOf(lines);
      return { columns: described, lines, rows, count: rows.length, digest } as unknown as TableContents;
    },
  };
  const expected = {
    rowsAt: (table: FedTable) => [...(SENT[table] ?? [])],
    sumAt: () => 100,
  };
  const cut = { id: "1/1", position: POSITION, tables: new Map(TABLES.map((name) => [name, snapshot])) };
  const lake = {
    s3: null,
    place: (location: FedTable) => ({ location }),
    heads: async () => new Map(FED_TABLES.map((name) => [name, isNewer && name === "registers" ? NEWER : name])),
    ledger: hasLedger ? async () => cut : null,
  };
  const audit = openAudit(expected, lake, readers);
  await audit.look();
  return audit.finish();
}

const FINE = { lost: 0, doubled: 0, wrongSums: 0, registerGaps: 0, registerRepeats: 0, missingFiles: 0 };

describe("the audit of a torture", () => {
  it("finds nothing where all is as it was sent", async () => {
    expect(await audited({})).toMatchObject({ ...FINE, cuts: 1, snapshots: 6, complaints: [] });
  });

  it("takes the tables as they stand for a cut where one commit spans them all", async () => {
    expect(await audited({}, "1", false)).toMatchObject({ ...FINE, cuts: 1, complaints: [] });
    expect(await audited({ saving: [{ id: "0", balance: "29" }] }, "1", false)).toMatchObject({ wrongSums: 1 });
  });

  it("finds a transfer of which one half is missing", async () => {
    const { wrongSums, lost, complaints } = await audited({ saving: [{ id: "0", balance: "29" }] });
    expect({ wrongSums, isLost: lost > 0 }).toEqual({ wrongSums: 1, isLost: true });
    expect(complaints).toContainEqual(expect.stringMatching(/hold 99 together, expected 100/));
  });

  it("finds numbers of a register that are left out or come again", async () => {
    const numbers = (...all: number[]) => all.map((next) => ({ register: "r", next: String(next) }));
    // The snapshot is read as it appears, and as the last one.
    expect(await audited({ registers: numbers(2) })).toMatchObject({ registerGaps: 2, registerRepeats: 0 });
    expect(await audited({ registers: numbers(1, 2, 2) })).toMatchObject({ registerGaps: 0, registerRepeats: 2 });
  });

  it("reads a snapshot by a newer metadata file where the one that named it has gone", async () => {
    expect(await audited({}, "1", true, "metadata file")).toMatchObject({ ...FINE, cuts: 1, snapshots: 6, expired: 0 });
  });

  it("tells a file that is missing from one that has gone with its snapshot", async () => {
    const { missingFiles, complaints } = await audited({}, "1", true, "data file");
    expect(missingFiles).toBeGreaterThan(0);
    expect(complaints).toContainEqual(expect.stringMatching(/registers at 1: FileNotFoundError/));
    expect(await audited({}, "1", true, "snapshot")).toMatchObject({ ...FINE, expired: 1, complaints: [] });
  });

  it("finds a cut that names a snapshot which is not there", async () => {
    const { complaints } = await audited({}, "2");
    expect(complaints).toEqual([expect.stringMatching(/names a snapshot that no table has/)]);
  });
});
