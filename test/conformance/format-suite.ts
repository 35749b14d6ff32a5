import { describe, expect, it } from "vitest";
import { type ChangeBatch, Op } from "../../src/core/change-batch.ts";
import { FrazilError } from "../../src/core/errors.ts";
import type { Format } from "../../src/core/format.ts";
import { isValid } from "../../table-format/index.ts";
import { type PlainRow, rowsOf } from "../support/batch-rows.ts";
import { bindingOf, decoderOf, routedDecoder } from "../support/decoding.ts";
import { slabOf, type TestMessage } from "../support/slab.ts";

/** A row of the suite: values as JSON text, so that numbers keep their digits. */
export type SampleRow = Readonly<Record<"id" | "amount" | "big" | "name" | "at", string>>;

/** How a format writes the changes of table `public.orders` with key `id`. */
export interface FormatSample {
  /** A row of the first copy of a table. */
  initial(row: SampleRow): TestMessage;
  insert(row: SampleRow): TestMessage;
  update(before: SampleRow, after: SampleRow): TestMessage;
  delete(row: SampleRow): TestMessage;
  /** What an update comes out as where the format cannot tell it from an insert. */
  readonly updateOp?: "insert";
  /** Something that the format does not take. */
  readonly malformed: TestMessage;
}

const COLUMNS = { id: "long", amount: "decimal(20, 2)", big: "long", name: "string", at: "timestamp" };

function sampleRow(id: number): SampleRow {
  return {
    id: String(id),
    amount: id % 3 === 0 ? "null" : `"${9_007_199_254_740_993n + BigInt(id)}.${10 + (id % 90)}"`,
    big: String(9_223_372_036_854_775_807n - BigInt(id)),
    name: id % 4 === 0 ? "null" : JSON.stringify(`Zoë "${id}" 😀\\\n`),
    at: String(1_700_000_000_123_456n + BigInt(id)),
  };
}

function expectedValues(row: SampleRow): PlainRow["values"] {
  const text = (json: string) => JSON.parse(json) as string | null;
  return {
    id: BigInt(row.id),
    amount: row.amount === "null" ? null : `${text(row.amount)?.replace(".", "")}e-2`,
    big: BigInt(row.big),
    name: text(row.name),
    at: BigInt(row.at),
  };
}

/** What every implementation of `Format` must do. */
export function formatSuite(name: string, format: Format, sample: FormatSample): void {
  const binding = bindingOf({ columns: COLUMNS, key: format.namesKey ? null : ["id"] });
  const rows = Array.from({ length: 60 }, (_, id) => sampleRow(id));
  const story: readonly TestMessage[] = rows.flatMap((row, k) => {
    const later = { ...row, name: '"later"' };
    if (k % 5 === 0) return [sample.insert(row), sample.update(row, later), sample.delete(later)];
    return k % 2 === 0 ? [sample.insert(row)] : [sample.initial(row), sample.update(row, later)];
  });

  describe(`format: ${name}`, () => {
    it("gives the same values for the first copy and for what follows, exactly", () => {
      const initial = rowsOf(decoderOf(format, binding).decode(rows.map((row) => sample.initial(row))));
      const inserted = rowsOf(decoderOf(format, binding).decode(rows.map((row) => sample.insert(row))));
      expect(initial).toEqual(inserted);
      expect(inserted.map((row) => row.values)).toEqual(rows.map(expectedValues));
      expect(inserted.every((row) => row.op === "insert")).toBe(true);
    });

    it("keeps the order, and each row's point is past its message", () => {
      const decoded = rowsOf(decoderOf(format, binding).decode(story));
      expect(decoded.map((row) => Number(row.after))).toEqual(story.map((_, k) => k + 1));
      const ops = decoded.slice(0, 3).map((row) => row.op);
      expect(ops).toEqual(["insert", sample.updateOp ?? "update", "delete"]);
      expect(decoded[2]?.values["id"]).toBe(0n);
    });

    it("gives the same rows wherever slabs are cut", () => {
      const whole = rowsOf(decoderOf(format, binding).decode(story));
      for (const size of [1, 2, 7, 50]) {
        const decoder = decoderOf(format, binding);
        const parts: ChangeBatch[] = [];
        for (let k = 0; k < story.length; k += size) parts.push(...decoder.decode(story.slice(k, k + size)));
        expect(rowsOf(parts)).toEqual(whole);
      }
    });

    it("makes batches that hold together", () => {
      const batches = decoderOf(format, binding).decode(story);
      expect(batches.length).toBeGreaterThan(0);
      for (const batch of batches) {
        expect(batch).toMatchObject({ table: 0, split: "shop.public.orders/0", key: format.namesKey ? ["id"] : null });
        expect(batch.ops).toHaveLength(batch.length);
        expect([...batch.ops].every((op) => Object.values<number>(Op).includes(op))).toBe(true);
        expect(batch.sizeBytes).toBeGreaterThan(batch.length);
        expect(batch.columns).toHaveLength(batch.fields.length);
        expect(batch.absent).toHaveLength(batch.fields.length);
        expect(new Set(batch.fields.map((field) => field.name)).size).toBe(batch.fields.length);
        for (const [k, column] of batch.columns.entries()) {
          expect(column.length).toBe(batch.length);
          expect(column.type).toEqual(batch.fields[k]?.type);
          let nulls = 0;
          for (let row = 0; row < batch.length; row++) {
            const absent = batch.absent[k]?.[row >> 3] ?? 0;
            const isNull = !isValid(column, row);
            if (isNull) nulls++;
            if ((absent & (1 << (row & 7))) !== 0) expect(isNull).toBe(true);
          }
          expect(column.nullCount).toBe(nulls);
        }
      }
    });

    it("keeps nothing of the slab's memory", () => {
      const slab = slabOf(story);
      const decoder = format.createDecoder(
        { byStream: () => binding, route: () => binding },
        { inferred: () => {}, unrouted: () => {} },
        null,
      );
      const batches = decoder.decode(slab);
      const before = rowsOf(batches);
      slab.bytes.fill(0);
      slab.offsets.fill(0n);
      expect(rowsOf(batches)).toEqual(before);
    });

    it("says of a bad message where it stands, and goes on with the next slab", () => {
      const decoder = decoderOf(format, binding);
      const good = rows.slice(0, 3).map((row) => sample.insert(row));
      const bad = () => decoder.decode([...good, sample.malformed]);
      expect(bad).toThrow(FrazilError);
      expect(bad).toThrow(/stream shop\.public\.orders, split shop\.public\.orders\/0, offset \d+/);
      expect(rowsOf(decoder.decode(good)).map((row) => row.values)).toEqual(rows.slice(0, 3).map(expectedValues));
    });

    it("hands bad messages over where somebody takes them, and keeps the rest", () => {
      const messages = rows.flatMap((row) => [sample.insert(row), sample.malformed]);
      const decoder = decoderOf(format, binding, true);
      const decoded = rowsOf(decoder.decode(messages));
      expect(decoded.map((row) => row.values)).toEqual(rows.map(expectedValues));
      expect(decoded.map((row) => Number(row.after))).toEqual(rows.map((_, k) => 2 * k + 1));
      expect(decoder.rejected.map(({ message }) => message)).toEqual(rows.map((_, k) => 2 * k + 1));
      expect(decoder.rejected.every(({ error }) => error.kind === "data")).toBe(true);
    });

    it("notes tables that no entry takes, once", () => {
      const decoder = routedDecoder(format, { byStream: () => null, route: () => null });
      expect(decoder.decode(story)).toEqual([]);
      expect(decoder.unrouted).toHaveLength(1);
    });

    it("takes an empty slab", () => {
      expect(decoderOf(format, binding).decode([])).toEqual([]);
    });
  });
}
