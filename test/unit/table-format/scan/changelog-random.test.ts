import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  cellAt,
  type FileIO,
  must,
  overwriteFiles,
  planSnapshot,
  type PositionDelta,
  rewriteFiles,
  RoaringBitmap,
  rowDelta,
  type Schema,
  scanRows,
  snapshotById,
  snapshotSchema,
  type TableMetadata,
  type TableOperation,
  withLineage,
} from "../../../../table-format/index.ts";
import { changelogRows, changesOf, compareAll, fullRows } from "../../../support/changelog-rows.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { RandomTable } from "../../../support/random-table.ts";
import { WrittenTable } from "../transaction/written-table.ts";
import { type IdRow, writeIdRows } from "./lineage-rows.ts";

/** `FRAZIL_RANDOM_TABLES` sets another number, `FRAZIL_RANDOM_SEED` the first seed. */
const TABLES = Number(process.env["FRAZIL_RANDOM_TABLES"] ?? 6);
const FIRST = Number(process.env["FRAZIL_RANDOM_SEED"] ?? 1);
const SEEDS = Array.from({ length: TABLES }, (_, i) => FIRST + i);

/** A column of few values, so that keys meet again; the first where there is none. */
function keyIn({ fields }: Schema): number {
  const found = fields.findIndex(({ type }, k) => k > 0 && type.kind !== "float" && type.kind !== "double");
  return Math.max(found, 0);
}

/** The changes between any two snapshots, and step by step up to the newest, are those of a comparison of all rows. */
async function compareAllPairs(io: FileIO, metadata: TableMetadata, seed: number): Promise<number> {
  const ids = [null, ...metadata.snapshots.map(({ snapshotId }) => snapshotId)];
  const at = (id: bigint) => must(snapshotById(metadata, id), "a snapshot");
  const known = new Map<string, ReturnType<typeof fullRows>>();
  const rowsAt = (id: bigint | null, schema: Schema, key: number | null) => {
    const name = `${id} ${schema.schemaId} ${key}`;
    const rows = known.get(name) ?? fullRows(io, metadata, id === null ? null : at(id), schema.fields, key);
    known.set(name, rows);
    return rows;
  };
  let updates = 0;
  for (const by of ["key", "row id"]) {
    const paired = (schema: Schema) => {
      const key = by === "key" ? keyIn(schema) : null;
      const identifierFields = key === null ? [] : [must(schema.fields[key], "a column").name];
      const compared = async (from: bigint | null, to: bigint) =>
        compareAll(await rowsAt(from, schema, key), await rowsAt(to, schema, key), key === null);
      return { key, identifierFields, compared };
    };
    for (const [i, from] of ids.entries()) {
      for (const [k, to] of ids.entries()) {
        if (to === null) continue;
        const { key, identifierFields, compared } = paired(
          snapshotSchema(metadata, at(k < i && from !== null ? from : to)),
        );
        const { updatesAfter, ...found } = changesOf(
          await changelogRows(io, metadata, { from, to, identifierFields, net: true }, key),
        );
        const context = { seed, from, to, by };
        expect({ ...context, ...found }).toEqual({ ...context, ...(await compared(from, to)) });
        expect(updatesAfter).toEqual(found.updates);
        updates += found.updates.length;
      }
    }
    const told = metadata.snapshots.filter(({ summary }) => summary.get("operation") !== "replace");
    const { key, identifierFields, compared } = paired(snapshotSchema(metadata, at(must(ids.at(-1), "a snapshot"))));
    const all = await changelogRows(io, metadata, { identifierFields }, key);
    for (const [ordinal, { snapshotId, parentSnapshotId }] of told.entries()) {
      const step = all.filter((row) => row.ordinal === ordinal);
      expect(step.filter((row) => row.snapshotId !== snapshotId)).toEqual([]);
      const expected = await compared(parentSnapshotId, snapshotId);
      expect({ seed, snapshotId, ...changesOf(step) }).toMatchObject({ seed, snapshotId, ...expected });
    }
    expect(new Set(all.map(({ ordinal }) => ordinal)).difference(new Set(told.keys())).size).toBe(0);
  }
  return updates;
}

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
        updates += await compareAllPairs(io, random.table.metadata, seed);
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
        updates += await compareAllPairs(table.io, (await table.load()).metadata, seed);
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
