import { describe, expect, it } from "vitest";
import type { PrimitiveType } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { compactNow } from "../../support/compaction.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { batchOf, type Row } from "../../support/rows-batch.ts";
import { tableRows } from "../../support/table-rows.ts";

const a = (text: string) => change("a", text);
const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

const LONG: PrimitiveType = { kind: "long" };
const WIDE = { id: LONG, part: { kind: "string" }, value: LONG } as const;

async function written(changes: readonly string[], formatVersion: 2 | 3 = 3) {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a", { formatVersion })]);
  await process.checkpoint(changes.map(a));
  return { warehouse, process, foreign: new ForeignWriter(warehouse, "a") };
}

/** Commits rows as one checkpoint that begins at `first`. */
function commit(process: Process, first: number, rows: readonly Row[], points?: readonly number[]): Promise<void> {
  const batch = batchOf(process, WIDE, rows, first, points === undefined ? {} : { points });
  return process.checkpointOf([batch], points?.at(-1) ?? first + rows.length);
}

/** Runs `act` just before the process sends its next commit. */
function beforeSending({ catalog }: Warehouse, act: () => Promise<void>): void {
  const send = catalog.commit.bind(catalog);
  catalog.commit = async (changes, claim) => {
    catalog.commit = send;
    await act();
    return send(changes, claim);
  };
}

describe("values that an update does not send", () => {
  it("come from the checkpoint, else from the table", async () => {
    const { warehouse, process } = await written(["+1:x:1", "+2:x:2"]);
    await commit(process, 2, [
      ["update", 1n, "y", undefined],
      ["update", 2n, "y", 20n],
      ["update", 2n, "z", undefined],
      ["insert", 3n, "n", undefined],
    ]);
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "2|z|20", "3|n|null"]);
  });

  it("come from an insert in the same checkpoint", async () => {
    const { warehouse, process } = await written(["+1:x:1"]);
    await commit(process, 1, [
      ["insert", 2n, "n", 2n],
      ["update", 2n, undefined, 3n],
      ["update", 2n, "m", undefined],
    ]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|m|3"]);
  });

  it("come from what each of two splits has sent", async () => {
    const { warehouse, process } = await written(["+1:x:1"]);
    const first = batchOf(process, WIDE, [["update", 1n, "y", undefined]], 1);
    const second = batchOf(process, WIDE, [["update", 1n, undefined, 9n]], 2);
    await process.checkpointOf([first, second], 3);
    expect(await rowsOf(warehouse)).toEqual(["1|y|9"]);
  });

  it("are those of the row that a key change moves, also over several changes", async () => {
    const { warehouse, process } = await written(["+1:x:1", "+5:x:5"]);
    await commit(
      process,
      2,
      [
        ["delete", 1n, undefined, undefined],
        ["insert", 2n, "y", undefined],
        ["delete", 2n, undefined, undefined],
        ["insert", 3n, undefined, undefined],
        ["update", 5n, undefined, 50n],
        ["delete", 5n, undefined, undefined],
        ["insert", 6n, "z", undefined],
      ],
      [3, 3, 4, 4, 5, 6, 6],
    );
    expect(await rowsOf(warehouse)).toEqual(["3|y|1", "6|z|50"]);
  });

  it("are not those of the row that the new key had", async () => {
    const { warehouse, process } = await written(["+1:x:1", "+2:x:2"]);
    await commit(
      process,
      2,
      [
        ["delete", 1n, undefined, undefined],
        ["insert", 2n, "y", undefined],
      ],
      [3, 3],
    );
    expect(await rowsOf(warehouse)).toEqual(["2|y|1"]);
  });
});

describe.each([2, 3] as const)("a commit of somebody else after the values were read, format version %i", (version) => {
  it("a compaction of our own keeps them", async () => {
    const { warehouse, process } = await written(["+1:x:1", "+2:x:2"], version);
    await process.checkpoint(["+3:x:3", "~2:y:20"].map(a));
    beforeSending(warehouse, async () => {
      expect(await compactNow(warehouse, process)).toBe(1);
    });
    await commit(process, 4, [
      ["update", 1n, "y", undefined],
      ["update", 2n, undefined, 21n],
    ]);
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "2|y|21", "3|x|3"]);
  });

  it("a delete of another row: they are read again", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2"], version);
    beforeSending(warehouse, () =>
      version === 3 ? foreign.replace([2n], []) : foreign.append([{ id: 2n, part: "f", value: 22n }]),
    );
    await commit(process, 2, [["update", 1n, "y", undefined]]);
    expect((await rowsOf(warehouse)).filter((row) => row.startsWith("1"))).toEqual(["1|y|1"]);
  });
});

describe("a foreign change of the row after its values were read", () => {
  it("gives the values that it wrote", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1"]);
    beforeSending(warehouse, () => foreign.replace([1n], [{ id: 1n, part: "f", value: 100n }]));
    await commit(process, 1, [["update", 1n, "y", undefined]]);
    expect(await rowsOf(warehouse)).toEqual(["1|y|100"]);
    // The file that was written first belongs to nothing.
    await process.checkpoint(["~1:z:5"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|z|5"]);
  });

  it("leaves the update out when it has deleted the row", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2"]);
    beforeSending(warehouse, () => foreign.replace([1n], []));
    await commit(process, 2, [
      ["update", 1n, "y", undefined],
      ["update", 2n, "y", undefined],
    ]);
    expect(await rowsOf(warehouse)).toEqual(["2|y|2"]);
  });

  it("is seen when it was made before the checkpoint was prepared", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1"]);
    await foreign.append([{ id: 2n, part: "f", value: 22n }]);
    await commit(process, 1, [["update", 2n, "y", undefined]]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|y|22"]);
  });
});

describe("an update that leaves values out, and whose key has no row, ends a job without dead letters", () => {
  it.each<[string, Row[]]>([
    ["as the table has none", [["update", 7n, "y", undefined]]],
    [
      "after a truncate",
      [
        ["truncate", null, null, null],
        ["update", 1n, "y", undefined],
      ],
    ],
    [
      "after a delete",
      [
        ["delete", 1n, undefined, undefined],
        ["update", 1n, "y", undefined],
      ],
    ],
  ])("%s", async (_, rows) => {
    const { warehouse, process } = await written(["+1:x:1"]);
    await expect(commit(process, 1, rows)).rejects.toMatchObject({
      code: "ABSENT_VALUE",
      kind: "data",
      message: expect.stringMatching(/leaves out column value, and no row of its key \(id = [17]\)/),
    });
    expect(await rowsOf(warehouse)).toEqual(["1|x|1"]);
  });
});
