import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import { canalJson } from "../../../../src/formats/canal-json/format.ts";
import { ABSENT, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf, routedDecoder } from "../../../support/decoding.ts";
import type { TestMessage } from "../../../support/slab.ts";

type Row = Record<string, unknown>;

const TYPES = { id: "bigint", region: "varchar(2)", name: "text" };

function canal(type: string, data: readonly Row[] | null, more: Row = {}): TestMessage {
  return {
    value: {
      data,
      database: "shop",
      isDdl: false,
      mysqlType: TYPES,
      old: null,
      pkNames: ["id"],
      table: "orders",
      type,
      ...more,
    },
  };
}

function errorOf(work: () => unknown): FrazilError {
  try {
    work();
  } catch (error) {
    if (error instanceof FrazilError) return error;
  }
  throw new Error("nothing was refused");
}

const row = (id: number | string, name: string | null = null, region: string | null = "eu"): Row => ({
  id: String(id),
  region,
  name,
});
const brief = (rows: ReturnType<typeof rowsOf>) =>
  rows.map(({ op, after, values }) => `${op} ${after} ${String(values["id"])} ${String(values["name"])}`);

describe("messages", () => {
  it("may have their members in any order, with any white space", () => {
    const decoder = decoderOf(canalJson);
    const members: Row = (canal("UPDATE", [row(2, "b")], { old: [{ id: "1" }] }).value as Row) ?? {};
    const names = Object.keys(members);
    for (let turn = 0; turn < names.length; turn++) {
      const turned = [...names.slice(turn), ...names.slice(0, turn)];
      for (const indent of [0, 2]) {
        for (const order of [turned, turned.toReversed()]) {
          const value = JSON.stringify(Object.fromEntries(order.map((name) => [name, members[name]])), null, indent);
          const rows = rowsOf(decoder.decode([{ value }]));
          expect(rows.map(({ op, values }) => [op, values])).toEqual([
            ["delete", { id: 1n, region: ABSENT, name: ABSENT }],
            ["insert", { id: 2n, region: "eu", name: "b" }],
          ]);
        }
      }
    }
  });

  it("change the columns where mysqlType does, not where its text does not", () => {
    const wider = { ...TYPES, more: "int" };
    const batches = decoderOf(canalJson).decode([
      canal("INSERT", [row(1)]),
      canal("INSERT", [row(2)]),
      canal("INSERT", [{ ...row(3), more: "7" }], { mysqlType: wider }),
      canal("INSERT", [row(4)]),
    ]);
    expect(batches.map((batch) => [batch.length, batch.fields.length])).toEqual([
      [2, 3],
      [1, 4],
      [1, 3],
    ]);
  });

  it("may bring columns that mysqlType does not name", () => {
    const decoder = decoderOf(canalJson);
    const rows = rowsOf(decoder.decode([canal("INSERT", [row(1), { ...row(2), extra: "x" }, row(3)])]));
    expect(rows.map(({ after, values }) => [after, values["id"], values["extra"]])).toEqual([
      ["1", 1n, undefined],
      ["1", 2n, "x"],
      ["1", 3n, ABSENT],
    ]);
    expect(decoder.inferred.map((column) => column.name)).toEqual(["extra"]);
  });

  it("go to the table of their database and name", () => {
    const bindings = new Map([
      ["shop.orders", bindingOf({ table: 0, target: "lake.orders" })],
      ["shop.items", bindingOf({ table: 1, target: "lake.items" })],
    ]);
    const decoder = routedDecoder(canalJson, {
      byStream: () => null,
      route: (_, id) => bindings.get(id ?? "") ?? null,
    });
    const batches = decoder.decode([
      canal("INSERT", [row(1)]),
      canal("INSERT", [row(2)], { table: "items" }),
      canal("INSERT", [row(3)], { table: "others" }),
      canal("INSERT", [row(4)], { table: "others" }),
      canal("INSERT", [row(5)]),
      canal("INSERT", [row(6)], { database: null }),
    ]);
    expect(batches.map((batch) => [batch.table, batch.length])).toEqual([
      [0, 2],
      [1, 1],
    ]);
    expect(decoder.unrouted).toEqual(["shop.others", "orders"]);
    expect(decoder.skipped).toMatchObject({ unrouted: 3 });
  });

  it("that make no change are counted", () => {
    const decoder = decoderOf(canalJson);
    const statement = (type: string, isDdl: boolean) =>
      canal(type, null, { isDdl, sql: "…", mysqlType: null, pkNames: null });
    const batches = decoder.decode([
      { value: null },
      canal("INSERT", null),
      canal("UPDATE", []),
      statement("ALTER", true),
      statement("ALTER", true),
      statement("ERASE", false),
      statement("SOMETHING", true),
      statement("QUERY", false),
      { value: { type: "TIDB_WATERMARK", data: null, database: "", table: "" } },
    ]);
    expect(batches).toEqual([]);
    expect(decoder.skipped).toEqual({ statement: 5, rowless: 2, watermark: 1, empty: 1, unrouted: 0 });
    expect(decoder.statements).toEqual(["ALTER", "ALTER", "ERASE", "SOMETHING"]);
  });
});

describe("an update", () => {
  it("is a delete and an insert only where the key differs", () => {
    const rows = rowsOf(
      decoderOf(canalJson).decode([
        canal("UPDATE", [row(1, "a"), row(2, "b"), row(4, "c"), row(5, "d")], {
          old: [{ name: "x" }, { id: "2", name: "x" }, { id: "3" }, null],
        }),
        canal("UPDATE", [row(6, "e")]),
        canal("UPDATE", [row(7, "f"), row(8, "g")], { old: [{ id: "70" }] }),
      ]),
    );
    expect(brief(rows)).toEqual([
      "update 1 1 a",
      "update 1 2 b",
      "delete 1 3 Symbol(absent)",
      "insert 1 4 c",
      "update 1 5 d",
      "update 2 6 e",
      "delete 3 70 Symbol(absent)",
      "insert 3 7 f",
      "update 3 8 g",
    ]);
  });

  it("takes the parts of the old key that did not change from the row, and the job's key before the message's", () => {
    const decoder = decoderOf(canalJson, bindingOf({ key: ["region", "id"] }));
    const batches = decoder.decode([
      canal("UPDATE", [row(1, "a", "us")], { old: [{ region: "eu" }] }),
      canal("UPDATE", [row(2, "a", "us")], { old: [{ region: null, id: "1" }] }),
      canal("DELETE", [row(2, "a", "us")]),
    ]);
    expect(batches.map((batch) => batch.key)).toEqual([null]);
    expect(rowsOf(batches)).toEqual([
      { op: "delete", after: "1", values: { region: "eu", id: 1n, name: ABSENT } },
      { op: "insert", after: "1", values: { region: "us", id: 1n, name: "a" } },
      { op: "delete", after: "2", values: { region: "us", id: 1n, name: ABSENT } },
      { op: "insert", after: "2", values: { region: "us", id: 2n, name: "a" } },
      { op: "delete", after: "3", values: { region: "us", id: 2n, name: ABSENT } },
    ]);
  });

  it("of the key may be a table's first change, also of one without mysqlType", () => {
    const decoder = decoderOf(canalJson, bindingOf({ key: ["region", "id"] }));
    const message = canal("UPDATE", [row(1, "a", "us")], { old: [{ region: "eu" }], mysqlType: null });
    expect(rowsOf(decoder.decode([message]))).toEqual([
      { op: "delete", after: "1", values: { region: "eu", id: "1", name: ABSENT } },
      { op: "insert", after: "1", values: { region: "us", id: "1", name: "a" } },
    ]);
  });

  it("with a message that names no key is an update", () => {
    const binding = bindingOf({ mode: "append" });
    const batches = decoderOf(canalJson, binding).decode([
      canal("UPDATE", [row(2)], { old: [{ id: "1" }], pkNames: null }),
      canal("DELETE", [row(2)], { old: null, pkNames: [] }),
    ]);
    expect(rowsOf(batches).map(({ op }) => op)).toEqual(["update", "delete"]);
    expect(batches.map((batch) => batch.key)).toEqual([null]);
  });
});

describe("truncate", () => {
  const truncate = canal("TRUNCATE", null, {
    isDdl: true,
    mysqlType: null,
    pkNames: null,
    sql: "truncate table orders",
  });

  it("is one row without values, also before any other of the table", () => {
    const binding = bindingOf({ existing: { id: "long" } });
    const batches = decoderOf(canalJson, binding).decode([truncate, canal("INSERT", [row(1)]), truncate]);
    expect(rowsOf(batches).map(({ op, after, values }) => [op, after, Object.values(values)])).toEqual([
      ["truncate", "1", []],
      ["insert", "2", [1n, "eu", null]],
      ["truncate", "3", [ABSENT, ABSENT, ABSENT]],
    ]);
  });

  it("of a table that is not there yet is skipped", () => {
    const decoder = decoderOf(canalJson);
    expect(rowsOf(decoder.decode([truncate, canal("INSERT", [row(1)])])).map(({ op }) => op)).toEqual(["insert"]);
    expect([decoder.skipped, decoder.statements]).toMatchObject([{ statement: 1 }, []]);
  });
});

describe("bad messages", () => {
  const bad: [name: string, message: TestMessage, code: string, column: string | null][] = [
    ["empty", { value: "" }, "MALFORMED_JSON", null],
    ["followed by more", { value: '{"type":"QUERY"} {}' }, "MALFORMED_JSON", null],
    ["of another format", { value: { before: null, after: { id: 1 }, op: "c" } }, "NOT_A_CANAL_MESSAGE", null],
    ["wrapped", { value: { payload: { type: "INSERT" }, schema: {}, version: "1" } }, "NOT_A_CANAL_MESSAGE", null],
    ["with an unknown type", canal("UPSERT", [row(1)]), "UNKNOWN_OP", null],
    ["with a type that is no text", { value: { type: 1 } }, "MALFORMED_JSON", null],
    ["with rows that are no array", canal("INSERT", { id: "1" } as never), "MALFORMED_JSON", null],
    ["with a row that is no object", canal("INSERT", [row(1), "x" as never]), "MALFORMED_JSON", null],
    ["with null for a row", canal("DELETE", [row(1), null as never]), "MALFORMED_JSON", null],
    ["with types that are no texts", canal("INSERT", [row(1)], { mysqlType: { id: 4 } }), "MALFORMED_JSON", null],
    ["with a key that is no list", canal("INSERT", [row(1)], { pkNames: "id" }), "MALFORMED_JSON", null],
    ["with a part twice", { value: '{"type":"INSERT","data":[],"data":[{"id":"1"}]}' }, "MALFORMED_JSON", null],
    ["with a bad value in a later row", canal("INSERT", [row(1), row(2), row("x")]), "VALUE_MISMATCH", "id"],
    [
      "with a bad value after a key change",
      canal("UPDATE", [row(1), row("x")], { old: [{ id: "9" }, { id: "8" }] }),
      "VALUE_MISMATCH",
      "id",
    ],
    [
      "with a bad value after a new column",
      canal("INSERT", [row(1), { ...row(2), more: "1" }, { ...row(3), late: 1 }, row("x")]),
      "VALUE_MISMATCH",
      "id",
    ],
    ["with an array in a new column", canal("INSERT", [row(1), { ...row(2), more: [] }]), "COLUMN_TYPE_REFUSED", null],
    ["without the key", canal("INSERT", [row(1), { name: "x" }]), "KEY_WITHOUT_VALUE", "id"],
    ["with a null key", canal("UPDATE", [row(1), { ...row(2), id: null }]), "KEY_WITHOUT_VALUE", "id"],
    ["that delete without the key", canal("DELETE", [row(1), { name: "x" }]), "DELETE_WITHOUT_KEY", null],
    ["that delete where nothing names a key", canal("DELETE", [row(1)], { pkNames: null }), "DELETE_WITHOUT_KEY", null],
    [
      "that TiCDC left out",
      canal("INSERT", [row(1)], { _tidb: { claimCheckLocation: "s3://x" } }),
      "ROW_LEFT_OUT",
      null,
    ],
  ];

  it.each(bad)("%s are handed over, and leave no row behind", (_, message, code, column) => {
    const good = (id: number) => canal("INSERT", [row(id, "a"), row(id + 1, "b")]);
    const decoder = decoderOf(canalJson, bindingOf(), true);
    expect(brief(rowsOf(decoder.decode([good(10), message, good(20), message, message, good(30)])))).toEqual([
      "insert 1 10 a",
      "insert 1 11 b",
      "insert 3 20 a",
      "insert 3 21 b",
      "insert 6 30 a",
      "insert 6 31 b",
    ]);
    expect(decoder.rejected.map(({ message: at, error }) => `${at} ${error.kind} ${error.code}`)).toEqual([
      `1 data ${code}`,
      `3 data ${code}`,
      `4 data ${code}`,
    ]);
    expect(decoder.rejected[0]?.column ?? null).toBe(column);
    const thrown = errorOf(() => decoderOf(canalJson).decode([good(10), message]));
    expect([thrown.kind, thrown.code]).toEqual(["data", code]);
    expect(thrown.message).toMatch(/^stream shop\.public\.orders, split shop\.public\.orders\/0, offset 1/);
  });
});
