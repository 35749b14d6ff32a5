import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  cellAt,
  must,
  overwriteFiles,
  planSnapshot,
  type PositionDelta,
  rewriteFiles,
  RoaringBitmap,
  rowDelta,
  scanRows,
  type TableOperation,
  withLineage,
} from "../../../../table-format/index.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { RandomTable } from "../../../support/random-table.ts";
import { WrittenTable } from "../transaction/written-table.ts";
import { filterColumns } from "../expression/filters.ts";
import { compareAllPairs } from "./all-pairs.ts";
import { type IdRow, ID_ROW_COLUMNS, writeIdRows } from "./lineage-rows.ts";

/** `FRAZIL_RANDOM_TABLES` sets another number, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_TABLES"] ?? 6);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
const SEEDS = Array.from({ length: TABLES }, (_, i) => FIRST + i);

describe("the changes that a comparison of all rows shows", () => {
  test(
    "of random tables: all types, equality and position deletes, vectors, other schemas and partitions",
    { timeout: 600_000 },
    async () => {
      let updates = 0;
      for (const seed of SEEDS) {
        const io = createMemoryStorage();
        const random = new RandomTable(io, "mem://w", new Dice(seed));
        await random.live();
        updates += await compareAllPairs(io, random.table.metadata, seed, filterColumns);
      }
      expect(updates).toBeGreaterThan(0);
    },
  );

  test(
    "of tables whose rows keep their ids through updates, copies on write and compactions",
    { timeout: 600_000 },
    async () => {
      let updates = 0;
      for (const seed of SEEDS) {
        const table = await WrittenTable.create();
        const dice = new Dice(seed);
        for (let steps = 8; steps > 0; steps--) await liveOn(table, dice);
        updates += await compareAllPairs(table.io, (await table.load()).metadata, seed, () => ID_ROW_COLUMNS);
      }
      expect(updates).toBeGreaterThan(0);
    },
  );
});

let files = 0;

/** Appends, updates rows in place by vectors, deletes, copies a file on write, or compacts. */
async function liveOn(table: WrittenTable, dice: Dice): Promise<void> {
  const loaded = await table.load();
  const { io } = table;
  const name = () => `f${++files}`;
  const fresh = Array.from({ length: 1 + dice.below(4) }, () => ({
    id: BigInt(dice.below(30)),
    part: dice.pick(["a", "b"]),
  }));
  const snapshot = loaded.metadata.currentSnapshotId === null ? null : await table.head();
  const plan = snapshot === null ? null : await planSnapshot(io, loaded.metadata, snapshot);
  if (plan === null || snapshot === null || plan.dataFiles.length === 0) {
    await table.commit(rowDelta({ dataFiles: await writeIdRows(loaded, io, name(), fresh) }));
    return;
  }
  const dataFile = dice.pick(plan.dataFiles);
  const live: { position: number; row: IdRow }[] = [];
  for await (const { file, positions, length, columns } of scanRows(io, loaded.metadata, snapshot, {
    fields: withLineage(must(loaded.metadata.schemas[0], "a schema")).fields,
  })) {
    if (file.filePath !== dataFile.file.filePath) continue;
    for (let at = 0; at < length; at++) {
      const [id, part, rowId, updated] = columns.map((column) => cellAt(column, at));
      const position = must(positions[at], "a position");
      const row = {
        id: id as bigint,
        part: part as string,
        _row_id: (rowId as bigint | null) ?? must(file.firstRowId, "a row id") + BigInt(position),
        _last_updated_sequence_number: (updated as bigint | null) ?? dataFile.sequenceNumber,
      };
      live.push({ position, row });
    }
  }
  const chosen = live.filter(() => dice.below(2) === 0);
  const changed = chosen.map(({ row: { id, _row_id } }) => ({
    id,
    part: dice.pick(["a", "c"]),
    _row_id: must(_row_id, "an id"),
  }));
  const untouched = live.filter((each) => !chosen.includes(each)).map(({ row }) => row);
  const operation = async (): Promise<TableOperation> => {
    const gone: PositionDelta = { dataFile, positions: RoaringBitmap.from(chosen.map(({ position }) => position)) };
    const deletedRows = chosen.length === 0 ? [] : [gone];
    switch (dice.below(5)) {
      case 0:
        return rowDelta({ dataFiles: await writeIdRows(loaded, io, name(), fresh), deletedRows });
      case 1:
      case 2:
        return rowDelta({ dataFiles: await writeIdRows(loaded, io, name(), [...changed, ...fresh]), deletedRows });
      case 3:
        return overwriteFiles({
          deletedFiles: [dataFile],
          addedFiles: await writeIdRows(loaded, io, name(), [...untouched, ...changed]),
        });
      default:
        return rewriteFiles({
          deletedFiles: [dataFile],
          addedFiles: await writeIdRows(
            loaded,
            io,
            name(),
            live.map(({ row }) => row),
          ),
        });
    }
  };
  await table.commit(await operation());
}
