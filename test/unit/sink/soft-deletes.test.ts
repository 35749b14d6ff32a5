import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NO_TIME } from "../../../src/core/change-batch.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { type KeyCache, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { batchOf, type Row } from "../../support/rows-batch.ts";
import { tableRows } from "../../support/table-rows.ts";
import type { PrimitiveType } from "../../../table-format/index.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-soft-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LONG: PrimitiveType = { kind: "long" };
const TEXT: PrimitiveType = { kind: "string" };
const COLUMNS = { id: LONG, name: TEXT, total: LONG };
let folders = 0;

/** A pipeline whose processes take over from each other; rows are `id|name|total|deleted_at`. */
class Story {
  readonly warehouse: Warehouse = memoryWarehouse("memory");
  readonly rules: TableRule[];
  readonly keys: KeyCache | undefined;
  process: Process | null = null;
  point = 0;

  constructor(rule: Partial<TableRule>, onDisk: boolean) {
    this.rules = [upsertRule("a", rule)];
    this.keys = onDisk ? { folder: join(folder, String(++folders)), limitBytes: 0 } : undefined;
  }

  /** Commits rows, each a second after the one before. */
  async commit(rows: readonly Row[], columns: Record<string, PrimitiveType> = COLUMNS, points?: readonly number[]) {
    this.process ??= await Process.start(this.warehouse, this.rules, undefined, this.keys);
    const timesUs = rows.map((_, row) => BigInt(this.point + row + 1) * 1_000_000n);
    const given = { timesUs, ...(points === undefined ? {} : { points }) };
    const batch = batchOf(this.process, columns, rows, this.point, given);
    this.point += rows.length;
    await this.process.checkpointOf([batch], this.point);
    return this.process.events.at(-1);
  }

  restart(): void {
    this.process = null;
  }

  rows(): Promise<string[]> {
    return tableRows(this.warehouse.io, this.warehouse.catalog, { namespace: ["shop"], name: "a" });
  }
}

describe.each([
  [2, "memory"],
  [2, "disk"],
  [3, "memory"],
  [3, "disk"],
] as const)("soft deletes, format version %i, keys in %s", (formatVersion, keys) => {
  const story = (rule: Partial<TableRule> = {}) =>
    new Story({ softDelete: "deleted_at", formatVersion, ...rule }, keys === "disk");

  it("keep the row with the time of the delete, until the key comes back", async () => {
    const { rows, ...at } = bound(story());
    await at.commit([
      ["insert", 1, "a", 10],
      ["insert", 2, "b", 20],
    ]);
    at.restart();
    // Of a delete only the key counts, whatever else it carries.
    const counts = await at.commit([["delete", 1, "zzz", null]]);
    expect(await rows()).toEqual(["1|a|10|3000000", "2|b|20|null"]);
    expect(counts).toMatchObject({ updates: 1, deletes: 0, dropped: 0 });
    await at.commit([["insert", 1, "c", 11]]);
    expect(await rows()).toEqual(["1|c|11|null", "2|b|20|null"]);
    // A partial update brings it back as well.
    await at.commit([["delete", 1, undefined, undefined]]);
    await at.commit([["update", 1, undefined, 12]]);
    expect(await rows()).toEqual(["1|c|12|null", "2|b|20|null"]);
  });

  it("take the row as the checkpoint has left it", async () => {
    const { rows, ...at } = bound(story());
    await at.commit([["insert", 1, "a", 10]]);
    await at.commit([
      ["update", 1, "b", undefined],
      ["delete", 1, undefined, undefined],
      ["insert", 2, "n", 20],
      ["delete", 2, null, null],
      ["delete", 1, null, null],
      ["insert", 3, "x", 30],
      ["delete", 3, null, null],
      ["insert", 3, "y", undefined],
    ]);
    expect(await rows()).toEqual(["1|b|10|6000000", "2|n|20|5000000", "3|y|null|null"]);
  });

  it("of keys without a row write nothing and are counted", async () => {
    const { rows, ...at } = bound(story());
    await at.commit([["insert", 1, "a", 10]]);
    const counts = await at.commit([
      ["delete", 7, null, null],
      ["delete", 8, null, null],
      ["insert", 8, "h", 80],
    ]);
    expect(counts).toMatchObject({ rows: 1, inserts: 1, dropped: 2 });
    expect(await rows()).toEqual(["1|a|10|null", "8|h|80|null"]);
  });

  it("by messages that hold the key alone keep columns that such messages do not name", async () => {
    const { rows, ...at } = bound(story());
    await at.commit([["insert", 1, "a", 10]]);
    await at.commit([["delete", 1]], { id: LONG });
    expect(await rows()).toEqual(["1|a|10|2000000"]);
  });

  it("leave the old row of a key change, which gives the new one what the change does not send", async () => {
    const { rows, ...at } = bound(story());
    await at.commit([["insert", 1, "a", 10]]);
    await at.commit(
      [
        ["delete", 1, undefined, undefined],
        ["insert", 2, "b", undefined],
      ],
      COLUMNS,
      [3, 3],
    );
    expect(await rows()).toEqual(["1|a|10|2000000", "2|b|10|null"]);
  });
});

function bound(story: Story) {
  return {
    commit: story.commit.bind(story),
    restart: story.restart.bind(story),
    rows: story.rows.bind(story),
  };
}

describe("soft deletes", () => {
  it("refuse a truncate, whatever stands around it", async () => {
    const at = new Story({ softDelete: "deleted_at" }, false);
    await at.commit([["insert", 1, "a", 10]]);
    await expect(at.commit([["truncate", null, null, null]])).rejects.toMatchObject({
      code: "SOFT_TRUNCATE",
      kind: "data",
    });
    expect(await at.rows()).toEqual(["1|a|10|null"]);
  });

  it("refuse a column of the source's with the name of theirs", async () => {
    const at = new Story({ softDelete: "name" }, false);
    await expect(at.commit([["insert", 1, "a", 10]])).rejects.toMatchObject({ code: "OWN_COLUMN", kind: "data" });
  });

  it("refuse a delete whose time nobody knows", async () => {
    const { warehouse, rules } = new Story({ softDelete: "deleted_at" }, false);
    const process = await Process.start(warehouse, rules);
    const rows: Row[] = [
      ["insert", 1, "a", 1],
      ["delete", 1, null, null],
    ];
    const batch = batchOf(process, COLUMNS, rows, 0, { timesUs: [NO_TIME, NO_TIME] });
    await expect(process.checkpointOf([batch], 2)).rejects.toMatchObject({ code: "NO_TIME", kind: "data" });
  });

  it.each(["evolve", "refuse", "ignore"] as const)(
    "add their column to a table under schema_changes: %s",
    async (schemaChanges) => {
      const at = new Story({ schemaChanges }, false);
      await at.commit([
        ["insert", 1, "a", 10],
        ["insert", 2, "b", 20],
      ]);
      at.restart();
      at.rules[0] = upsertRule("a", { schemaChanges, softDelete: "gone" });
      await at.commit([["delete", 2, null, null]]);
      expect(await at.rows()).toEqual(["1|a|10|null", "2|b|20|3000000"]);
    },
  );
});

describe("ignored deletes", () => {
  it.each([2, 3] as const)("leave every row, and count (format version %i)", async (formatVersion) => {
    const at = new Story({ ignoreDeletes: true, formatVersion }, false);
    await at.commit([
      ["insert", 1, "a", 10],
      ["insert", 2, "b", 20],
    ]);
    const counts = await at.commit([
      ["update", 2, "c", undefined],
      ["delete", 1, null, null],
      ["truncate", null, null, null],
      ["delete", 9, null, null],
      ["update", 1, undefined, 11],
      ["truncate", null, null, null],
    ]);
    expect(await at.rows()).toEqual(["1|a|11", "2|c|20"]);
    expect(counts).toMatchObject({ updates: 2, deletes: 0, dropped: 4 });
    // Only what is dropped: a checkpoint without rows, which moves the position all the same.
    expect(await at.commit([["delete", 1, null, null]])).toMatchObject({ rows: 0, deletes: 0, dropped: 1 });
    expect(await at.rows()).toEqual(["1|a|11", "2|c|20"]);
  });

  it("leave the old row of a key change, too", async () => {
    const at = new Story({ ignoreDeletes: true }, false);
    await at.commit([["insert", 1, "a", 10]]);
    await at.commit(
      [
        ["delete", 1, undefined, undefined],
        ["insert", 2, "b", undefined],
      ],
      COLUMNS,
      [3, 3],
    );
    expect(await at.rows()).toEqual(["1|a|10", "2|b|10"]);
  });
});
