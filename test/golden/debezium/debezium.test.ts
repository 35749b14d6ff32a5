import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { ABSENT, rowsOf } from "../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../support/decoding.ts";
import type { TestMessage } from "../../support/slab.ts";

function messagesOf(name: string): TestMessage[] {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [key, value] = line.split("\t");
      return { key: key === "" ? null : key, value: value === "" ? null : value };
    });
}

/** Columns as a job would declare them for messages that say nothing of their types. */
const POSTGRES = {
  id: "int",
  balance: "decimal(10, 2)",
  score: "float",
  created: "timestamp",
  seen: "timestamptz",
  born: "date",
  wakes: "time",
  uid: "uuid",
  photo: "binary",
  tags: "string",
};

const MYSQL = {
  id: "decimal(20, 0)",
  total: "decimal(12, 2)",
  created: "long",
  exact: "timestamp",
  updated: "timestamptz",
  due: "date",
  slot: "time",
  vintage: "int",
  mask: "binary",
  open: "int",
  body: "binary",
};

const everything = <T>(columns: readonly string[], value: T): Record<string, T> =>
  Object.fromEntries(columns.map((name) => [name, value]));

describe("PostgreSQL", () => {
  const anne = {
    id: 1,
    email: "anne@example.org",
    visits: 2n ** 63n - 1n,
    balance: "-12345e-2",
    active: true,
    score: Math.fround(0.1),
    rate: Number.MAX_VALUE,
    created: 1_700_000_000_123_456n,
    seen: 1_711_850_399_999_999n,
    born: -719_162,
    wakes: 86_399_999_999n,
    uid: "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    doc: '{"a": [1, 2]}',
    photo: "00ff10",
    bio: 'Zürich — "quoted" \\ 😀\n',
    tags: '["x","y\\"z"]',
  };
  const names = Object.keys(anne);
  const bob = { ...everything(names, null), id: 2, email: "bob@example.org", visits: -(2n ** 63n) };
  const filled = { ...bob, balance: "9999999999e-2", bio: "long text" };
  const gone = (id: number) => ({ ...everything(names, ABSENT), id });

  it.each([
    ["postgres-schema.tsv", { tags: "string" }],
    ["postgres-schemaless.tsv", POSTGRES],
  ])("%s tells its story", (file, columns) => {
    const decoder = decoderOf(debeziumJson, bindingOf({ target: "lake.customers", columns }));
    const batches = decoder.decode(messagesOf(file));
    expect(batches.map((batch) => batch.key)).toEqual([["id"]]);
    expect(rowsOf(batches)).toEqual([
      { op: "insert", after: "2", values: anne },
      { op: "insert", after: "3", values: bob },
      { op: "update", after: "4", values: filled },
      { op: "update", after: "5", values: { ...filled, active: false, bio: ABSENT, photo: ABSENT, tags: ABSENT } },
      { op: "delete", after: "7", values: gone(2) },
      { op: "delete", after: "8", values: gone(2) },
      { op: "insert", after: "9", values: { ...filled, id: 20 } },
      { op: "delete", after: "10", values: gone(1) },
      { op: "delete", after: "11", values: gone(1) },
      { op: "truncate", after: "12", values: everything(names, ABSENT) },
    ]);
    expect(decoder.skipped).toMatchObject({ transaction: 1, heartbeat: 1, logicalMessage: 1 });
  });

  it("has the types that the schema declares", () => {
    const decoder = decoderOf(debeziumJson, bindingOf({ columns: { tags: "string" } }));
    const fields = decoder.decode(messagesOf("postgres-schema.tsv"))[0]?.fields;
    expect(fields?.filter((field) => field.required).map((field) => field.name)).toEqual(["id", "email"]);
    expect(fields?.map((field) => field.type.kind).join(" ")).toBe(
      "int string long decimal boolean float double timestamp timestamptz date time uuid string binary string string",
    );
  });
});

describe("MySQL", () => {
  const first = {
    id: `${2n ** 64n - 1n}e-0`,
    customer: "O’Neill & Söhne",
    status: "new",
    flags: "gift,express",
    total: "1999e-2",
    created: 1_704_164_645_123_000n,
    exact: 1_704_164_645_123_456n,
    updated: 1_704_164_645_000_000n,
    due: 19_724,
    slot: 45_296_123_456n,
    vintage: 1999,
    mask: "0108",
    open: 1,
    body: "0001feff",
    extra: '{"k":"v"}',
  };
  const names = Object.keys(first);
  const second = { ...everything(names, null), id: "7e-0", customer: "x", total: "0e-2" };
  const gone = (id: string) => ({ ...everything(names, ABSENT), id });

  it.each([
    ["mysql-schema.tsv", {}, first.created],
    // Without schema nobody can know that DATETIME(3) counts milliseconds: the job keeps the number.
    ["mysql-schemaless.tsv", MYSQL, 1_704_164_645_123n],
  ])("%s tells its story", (file, columns, created) => {
    const decoder = decoderOf(debeziumJson, bindingOf({ target: "lake.orders", columns }));
    const rows = rowsOf(decoder.decode(messagesOf(file)));
    const order = { ...first, created };
    expect(rows).toEqual([
      { op: "insert", after: "2", values: order },
      { op: "insert", after: "3", values: second },
      { op: "update", after: "4", values: { ...order, status: "paid", total: "-1e-2" } },
      { op: "delete", after: "5", values: gone("7e-0") },
      { op: "delete", after: "6", values: gone("7e-0") },
      { op: "insert", after: "7", values: { ...second, id: "8e-0" } },
      { op: "delete", after: "8", values: gone(first.id) },
      { op: "delete", after: "9", values: gone(first.id) },
    ]);
    expect(decoder.skipped).toMatchObject({ schemaChange: 1 });
  });
});
