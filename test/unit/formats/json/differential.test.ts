import fc from "fast-check";
import { expect, it } from "vitest";
import { json } from "../../../../src/formats/json/format.ts";
import { ABSENT, type PlainRow, rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";
import type { TestMessage } from "../../../support/slab.ts";

/** The decoder against JSON.parse, whose reviver gives numbers by their source text: `context.source`. */
const MESSAGES = 10_000;
const PER_SLAB = 40;

const COLUMNS = { id: "long", name: "string", price: "double", ok: "boolean", big: "decimal(38,0)", doc: "string" };
const NAMES = Object.keys(COLUMNS);

const VALUES: Record<string, fc.Arbitrary<string>> = {
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  name: fc.string({ unit: "binary", maxLength: 30 }).map((text) => JSON.stringify(text).replaceAll("/", "\\/")),
  price: fc
    .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
    .map((value) => JSON.stringify(value)),
  ok: fc.constantFrom("true", "false"),
  big: fc.bigInt({ min: 1n - 10n ** 38n, max: 10n ** 38n - 1n }).map(String),
  doc: fc
    .jsonValue({ maxDepth: 3 })
    .filter((value) => value !== null)
    .map((value) => JSON.stringify(value)),
};

interface Generated extends TestMessage {
  readonly value: string | null;
}

const space = fc.constantFrom("", "", "", " ", "\n\t");

const record: fc.Arbitrary<Generated> = fc
  .tuple(fc.record(VALUES), fc.shuffledSubarray(NAMES.slice(1)), fc.subarray(NAMES.slice(1)), space, fc.nat(9))
  .map(([texts, sent, nulls, blank, kind]) => {
    const key = `{"more":[1],${blank}"id"${blank}:${texts["id"]}}`;
    if (kind === 0) return { key, value: null };
    const members = ["id", ...sent].map(
      (name) => `${blank}"${name}"${blank}:${nulls.includes(name) ? "null" : texts[name]}${blank}`,
    );
    return { key, value: `${blank}{${members.join(",")}}${blank}` };
  });

/** Integers, and members of the record itself, by their source text. */
function parse(text: string): Record<string, unknown> {
  return JSON.parse(text, function (this: unknown, _name: string, value: unknown, context?: { source?: string }) {
    return typeof value === "number" ? { source: context?.source } : value;
  } as (this: unknown, name: string, value: unknown) => unknown) as Record<string, unknown>;
}

const sourceOf = (value: unknown) => (value as { source: string }).source;

function expectedValues(text: string): PlainRow["values"] {
  const members = parse(text);
  const values: Record<string, (value: unknown) => unknown> = {
    id: (value) => BigInt(sourceOf(value)),
    name: (value) => value,
    price: (value) => Number(sourceOf(value)),
    ok: (value) => value,
    big: (value) => `${BigInt(sourceOf(value))}e-0`,
    // The generator writes documents without spaces, as JSON.stringify does, so that their text can be made again.
    doc: (value) => (typeof value === "string" ? value : JSON.stringify(JSON.parse(text)["doc"])),
  };
  return Object.fromEntries(
    NAMES.map((name) => {
      const value = Object.hasOwn(members, name) ? members[name] : ABSENT;
      return [name, value === null || value === ABSENT ? value : values[name]?.(value)];
    }),
  );
}

it(`decodes ${MESSAGES} generated messages as JSON.parse does`, () => {
  const decoder = decoderOf(json, bindingOf({ key: ["id"], columns: COLUMNS }));
  // Every column is known from the first slab on.
  decoder.decode([{ value: '{"id":1,"name":null,"price":null,"ok":null,"big":null,"doc":null}' }]);
  let offset = 1;
  fc.assert(
    fc.property(fc.array(record, { minLength: PER_SLAB, maxLength: PER_SLAB }), (messages) => {
      const first = offset;
      offset += messages.length;
      expect(rowsOf(decoder.decode(messages))).toEqual(
        messages.map(({ key, value }, k) => {
          const after = String(first + k + 1);
          if (value !== null) return { op: "insert", after, values: expectedValues(value) };
          const gone = Object.fromEntries(NAMES.map((name) => [name, ABSENT]));
          return { op: "delete", after, values: { ...gone, id: BigInt(sourceOf(parse(key as string)["id"])) } };
        }),
      );
    }),
    { numRuns: MESSAGES / PER_SLAB, seed: 20261121 },
  );
});
