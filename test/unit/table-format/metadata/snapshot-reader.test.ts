import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonText, parseJson } from "../../../../table-format/json/exact-json.ts";
import { tableMetadataBytes } from "../../../../table-format/metadata/metadata-bytes.ts";
import { parseTableMetadata, tableMetadataOf } from "../../../../table-format/metadata/metadata-json.ts";
import { snapshotJson } from "../../../../table-format/metadata/snapshot-json.ts";
import { ReadSnapshot } from "../../../../table-format/metadata/snapshot-reader.ts";
import type { JsonValue, TableMetadata } from "../../../../table-format/metadata/table-metadata.ts";
import { BIG, tableWith } from "./fixture.ts";

const NAME = "/t/metadata/00001-x.metadata.json";
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (table: TableMetadata): string => new TextDecoder().decode(tableMetadataBytes(table));
const base = textOf(tableWith([7n], 2));

/** A table's text with these texts for its snapshots and the entries of its log, beside those that it needs. */
function withElements(snapshots: readonly string[], log: readonly string[]): string {
  const put = (text: string, key: string, elements: readonly string[]): string =>
    text.replace(`"${key}":[`, () => `"${key}":[${elements.map((element) => `${element} ,`).join("")}`);
  return put(put(base, "snapshots", snapshots), "snapshot-log", log);
}

function outcomeOf(read: () => TableMetadata): unknown {
  try {
    const { snapshots, snapshotLog } = read();
    return [snapshots.map((snapshot) => ({ ...snapshot })), snapshotLog.map((entry) => ({ ...entry }))];
  } catch (error) {
    return (error as Error).message;
  }
}

const id = fc.bigInt({ min: 0n, max: 2n ** 63n + 10n }).map(String);
const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => JSON.stringify(value));
const strings = fc
  .array(
    fc.tuple(
      text,
      fc.oneof(
        { weight: 20, arbitrary: text },
        { weight: 1, arbitrary: fc.constantFrom("1", "null", '"\\x"', '"\u0001"') },
      ),
    ),
  )
  .map((members) => `{${members.map(([key, value]) => ` ${key} : ${value} `).join(",")}}`);
/** What a member holds, mostly as it should. */
const usual = (value: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 30, arbitrary: value },
    { weight: 1, arbitrary: fc.constantFrom("null", "-1", "1.5", '"x"', "[]", "{}", "01", "") },
  );
const member = (key: string, value: fc.Arbitrary<string>) => usual(value).map((found) => `"${key}" :\n${found}`);
const elementOf = (required: readonly fc.Arbitrary<string>[], others: readonly fc.Arbitrary<string>[]) =>
  fc
    .tuple(fc.tuple(...required), fc.array(fc.oneof(...others), { maxLength: 4 }))
    .chain(([always, some]) => fc.shuffledSubarray([...always, ...some], { minLength: always.length }))
    .map((members) => `{ ${members.join(" , ")} }`);
const snapshot = elementOf(
  [member("snapshot-id", id), member("timestamp-ms", fc.constant("1795132800000")), member("manifest-list", text)],
  [
    member("sequence-number", fc.constantFrom("0", "1")),
    member("parent-snapshot-id", id),
    member("schema-id", fc.constantFrom("0", "2147483647", "2147483648")),
    member("first-row-id", id),
    member("added-rows", id),
    member("summary", strings),
    member("tomorrow", fc.constantFrom("[1,{}]", '"\\u00e9"', "[1,]")),
    member("manifests", fc.constant('["a"]')),
  ],
);
const entry = elementOf(
  [member("snapshot-id", id), member("timestamp-ms", fc.constant("1795132800000"))],
  [member("tomorrow", fc.constant("1"))],
);

test("snapshots that are read as they are met are those of the whole tree, and so are the errors", () => {
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(fc.array(snapshot, { maxLength: 3 }), fc.array(entry, { maxLength: 3 }), (snapshots, log) => {
      const json = withElements(snapshots, log);
      const outcome = outcomeOf(() => parseTableMetadata(encode(json), NAME));
      expect(outcome).toEqual(outcomeOf(() => tableOf(json)));
      if (typeof outcome === "string") refused++;
      else read++;
    }),
    { numRuns: 500 },
  );
  expect(Math.min(read, refused)).toBeGreaterThan(50);
});

/** By the tree of all its values; of a text that is none, the error as of bytes. */
function tableOf(json: string): TableMetadata {
  let tree: JsonValue;
  try {
    tree = parseJson(json);
  } catch (error) {
    throw new Error(`${NAME}: ${(error as Error).message}`, { cause: error });
  }
  return tableMetadataOf(tree, NAME);
}

test("a snapshot is written as it was read, with what this version does not know", () => {
  const newer = base.replace('"snapshots":[{', '"snapshots":[{ "tomorrow" : { "id":9223372036854775807 },');
  const table = parseTableMetadata(encode(newer), NAME);
  expect(table.snapshots[0]).toBeInstanceOf(ReadSnapshot);
  expect(textOf(table)).toBe(newer);
  // A copy is not what was read.
  const moved = { ...table, snapshots: table.snapshots.map((each) => ({ ...each, manifestList: "elsewhere" })) };
  expect(textOf(moved)).toContain('"manifest-list":"elsewhere"');
  expect(textOf(moved)).toContain('"summary":{"operation":"append"}');
});

test("a snapshot outside of ASCII is written as it was read", () => {
  const wide = base.replaceAll("/lake/shop", "/läke/🧊");
  const table = parseTableMetadata(encode(wide), NAME);
  expect(table.snapshots[0]).toBeInstanceOf(ReadSnapshot);
  expect(table.snapshots[0]?.manifestList).toBe("/läke/🧊/orders/metadata/snap-7.avro");
  expect(textOf(table)).toBe(wide);
});

test("a snapshot of version 1 gets its sequence number when the table is upgraded", () => {
  const first = `{"snapshot-id":${BIG},"timestamp-ms":1795132800001,"manifest-list":"a"}`;
  const table = parseTableMetadata(encode(withElements([first], [])), NAME);
  expect(textOf(table)).toContain(`"snapshots":[{"sequence-number":0,"snapshot-id":${BIG},"timestamp-ms"`);
});

test("its summary is there for all that copy or send it", () => {
  const [read] = parseTableMetadata(encode(base), NAME).snapshots;
  const summary = new Map([["operation", "append"]]);
  expect({ ...read }.summary).toEqual(summary);
  expect(structuredClone(read)?.summary).toEqual(summary);
  const { bytes, start, end } = ReadSnapshot.sourceOf(read!)!;
  expect(new TextDecoder().decode(bytes.subarray(start, end))).toBe(jsonText(snapshotJson(read!)));
});
