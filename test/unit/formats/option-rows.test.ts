import { describe, expect, it } from "vitest";
import { Op } from "../../../src/core/change-batch.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { ABSENT, rowsOf } from "../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../support/decoding.ts";

const BINDING = {
  ...bindingOf({ key: ["id"], columns: { id: "long", name: "string", at: "long" } }),
  orderBy: "at",
  timed: true,
};

const canal = (type: string, row: Record<string, string>) => ({
  value: { data: [row], database: "shop", table: "a", type, isDdl: false, old: null, pkNames: ["id"], es: 1_700_000 },
});

describe("deletes for a table with order_by", () => {
  it("have the ordering value of the row as it was, from debezium-json", () => {
    const gone = { id: 1, name: "x", at: 7 };
    const rows = rowsOf(
      decoderOf(debeziumJson, BINDING).decode([
        { key: { id: 1 }, value: { before: gone, after: null, op: "d" } },
        { key: { id: 2 }, value: { before: { id: 2, name: null, at: null }, after: null, op: "d" } },
        // PostgreSQL's connector fills required columns that it does not know with zeros.
        {
          key: { id: 3 },
          value: { before: { id: 3, name: null, at: 0 }, after: null, op: "d", source: { connector: "postgresql" } },
        },
        { key: { id: 4 }, value: null },
      ]),
    );
    expect(rows.map(({ op, values }) => [op, values["id"], values["at"] ?? ABSENT])).toEqual([
      ["delete", 1n, 7n],
      ["delete", 2n, ABSENT],
      ["delete", 3n, ABSENT],
      ["delete", 4n, ABSENT],
    ]);
  });

  it("are not sent again by the tombstone behind them, which brings no ordering value", () => {
    const gone = (id: number) => ({ key: { id }, value: { before: { id, name: "x", at: 7 }, after: null, op: "d" } });
    const tombstone = (id: number) => ({ key: { id }, value: null });
    const decoder = decoderOf(debeziumJson, { ...BINDING, onceDeleted: true });
    // The first may be all that compaction has left, or the echo of what the run before has read.
    const first = decoder.decode([tombstone(1), gone(2), tombstone(2), tombstone(3), gone(4)]);
    const next = decoder.decode([tombstone(4), tombstone(5)]);
    expect(rowsOf([...first, ...next]).map(({ values }) => values["id"])).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  it("have it from canal-json, with the time of the change", () => {
    const batches = decoderOf(canalJson, BINDING).decode([canal("DELETE", { id: "1", name: "x", at: "7" })]);
    expect(rowsOf(batches).map(({ op, values }) => [op, values["id"], values["at"]])).toEqual([["delete", 1n, 7n]]);
    expect(batches.map(({ timesUs }) => [...(timesUs ?? [])])).toEqual([[1_700_000_000n]]);
  });

  it("are marked with the source's time, else with the message's", () => {
    const batches = decoderOf(debeziumJson, BINDING).decode([
      {
        key: { id: 1 },
        value: { before: { id: 1 }, after: null, op: "d", source: { ts_ms: 5 } },
        timestampMs: 9,
      },
      { key: { id: 2 }, value: null, timestampMs: 9 },
    ]);
    expect(batches.flatMap(({ ops, timesUs }) => [...ops].map((op, row) => [op, timesUs?.[row]]))).toEqual([
      [Op.delete, 5_000n],
      [Op.delete, 9_000n],
    ]);
  });
});
