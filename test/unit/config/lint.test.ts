import { describe, expect, it } from "vitest";
import type { Environment } from "../../../src/config/interpolate.ts";
import { lintJob } from "../../../src/config/lint.ts";
import { sharedTables } from "../../../src/config/lint-files.ts";
import type { SourceTraits } from "../../../src/config/lint-rules.ts";
import { SOURCES, sourceTraits } from "../../../src/registry.ts";

const GOOD = `name: orders
source:
  type: kafka
  brokers: ["localhost:9092"]
  topics: [shop.public.orders]
  format: debezium-json
warehouse:
  location: ./warehouse
tables:
  - from: shop.public.orders
    to: shop.orders
    mode: upsert
`;

const TRAITS: SourceTraits = { namesKey: true, topics: true };

/** `line:column severity message` of each finding. */
function found(text: string, env: Environment = {}, traits: SourceTraits = TRAITS): string[] {
  const { findings } = lintJob(text, env, SOURCES, () => traits);
  return findings.map(({ line, column, severity, message }) => `${line}:${column} ${severity} ${message}`);
}

const table = (lines: string) => GOOD.replace("    mode: upsert\n", lines);

describe("a job file", () => {
  it("passes as it is", () => {
    const { findings, value: job } = lintJob(GOOD, {}, SOURCES, () => TRAITS);
    expect([findings, job?.name]).toEqual([[], "orders"]);
  });

  it("is held against the schema", () => {
    const text = GOOD.replace("brokers", "brokrs").replace("name: orders", "name: Orders");
    expect(found(text)).toEqual([
      "1:7 error name: must be 1 to 40 of a-z, 0-9 and -",
      '4:3 error source.brokrs: unknown key, did you mean "brokers"?',
    ]);
  });

  it("that is no YAML is an error, with the way out for a variable in braces", () => {
    expect(found("name: [a\n")).toEqual([expect.stringMatching(/^2:1 error /)]);
    const text = GOOD.replace("  location: ./warehouse", "  s3: { region: ${REGION} }");
    const lines = found(text);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatch(/^8:\d+ error .*; inside \{…\} and \[…\] put "\$\{VARIABLE\}" in quotes$/);
  });
});

it("says what is wrong with a decimal that YAML takes apart", () => {
  const lines = found(table("    mode: upsert\n    columns: { total: decimal(18,2) }\n"));
  expect(lines[0]).toMatch(
    /^13:23 error tables\[0\]\.columns\.total: .*; inside \{…\} put "decimal\(18,…\)" in quotes$/,
  );
});

describe("a variable", () => {
  it("without a value is a warning, whatever its place takes", () => {
    const text = `${GOOD.replace("localhost:9092", "${BROKER}").replace("./warehouse", "${PLACE:?say where}")}checkpoint: { max_rows: "\${ROWS}" }\n`;
    expect(found(text)).toEqual([
      "4:13 warning environment variable BROKER is not set; set it, or write ${BROKER:-default}",
      "8:13 warning environment variable PLACE is not set: say where",
      "13:25 warning environment variable ROWS is not set; set it, or write ${ROWS:-default}",
    ]);
  });

  it("without a value hides no other error", () => {
    const text = `${GOOD}checkpoint: { max_rows: "\${ROWS}", interval: soon }\n`;
    expect(found(text)[1]).toBe('13:46 error checkpoint.interval: "soon" is not a duration; write 10s, 5m or 1h');
  });

  it("that is the location may turn out to be a store", () => {
    const text = GOOD.replace("./warehouse", '${PLACE}\n  s3: { endpoint: "http://localhost:9000" }');
    expect(found(text)).toEqual([expect.stringMatching(/^8:13 warning environment variable PLACE/)]);
  });

  it("with a value is checked like any other", () => {
    const text = `${GOOD}checkpoint: { max_rows: "\${ROWS}" }\n`;
    expect(found(text, { ROWS: "5" })).toEqual([]);
    expect(found(text, { ROWS: "0" })).toEqual([
      '13:25 error checkpoint.max_rows: must be a whole number from 1, found "0"',
    ]);
  });
});

describe("advice", () => {
  const cases: [name: string, text: string, expected: RegExp[], traits?: SourceTraits][] = [
    [
      "an upsert table without key, of messages that name none",
      GOOD,
      [/^12:11 warning tables\[0\]\.mode: the messages of this format do not name a key/],
      { namesKey: false, topics: true },
    ],
    [
      "a key, whose changes may lie in several topic partitions",
      table("    mode: upsert\n    key: [id, region]\n"),
      [/^13:10 note tables\[0\]\.key: all changes of one id, region must lie in one topic partition/],
    ],
    [
      "a key of a source without topic partitions",
      table("    mode: upsert\n    key: [id]\n"),
      [],
      { namesKey: true, topics: false },
    ],
    [
      "several topics into one upsert table",
      GOOD.replace("from: shop.public.orders", 'from: "shop.*"'),
      [/^10:11 warning tables\[0\]\.from: several topics may write shop\.orders/],
    ],
    [
      "two entries that write one table",
      `${GOOD}  - { from: shop.public.items, to: shop.orders, mode: upsert }\n`,
      [/^13:36 error tables\[1\]\.to: tables\[0\] \(from: shop\.public\.orders\) writes shop\.orders too/],
    ],
    [
      "several topics into a table each",
      GOOD.replace("shop.public.orders\n    to: shop.orders", '"shop.*"\n    to: "shop.${table}"'),
      [],
    ],
    [
      "an entry that never matches",
      `${GOOD.replace("from: shop.public.orders", 'from: "shop.*"').replace("upsert", "append")}  - { from: shop.public.items, to: shop.items, mode: append }\n`,
      [/^13:13 warning tables\[1\]\.from: never matches: tables\[0\] \(shop\.\*\) takes it first/],
    ],
    [
      "entries that overlap only",
      `${GOOD.replace("from: shop.public.orders", 'from: "shop.a?"').replace("upsert", "append")}  - { from: "shop.*", to: shop.items, mode: append }\n`,
      [],
    ],
    [
      "a partition by the day of a number",
      table('    mode: upsert\n    columns: { total: "decimal(18,2)" }\n    partition_by: ["day(total)"]\n'),
      [
        /^14:20 error tables\[0\]\.partition_by\[0\]: partition transform day does not take decimal\(18, 2\); day takes /,
      ],
    ],
    [
      "a partition by the day of a column whose type is not said",
      table('    mode: upsert\n    partition_by: ["day(at)", "bucket(4, id)", region]\n'),
      [/^13:20 note tables\[0\]\.partition_by\[0\]: needs at to be a date or a timestamp/],
    ],
    [
      "a partition by the day of a timestamp",
      table('    mode: upsert\n    columns: { at: timestamptz }\n    partition_by: ["day(at)"]\n'),
      [],
    ],
    [
      "an order by the day of a number, and by one that may be",
      table(
        '    mode: upsert\n    columns: { total: long, at: date }\n    sort_by: ["day(total) desc", "day(at) asc nulls last", "day(on) DESC", region]\n',
      ),
      [
        /^14:15 error tables\[0\]\.sort_by\[0\]: sort_by "day\(total\) desc": day does not take long; day takes date/,
        /^14:60 note tables\[0\]\.sort_by\[2\]: needs on to be a date or a timestamp/,
      ],
    ],
    [
      "a key that is a double",
      table("    mode: upsert\n    columns: { id: double }\n    key: [id]\n"),
      [/^14:10 note /, /^14:11 error tables\[0\]\.key\[0\]: id is a double, which cannot be a key$/],
    ],
    [
      "a time with a zone, of messages that have none",
      table("    mode: upsert\n    columns: { at: timestamptz, on: timestamp }\n"),
      [/^13:20 note tables\[0\]\.columns\.at: the times of this format come without a zone and are read as UTC/],
      { namesKey: true, topics: true, zoneless: true },
    ],
    [
      "a secret in the file",
      GOOD.replace("  format:", "  sasl: { mechanism: plain, username: u, password: secret }\n  tls: true\n  format:"),
      [/^6:52 warning source\.sasl\.password: a secret in the file; write \$\{PASSWORD\}/],
    ],
    [
      "a secret from the environment",
      GOOD.replace(
        "  format:",
        '  sasl: { mechanism: plain, username: u, password: "${KAFKA_PASSWORD:-}x" }\n  format:',
      ),
      [],
    ],
  ];
  it.each(cases)("on %s", (_name, text, expected, traits) => {
    expect(found(text, {}, traits)).toEqual(expected.map((line) => expect.stringMatching(line)));
  });
});

it("knows of each format what to advise", () => {
  const advice = (format: string) => {
    const text = table("    mode: upsert\n    columns: { at: timestamptz }\n").replace("debezium-json", format);
    return lintJob(text, {}, SOURCES, sourceTraits).findings.map(({ message }) => message.replace(/:.*/, ""));
  };
  expect(advice("debezium-json")).toEqual([]);
  expect(advice("canal-json")).toEqual(["tables[0].columns.at"]);
  expect(advice("json")).toEqual(["tables[0].mode"]);
});

describe("several files", () => {
  const jobOf = (text: string) => lintJob(text, {}, SOURCES, () => TRAITS).value!;

  it("may not share a name or a table in one warehouse", () => {
    const jobs = new Map([
      ["a.yaml", jobOf(GOOD)],
      ["b.yaml", jobOf(GOOD.replace("shop.orders", "shop.other"))],
      ["c.yaml", jobOf(GOOD.replace("name: orders", "name: third"))],
      ["d.yaml", jobOf(GOOD.replace("./warehouse", "./elsewhere"))],
    ]);
    expect(sharedTables(jobs).map(({ path, severity, message }) => `${path} ${severity} ${message}`)).toEqual([
      "b.yaml warning has the name orders of a.yaml in the same warehouse: only one of the two can run",
      "c.yaml warning writes shop.orders, as a.yaml does",
    ]);
  });
});
