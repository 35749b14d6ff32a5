import { expect } from "vitest";
import {
  ancestors,
  type Expression,
  type FileIO,
  must,
  type Schema,
  snapshotById,
  snapshotSchema,
  type TableMetadata,
} from "../../../../table-format/index.ts";
import { changelogRows, changesOf, compareAll, fullRows, type FullRow } from "../../../support/changelog-rows.ts";
import { Dice } from "../../../support/fuzz/mutate.ts";
import { type FilterColumn, randomFilter, truthOf } from "../expression/filters.ts";

/** A column of few values, so that keys meet again; the first where there is none. */
function keyIn({ fields }: Schema): number {
  const found = fields.findIndex(({ type }, k) => k > 0 && type.kind !== "float" && type.kind !== "double");
  return Math.max(found, 0);
}

/**
 * The changes between any two snapshots, and step by step up to the newest, are those of a comparison of all rows, and with a filter those
 * of all rows of which it is true.
 * @returns how many updates there were
 */
export async function compareAllPairs(
  io: FileIO,
  metadata: TableMetadata,
  seed: number,
  columnsOf: (schema: Schema) => readonly FilterColumn[],
): Promise<number> {
  const dice = new Dice(seed + 9_000);
  const ids = [null, ...metadata.snapshots.map(({ snapshotId }) => snapshotId)];
  const at = (id: bigint) => must(snapshotById(metadata, id), "a snapshot");
  const known = new Map<string, Promise<FullRow[]>>();
  const rowsAt = async (id: bigint | null, schema: Schema, key: number | null, filter: Expression | null) => {
    const name = `${id} ${schema.schemaId} ${key}`;
    const rows = known.get(name) ?? fullRows(io, metadata, id === null ? null : at(id), schema.fields, key);
    known.set(name, rows);
    const isTrue = ({ valueOf }: FullRow) => filter === null || truthOf(filter, valueOf as never) === true;
    return (await rows).filter(isTrue);
  };
  let updates = 0;
  for (const by of ["key", "row id"]) {
    const paired = (schema: Schema, filter: Expression | null) => {
      const key = by === "key" ? keyIn(schema) : null;
      const identifierFields = key === null ? [] : [must(schema.fields[key], "a column").name];
      const compared = async (from: bigint | null, to: bigint) =>
        compareAll(await rowsAt(from, schema, key, filter), await rowsAt(to, schema, key, filter), key === null);
      return { key, compared, options: { identifierFields, ...(filter !== null && { filter }) } };
    };
    const contextOf = (filter: Expression | null) => ({
      seed,
      by,
      filter: JSON.stringify(filter, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)),
    });
    for (const [i, from] of ids.entries()) {
      for (const [k, to] of ids.entries()) {
        if (to === null) continue;
        const schema = snapshotSchema(metadata, at(k < i && from !== null ? from : to));
        // Half of the pairs, for time.
        const filters = (i + k) % 2 === 0 ? [] : [randomFilter(columnsOf(schema), dice)];
        for (const filter of [null, ...filters]) {
          const { key, compared, options } = paired(schema, filter);
          const { updatesAfter, ...found } = changesOf(
            await changelogRows(io, metadata, { ...options, from, to, net: true }, key),
          );
          const context = { ...contextOf(filter), from, to };
          expect({ ...context, ...found }).toEqual({ ...context, ...(await compared(from, to)) });
          expect(updatesAfter).toEqual(found.updates);
          updates += found.updates.length;
        }
      }
    }
    const head = at(must(metadata.currentSnapshotId, "a snapshot"));
    const path = [...ancestors(metadata, head.snapshotId)].toReversed();
    const told = path.filter(({ summary }) => summary.get("operation") !== "replace");
    const schema = snapshotSchema(metadata, head);
    for (const filter of [null, randomFilter(columnsOf(schema), dice)]) {
      const { key, compared, options } = paired(schema, filter);
      const all = await changelogRows(io, metadata, options, key);
      for (const [ordinal, { snapshotId, parentSnapshotId }] of told.entries()) {
        const step = all.filter((row) => row.ordinal === ordinal);
        expect(step.filter((row) => row.snapshotId !== snapshotId)).toEqual([]);
        const context = { ...contextOf(filter), snapshotId };
        expect({ ...context, ...changesOf(step) }).toMatchObject({
          ...context,
          ...(await compared(parentSnapshotId, snapshotId)),
        });
      }
      expect(new Set(all.map(({ ordinal }) => ordinal)).difference(new Set(told.keys())).size).toBe(0);
    }
  }
  return updates;
}
