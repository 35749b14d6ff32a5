import { describe, expect, it } from "vitest";
import { createBuilder, currentSnapshot, planSnapshot, type PrimitiveType } from "../../../table-format/index.ts";
import { type ChangeBatch, Op, offsetPoints } from "../../../src/core/change-batch.ts";
import { must } from "../../../src/core/errors.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";

const a = (text: string) => change("a", text);
const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

type Cell = bigint | number | string | null | undefined;
type Row = readonly [op: keyof typeof Op, ...cells: Cell[]];

/** A batch of one split from rows; undefined = not sent. `pairs`: rows whose point is that of the row after it. */
function batchOf(
  process: Process,
  columns: Readonly<Record<string, PrimitiveType>>,
  rows: readonly Row[],
  first: number,
  given: { key?: readonly string[]; points?: readonly number[] } = {},
): ChangeBatch {
  const names = Object.keys(columns);
  const absent = names.map(() => new Uint8Array((rows.length + 7) >> 3));
  const built = names.map((name, at) => {
    const type = columns[name] as PrimitiveType;
    const builder = createBuilder(type);
    for (const [index, [, ...cells]] of rows.entries()) {
      const cell = cells[at];
      if (cell === undefined) (absent[at] as Uint8Array)[index >> 3]! |= 1 << (index & 7);
      if (cell === undefined || cell === null) builder.appendNull();
      else if (type.kind === "string") builder.appendString(String(cell));
      else if (type.kind === "long" || type.kind === "timestamp") builder.appendI64(BigInt(cell));
      else builder.appendI32(Number(cell));
    }
    return builder.finish();
  });
  return {
    table: process.router.byStream("a")?.table as number,
    split: "t/0",
    length: rows.length,
    ops: Uint8Array.from(rows, ([op]) => Op[op]),
    fields: names.map((name) => ({ name, type: columns[name] as PrimitiveType, required: false })),
    columns: built,
    absent: absent.map((bits) => (bits.some((byte) => byte !== 0) ? bits : null)),
    key: given.key ?? ["id"],
    points: offsetPoints(BigInt64Array.from(given.points ?? rows.map((_, row) => first + row + 1), BigInt)),
    sizeBytes: 40 * rows.length,
  };
}

const LONG: PrimitiveType = { kind: "long" };
const INT: PrimitiveType = { kind: "int" };
const TEXT: PrimitiveType = { kind: "string" };
const WIDE = { id: LONG, part: TEXT, value: LONG };

async function fresh(...given: Parameters<typeof upsertRule> | []) {
  const warehouse = memoryWarehouse("memory");
  return { warehouse, process: await Process.start(warehouse, [upsertRule("a", given[1])]) };
}

describe("changes of one key in one checkpoint", () => {
  it.each([
    ["insert, delete", ["+9:x:1", "-9"], []],
    ["delete, insert of a row that is there", ["-1", "+1:y:2"], ["1|y|2"]],
    ["insert, delete, insert", ["+9:x:1", "-9", "+9:y:2"], ["9|y|2"]],
    ["delete twice", ["-1", "-1"], []],
    ["to another partition and back", ["~1:y:1", "~1:x:5"], ["1|x|5"]],
  ])("%s", async (_, changes, expected) => {
    const { warehouse, process } = await fresh("a", { partitionBy: ["part"] });
    await process.checkpoint(["+1:x:1"].map(a));
    await process.checkpoint(changes.map(a));
    expect(
      (await rowsOf(warehouse)).filter((row) => row !== "1|x|1" || changes.some((one) => one.includes("1:"))),
    ).toEqual(expected);
  });

  it("truncates in the middle: what came before is gone, what comes after stays", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint(["+1:x:1", "+2:x:2"].map(a));
    await process.checkpoint(["~1:x:5", "+3:x:3", "!", "+2:y:9", "+4:y:4"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["2|y|9", "4|y|4"]);
    await process.checkpoint(["~2:z:8", "~1:z:1"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|z|1", "2|z|8", "4|y|4"]);
    await process.checkpoint([a("!")]);
    expect(await rowsOf(warehouse)).toEqual([]);
  });
});

describe("values that an update does not send", () => {
  it("come from the checkpoint, else from the table", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint(["+1:x:1", "+2:x:2"].map(a));
    const batch = batchOf(
      process,
      WIDE,
      [
        ["update", 1n, "y", undefined],
        ["update", 2n, "y", 20n],
        ["update", 2n, "z", undefined],
        ["insert", 3n, "n", undefined],
      ],
      2,
    );
    await process.checkpointOf([batch], 6);
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "2|z|20", "3|n|null"]);
  });

  it("are not taken from a row that somebody changes meanwhile", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint(["+1:x:1"].map(a));
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    catalog.commit = async (changes, claim) => {
      catalog.commit = commit;
      await new ForeignWriter(warehouse, "a").replace([1n], [{ id: 1n, part: "f", value: 100n }]);
      return commit(changes, claim);
    };
    const batch = batchOf(process, WIDE, [["update", 1n, "y", undefined]], 1);
    await expect(process.checkpointOf([batch], 2)).rejects.toMatchObject({ code: "VALUES_MOVED", kind: "conflict" });
    expect(await rowsOf(warehouse)).toEqual(["1|f|100"]);
  });

  it("are not taken from a truncate", async () => {
    const { process } = await fresh();
    await process.checkpoint(["+0:x:1"].map(a));
    const batch = batchOf(
      process,
      WIDE,
      [
        ["truncate", null, null, null],
        ["update", 0n, "y", undefined],
      ],
      1,
    );
    await expect(process.checkpointOf([batch], 3)).rejects.toMatchObject({ code: "ABSENT_VALUE" });
  });

  it("are not lost when the key changes", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint(["+1:x:1"].map(a));
    const batch = batchOf(
      process,
      WIDE,
      [
        ["delete", 1n, undefined, undefined],
        ["insert", 2n, "y", undefined],
      ],
      1,
      { points: [2, 2] },
    );
    await expect(process.checkpointOf([batch], 2)).rejects.toMatchObject({ code: "ABSENT_VALUE" });
    expect(await rowsOf(warehouse)).toEqual(["1|x|1"]);
  });
});

describe("keys", () => {
  it("are found after their column was widened", async () => {
    const { warehouse, process } = await fresh();
    const narrow = batchOf(
      process,
      { id: INT, part: TEXT },
      [
        ["insert", 1, "x"],
        ["insert", -2, "x"],
      ],
      0,
    );
    await process.checkpointOf([narrow], 2);
    const wide = batchOf(
      process,
      { id: LONG, part: TEXT },
      [
        ["update", 1n, "y"],
        ["delete", -2n, null],
      ],
      2,
    );
    await process.checkpointOf([wide], 4);
    expect(await rowsOf(warehouse)).toEqual(["1|y"]);
  });

  it("are found after a date became a timestamp", async () => {
    const { warehouse, process } = await fresh();
    const days = batchOf(
      process,
      { id: { kind: "date" }, part: TEXT },
      [
        ["insert", 1, "x"],
        ["insert", 2, "x"],
      ],
      0,
    );
    await process.checkpointOf([days], 2);
    const times = batchOf(process, { id: { kind: "timestamp" }, part: TEXT }, [["update", 86_400_000_000n, "y"]], 2);
    await process.checkpointOf([times], 3);
    const rows = await rowsOf(warehouse);
    expect([rows.length, rows.filter((row) => row.endsWith("|y")).length]).toEqual([2, 1]);
  });

  it("that the messages name otherwise than before are refused", async () => {
    const { process } = await fresh("a", { key: null });
    await process.checkpoint(["+1:x:1"].map(a));
    const batch = batchOf(process, WIDE, [["insert", 1n, "y", 2n]], 1, { key: ["id", "part"] });
    await expect(process.checkpointOf([batch], 2)).rejects.toMatchObject({ code: "KEY_CHANGED", kind: "config" });
  });
});

describe("tables of format version 2", () => {
  it("delete rows by one position delete file a data file", async () => {
    const { warehouse, process } = await fresh("a", { formatVersion: 2 });
    await process.checkpoint(["+1:x:1", "+2:x:2", "+3:x:3"].map(a));
    await process.checkpoint(["~1:x:10", "+4:x:4"].map(a));
    await process.checkpoint(["-2", "-1"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["3|x|3", "4|x|4"]);
    const { metadata } = await new ForeignWriter(warehouse, "a").load();
    const snapshot = must(currentSnapshot(metadata), "a snapshot");
    const plan = await planSnapshot(warehouse.io, metadata, snapshot);
    const deletes = [...plan.deletes.values()].flat().map(({ file }) => [file.fileFormat, file.recordCount]);
    expect([metadata.formatVersion, snapshot.summary.get("total-delete-files"), deletes]).toEqual([
      2,
      "2",
      [
        ["PARQUET", 1n],
        ["PARQUET", 2n],
      ],
    ]);
  });

  it("are followed by a process that starts, and go on with vectors when they become version 3", async () => {
    const rules = [upsertRule("a", { formatVersion: 2 })];
    const warehouse = memoryWarehouse("memory");
    const first = await Process.start(warehouse, rules);
    await first.checkpoint(["+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4"].map(a));
    await first.checkpoint(["-1"].map(a));
    const second = await Process.start(warehouse, rules);
    await second.checkpoint(["+1:y:1", "-2"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "3|x|3", "4|x|4"]);
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.update([{ action: "upgrade-format-version", formatVersion: 3 }]);
    await second.checkpoint(["-3", "~4:y:4"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "4|y|4"]);
    await second.checkpoint(["-1", "+5:y:5"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["4|y|4", "5|y|5"]);
  });
});
