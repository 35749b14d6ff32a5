import fc from "fast-check";
import { expect, it } from "vitest";
import { canalJson } from "../../../../src/formats/canal-json/format.ts";
import { ABSENT, type PlainRow, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";
import type { TestMessage } from "../../../support/slab.ts";

/**
 * The decoder against messages that an encoder of the test's own writes from values that it knows: JSON.stringify, BigInt and string
 * arithmetic, nothing of ours. Messages come in slabs, so that batches, layouts and predictions carry over from one to the next.
 */
const MESSAGES = 6_000;
const PER_SLAB = 30;

/** A value as Canal writes it, and as it must arrive. */
interface Sent {
  readonly text: string;
  readonly value: unknown;
}

const integers = (min: bigint, max: bigint, value: (n: bigint) => unknown): fc.Arbitrary<Sent> =>
  fc
    .oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n))
    .map((n) => ({ text: String(n), value: value(n) }));

const LABELS = ["new", "paid, sent", "it's", "3", "ü"];

const pad = (n: number | bigint, width: number) => String(n).padStart(width, "0");

function decimals(precision: number, scale: number): fc.Arbitrary<Sent> {
  const limit = 10n ** BigInt(precision);
  return fc.bigInt({ min: 1n - limit, max: limit - 1n }).map((unscaled) => {
    const digits = pad(unscaled < 0n ? -unscaled : unscaled, scale + 1);
    const text = `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return { text, value: `${unscaled}e-${scale}` };
  });
}

/** From year 1 to 9999, which MySQL keeps, to the microsecond. */
const datetimes = fc
  .tuple(
    fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
    fc.nat(999_999),
  )
  .map(([date, micros]): Sent => {
    const seconds = date.toISOString().slice(-24, -5).replace("T", " ");
    const whole = BigInt(Math.floor(date.getTime() / 1000)) * 1_000_000n;
    return { text: `${seconds}.${pad(micros, 6)}`, value: whole + BigInt(micros) };
  });

const COLUMNS: Readonly<Record<string, readonly [mysqlType: string, values: fc.Arbitrary<Sent>]>> = {
  id: ["bigint(20)", integers(-(2n ** 63n), 2n ** 63n - 1n, (n) => n)],
  part: ["varchar(3)", fc.constantFrom("eu", "us", "é😀\\").map((text) => ({ text, value: text }))],
  unsigned: ["bigint(20) unsigned", integers(0n, 2n ** 64n - 1n, (n) => `${n}e-0`)],
  number: ["int(11)", integers(-(2n ** 31n), 2n ** 31n - 1n, Number)],
  wide: ["INT UNSIGNED", integers(0n, 2n ** 32n - 1n, (n) => n)],
  small: ["smallint(5) unsigned", integers(0n, 65_535n, Number)],
  total: ["decimal(38,10)", decimals(38, 10)],
  price: ["decimal(9,2) unsigned", decimals(9, 2)],
  rate: [
    "double",
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => ({ text: String(value).replace("e", "E"), value: value + 0 })),
  ],
  text: ["longtext", fc.string({ unit: "binary", maxLength: 30 }).map((text) => ({ text, value: text }))],
  status: [
    `enum(${LABELS.map((label) => `'${label.replaceAll("'", "''")}'`).join(",")})`,
    fc.nat(LABELS.length).map((n) => ({ text: String(n), value: n === 0 ? "" : LABELS[n - 1] })),
  ],
  flags: [
    "set('a','b','c')",
    fc.subarray(["a", "b", "c"]).map((labels) => ({
      text: String(labels.reduce((mask, label) => mask | (1 << "abc".indexOf(label)), 0)),
      value: labels.join(","),
    })),
  ],
  at: ["datetime(6)", datetimes],
  photo: [
    "longblob",
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({
      text: Buffer.from(bytes).toString("latin1"),
      value: Buffer.from(bytes).toString("hex"),
    })),
  ],
};
const NAMES = Object.keys(COLUMNS);
const KEY = ["id", "part"];

type Row = Record<string, Sent | null>;

const row: fc.Arbitrary<Row> = fc.record(
  Object.fromEntries(
    NAMES.map((name) => {
      const values = (COLUMNS[name] as readonly [string, fc.Arbitrary<Sent>])[1];
      return [name, KEY.includes(name) ? values : fc.option(values, { freq: 5 })];
    }),
  ),
);

const texts = (of: Row) => Object.fromEntries(NAMES.map((name) => [name, of[name]?.text ?? null]));

interface Generated {
  readonly message: TestMessage;
  /** Op and values of each row that comes of it. */
  readonly rows: readonly Pick<PlainRow, "op" | "values">[];
}

const message: fc.Arbitrary<Generated> = fc
  .record({
    type: fc.constantFrom("INSERT" as const, "UPDATE" as const, "UPDATE" as const, "DELETE" as const),
    rows: fc.array(fc.record({ row, old: row, changed: fc.subarray(NAMES) }), { minLength: 1, maxLength: 5 }),
    turn: fc.nat(8),
    indent: fc.constantFrom(0, 0, 0, 1),
    withOld: fc.boolean(),
  })
  .map(({ type, rows, turn, indent, withOld }): Generated => {
    const old =
      type === "UPDATE" && withOld
        ? rows.map(({ old: was, changed }) =>
            Object.fromEntries(changed.map((name) => [name, was[name]?.text ?? null])),
          )
        : null;
    const members = Object.entries({
      data: rows.map((one) => texts(one.row)),
      database: "shop",
      isDdl: false,
      mysqlType: Object.fromEntries(NAMES.map((name) => [name, COLUMNS[name]?.[0]])),
      old,
      pkNames: KEY,
      sqlType: { id: -5 },
      table: "orders",
      type,
    });
    const turned = Object.fromEntries([...members.slice(turn), ...members.slice(0, turn)]);
    const keyOnly = (of: Row) =>
      Object.fromEntries(NAMES.map((name) => [name, KEY.includes(name) ? of[name]?.value : ABSENT]));
    const whole = (of: Row) => Object.fromEntries(NAMES.map((name) => [name, of[name]?.value ?? null]));
    return {
      message: { value: JSON.stringify(turned, null, indent) },
      rows: rows.flatMap(({ row: now, old: was, changed }): Generated["rows"] => {
        if (type === "INSERT") return [{ op: "insert", values: whole(now) }];
        if (type === "DELETE") return [{ op: "delete", values: keyOnly(now) }];
        const before = {
          ...now,
          ...(old === null ? {} : Object.fromEntries(changed.map((name) => [name, was[name] ?? null]))),
        };
        const moved = KEY.some((name) => before[name]?.text !== now[name]?.text);
        if (!moved) return [{ op: "update", values: whole(now) }];
        return [
          { op: "delete", values: keyOnly(before) },
          { op: "insert", values: whole(now) },
        ];
      }),
    };
  });

it(`decodes ${MESSAGES} generated messages as they were meant`, () => {
  const decoder = decoderOf(canalJson, bindingOf());
  let offset = 0;
  fc.assert(
    fc.property(fc.array(message, { minLength: PER_SLAB, maxLength: PER_SLAB }), (messages) => {
      const first = offset;
      offset += messages.length;
      const decoded = rowsOf(decoder.decode(messages.map((one) => one.message)));
      const expected = messages.flatMap(({ rows }, k) => rows.map((one) => ({ ...one, after: String(first + k + 1) })));
      expect(decoded).toEqual(expected);
    }),
    { numRuns: MESSAGES / PER_SLAB, seed: 20261121 },
  );
});
