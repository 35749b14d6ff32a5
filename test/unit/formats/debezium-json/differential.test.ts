import fc from "fast-check";
import { expect, it } from "vitest";
import { debeziumJson } from "../../../../src/formats/debezium-json/format.ts";
import { ABSENT, type PlainRow, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";
import type { TestMessage } from "../../../support/slab.ts";

/**
 * The decoder against a reference that shares nothing with it: JSON.parse with the source text of numbers (`context.source`), BigInt
 * and string arithmetic. Messages come in slabs, so that batches, layouts and predictions carry over from one to the next.
 */
const MESSAGES = 20_000;
const PER_SLAB = 40;

const COLUMNS = {
  id: "long",
  name: "string",
  amount: "decimal(20,4)",
  qty: "int",
  price: "double",
  ok: "boolean",
  at: "timestamp",
  note: "string",
};
type Name = keyof typeof COLUMNS;
const NAMES = Object.keys(COLUMNS) as Name[];

/** JSON texts that fit each column. */
const VALUES: Record<Name, fc.Arbitrary<string>> = {
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  name: fc.string({ unit: "binary", maxLength: 20 }).map((text) => JSON.stringify(text)),
  amount: fc
    .tuple(fc.bigInt({ min: -(10n ** 16n) + 1n, max: 10n ** 16n - 1n }), fc.nat(9999), fc.boolean())
    .map(([whole, fraction, quoted]) => {
      const text = `${whole}.${String(fraction).padStart(4, "0")}`;
      return quoted ? `"${text}"` : text;
    }),
  qty: fc.integer().map(String),
  price: fc
    .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
    .map((value) => JSON.stringify(value)),
  ok: fc.constantFrom("true", "false"),
  at: fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }).map(String),
  note: fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 150 }).map((text) => JSON.stringify(text).replaceAll("/", "\\/")),
    fc.constant('"\\u00e9\\ud83d\\ude00\\b\\f\\n\\r\\t"'),
    fc
      .jsonValue({ maxDepth: 2 })
      .filter((value) => value !== null)
      .map((value) => JSON.stringify(value)),
  ),
};

/** An object's members as JSON text, with white space where the number says so. */
function objectText(members: readonly (readonly [string, string])[], space: string): string {
  return `{${members.map(([name, text]) => `${space}${JSON.stringify(name)}${space}:${space}${text}${space}`).join(",")}}`;
}

const space = fc.constantFrom("", "", "", "", "", " ", "\n\t");

const row = fc
  .tuple(
    fc.record(Object.fromEntries(NAMES.map((name) => [name, VALUES[name]])) as typeof VALUES),
    fc.subarray(NAMES.slice(1), { minLength: 0 }),
    fc.subarray(NAMES.slice(1), { minLength: 3 }),
    fc.boolean(),
  )
  .map(([texts, nulls, sent, whole]) =>
    NAMES.filter((name) => whole || name === "id" || sent.includes(name)).map(
      (name) => [name, nulls.includes(name) && !whole ? "null" : texts[name]] as const,
    ),
  );

interface GeneratedMessage extends TestMessage {
  readonly key: string;
  readonly value: string;
  /** The JSON text of `note` in `after`: what a string column keeps of a value that is no string. */
  readonly note: string | null;
}

const message = fc
  .record({
    op: fc.constantFrom("c", "r", "u", "u", "u", "d"),
    before: fc.option(row),
    after: row,
    space,
    opFirst: fc.nat(9),
  })
  .map(({ op, before, after, space: blank, opFirst }) => {
    const parts: [string, string][] = [
      ["before", op === "d" || op === "u" ? (before === null ? "null" : objectText(before, blank)) : "null"],
      ["after", op === "d" ? "null" : objectText(after, blank)],
      ["source", `{"lsn":${before === null ? 1 : "null"},"snapshot":"false","list":[1,{"a":"}]"}]}`],
      ["op", `"${op}"`],
      ["ts_ms", "1750000000000"],
    ];
    if (opFirst === 0) parts.reverse();
    const id = after.find(([name]) => name === "id")?.[1] as string;
    const note = after.find(([name]) => name === "note")?.[1] ?? null;
    return { key: `{"id":${id}}`, value: objectText(parts, blank), note } satisfies GeneratedMessage;
  });

/** A JSON value with numbers as their source text. */
type Parsed = null | boolean | string | { readonly number: string } | object;

function reference(text: string): {
  op: string;
  before: Map<string, Parsed> | null;
  after: Map<string, Parsed> | null;
} {
  const numbers = JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? { number: context?.source } : value,
  ) as Record<string, unknown>;
  const image = (value: unknown) => (value === null ? null : new Map(Object.entries(value as Record<string, Parsed>)));
  return { op: numbers["op"] as string, before: image(numbers["before"]), after: image(numbers["after"]) };
}

function expectedValue(name: Name, value: Parsed): unknown {
  if (value === null) return null;
  const number = typeof value === "object" && "number" in value ? value.number : null;
  const text = number ?? value;
  switch (name) {
    case "id":
    case "at":
      return BigInt(text as string);
    case "qty":
    case "price":
      return Number(text);
    case "amount":
      return `${BigInt((text as string).replace(".", ""))}e-4`;
    default:
      return text;
  }
}

function expectedRows({ key, value, note }: GeneratedMessage, after: string): PlainRow[] {
  const { op, before, after: row } = reference(value);
  const all = (values: (name: Name) => unknown): PlainRow["values"] =>
    Object.fromEntries(NAMES.map((name) => [name, values(name)]));
  const keyed = (id: bigint) => all((name) => (name === "id" ? id : ABSENT));
  const idOf = (image: Map<string, Parsed>) => expectedValue("id", image.get("id") as Parsed) as bigint;
  if (op === "d") {
    const id = before === null ? BigInt(/-?\d+/.exec(key)?.[0] as string) : idOf(before);
    return [{ op: "delete", after, values: keyed(id) }];
  }
  const image = row as Map<string, Parsed>;
  const values = all((name) => {
    const found = image.get(name);
    if (found === undefined) return ABSENT;
    return name === "note" && found !== null && typeof found !== "string" ? note : expectedValue(name, found);
  });
  if (op !== "u") return [{ op: "insert", after, values }];
  if (before === null || idOf(before) === idOf(image)) return [{ op: "update", after, values }];
  return [
    { op: "delete", after, values: keyed(idOf(before)) },
    { op: "insert", after, values },
  ];
}

it(`decodes ${MESSAGES} generated messages as the reference does`, () => {
  let decodedRows = 0;
  let keyChanges = 0;
  fc.assert(
    fc.property(fc.array(message, { minLength: PER_SLAB, maxLength: PER_SLAB }), (messages) => {
      const decoder = decoderOf(debeziumJson, bindingOf({ columns: COLUMNS }));
      // Every column is known from the first row on, so that all rows have the same ones.
      const first = {
        key: '{"id":0}',
        value: objectText(
          [
            ["op", '"c"'],
            [
              "after",
              objectText(
                NAMES.map((name) => [name, name === "id" ? "1" : "null"]),
                "",
              ),
            ],
          ],
          "",
        ),
      };
      const batches = decoder.decode([first, ...messages]);
      expect(batches).toHaveLength(1);
      const expected = messages.flatMap((one, k) => expectedRows(one, String(k + 2)));
      const rows = rowsOf(batches).slice(1);
      expect(rows).toEqual(expected);
      decodedRows += rows.length;
      keyChanges += rows.length - messages.length;
    }),
    { numRuns: MESSAGES / PER_SLAB, endOnFailure: true },
  );
  expect(decodedRows).toBeGreaterThanOrEqual(MESSAGES);
  expect(keyChanges).toBeGreaterThan(100);
}, 120_000);
