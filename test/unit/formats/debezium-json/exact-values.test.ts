import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import type { Source } from "../../../../src/core/source.ts";
import { debeziumJson } from "../../../../src/formats/debezium-json/format.ts";
import { runJob } from "../../../../src/pipeline/run-job.ts";
import { openQuery } from "../../../../src/query/query.ts";
import { parsePrimitiveType } from "../../../../table-format/index.ts";
import { upsertRule } from "../../../support/checkpoints.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";
import type { SentValue, ValueCase } from "../../../support/json-values.ts";
import * as v from "../../../support/json-values.ts";
import * as t from "../../../support/json-times.ts";
import { slabOf, type TestMessage } from "../../../support/slab.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";
import { temporaryWarehouse } from "../../query/local-warehouse.ts";

const no = (...texts: string[]): fc.Arbitrary<string> => fc.oneof(fc.constantFrom(...texts), v.notScalar);

/** What `columns:` accepts, with messages that declare nothing. */
const BY_USER: readonly ValueCase[] = [
  {
    name: "boolean",
    type: "boolean",
    sent: fc.constantFrom(["true", "true"], ["false", "false"], ["1", "true"], ["0", "false"]).map(pair),
    refused: no("2", "-1", "1.0", '"true"', '""'),
  },
  { name: "int", type: "int", sent: numbersOrTexts(v.INT32), refused: fc.oneof(v.notInt64, no("2147483648", '"x"')) },
  { name: "long", type: "long", sent: numbersOrTexts(v.INT64), refused: fc.oneof(v.notInt64, no('""', '"1.0"')) },
  { name: "float", type: "float", sent: v.floats, refused: no("3.5e38", "-1e39", "1e999", '"x"', "true") },
  { name: "double", type: "double", sent: v.doubles, refused: no("1e309", "-1e400", '""', '"0x10"', "true") },
  decimalCase(1, 0),
  decimalCase(9, 2),
  decimalCase(18, 18),
  decimalCase(19, 4),
  decimalCase(38, 0),
  decimalCase(38, 10),
  decimalCase(38, 38),
  { name: "date", type: "date", sent: fc.oneof(v.plainIntegers(v.DAYS), t.isoDates), refused: t.notDates },
  {
    name: "time",
    type: "time",
    sent: fc.oneof(v.plainIntegers({ min: 0n, max: v.DAY_US - 1n }), t.isoTimes),
    refused: fc.oneof(t.notTimes, no("86400000000")),
  },
  {
    name: "timestamp",
    type: "timestamp",
    sent: fc.oneof(v.plainIntegers(v.MICROS), t.isoTimestamps(1000, false)),
    refused: fc.oneof(t.notTimestamps, no('"2024-02-29T12:00:00+01:00"', '"2024-02-29T12:00:00.1234567"')),
  },
  {
    name: "timestamptz",
    type: "timestamptz",
    sent: fc.oneof(v.plainIntegers(v.MICROS), t.isoTimestamps(1000, true)),
    refused: fc.oneof(t.notTimestamps, no('"2024-02-29T12:00:00"', '"2024-02-29T12:00:00.1234567Z"')),
  },
  {
    name: "timestamp_ns",
    type: "timestamp_ns",
    sent: fc.oneof(v.plainIntegers(v.NANOS), t.isoTimestamps(1, false)),
    refused: fc.oneof(t.notTimestamps, no('"2300-01-01T00:00:00"', '"1600-01-01T00:00:00"')),
  },
  {
    // DuckDB reads whole microseconds of these only: see `duckdbType`.
    name: "timestamptz_ns",
    type: "timestamptz_ns",
    sent: t.counted(1n, 1000n, { min: v.NANOS.min / 1000n, max: v.NANOS.max / 1000n }),
    refused: fc.oneof(t.notTimestamps, no('"2300-01-01T00:00:00Z"')),
  },
  { name: "string", type: "string", sent: v.jsonAsText, refused: v.brokenStrings },
  { name: "uuid", type: "uuid", sent: v.uuids, refused: v.notUuids },
  { name: "binary", type: "binary", sent: v.binaries(0, 300), refused: v.notBase64 },
  { name: "fixed", type: "fixed[5]", sent: v.binaries(5, 5), refused: fc.oneof(v.notBase64, no('""', '"AAAA"')) },
];

/** What Debezium and Connect declare in the message. */
const DECLARED: readonly ValueCase[] = [
  declared("boolean", {}, "boolean", fc.constantFrom(["true", "true"], ["false", "false"]).map(pair), no("1", '"t"')),
  declared("int8", {}, "int", v.plainIntegers({ min: -128n, max: 127n }), v.notInt64),
  declared("int16", {}, "int", v.plainIntegers({ min: -32_768n, max: 32_767n }), v.notInt64),
  declared("int32", {}, "int", v.plainIntegers(v.INT32), fc.oneof(v.notInt64, no("2147483648", '"1"'))),
  declared("int64", {}, "long", v.plainIntegers(v.INT64), fc.oneof(v.notInt64, no('"1"'))),
  declared("float", {}, "float", v.floats, no("1e39", '"1"')),
  declared("double", {}, "double", v.doubles, no("1e309", '"1"')),
  declared("string", {}, "string", v.strings, fc.oneof(v.brokenStrings, no("1", "true"))),
  declared("bytes", {}, "binary", v.binaries(0, 300), v.notBase64),
  debezium("time.Date", "int32", "date", t.counted(1n, 1n, v.DAYS), t.notDates),
  debezium("time.Time", "int32", "time", t.counted(1_000_000n, 1000n, day()), no("-1", "86400000", "1.5")),
  debezium("time.MicroTime", "int64", "time", t.counted(1000n, 1000n, day()), no("-1", "86400000000", "1.5")),
  debezium("time.NanoTime", "int64", "time", t.counted(1n, 1000n, day()), no("-1000", "86400000000000", "1", "999")),
  debezium(
    "time.Timestamp",
    "int64",
    "timestamp",
    t.counted(1_000_000n, 1000n, v.MICROS),
    no("9223372036854775807", "1.5"),
  ),
  debezium(
    "time.MicroTimestamp",
    "int64",
    "timestamp",
    t.counted(1000n, 1000n, v.MICROS),
    no("1.5", "9223372036854775808"),
  ),
  debezium("time.NanoTimestamp", "int64", "timestamp_ns", t.counted(1n, 1n, v.NANOS), no("1.5", "9223372036854775808")),
  debezium("time.ZonedTimestamp", "string", "timestamptz", t.isoTimestamps(1000, true), t.notTimestamps),
  debezium("time.IsoDate", "string", "date", t.isoDates, t.notDates),
  debezium("time.IsoTime", "string", "time", t.isoTimes, t.notTimes),
  debezium("time.IsoTimestamp", "string", "timestamp", t.isoTimestamps(1000, false), t.notTimestamps),
  debezium("time.Year", "int32", "int", v.plainIntegers(v.INT32), v.notInt64),
  debezium("time.MicroDuration", "int64", "long", v.plainIntegers(v.INT64), v.notInt64),
  debezium("time.ZonedTime", "string", "string", v.strings, v.brokenStrings),
  debezium("data.Json", "string", "string", v.strings, v.brokenStrings),
  debezium("data.Enum", "string", "string", v.strings, v.brokenStrings),
  debezium("data.Bits", "bytes", "binary", v.binaries(0, 16), v.notBase64),
  debezium("data.Uuid", "string", "uuid", v.uuids, v.notUuids),
  connect("Date", "int32", "date", t.counted(1n, 1n, v.DAYS), t.notDates),
  connect("Time", "int32", "time", t.counted(1_000_000n, 1000n, day()), no("-1", "86400000")),
  connect("Timestamp", "int64", "timestamp", t.counted(1_000_000n, 1000n, v.MICROS), no("9223372036854775807")),
  connectDecimal(4, 2),
  connectDecimal(18, 0),
  connectDecimal(20, 18),
  connectDecimal(38, 38),
  debezium(
    "data.VariableScaleDecimal",
    "struct",
    "string",
    variableDecimals(),
    no('{"scale":1}', '{"value":"AA=="}', '"x"'),
  ),
];

function pair([json, read]: readonly string[]): SentValue {
  return { json: json as string, read: read as string };
}

function day(): { min: bigint; max: bigint } {
  return { min: 0n, max: v.DAY_US - 1n };
}

function numbersOrTexts(range: { min: bigint; max: bigint }): fc.Arbitrary<SentValue> {
  return fc.tuple(v.plainIntegers(range), fc.boolean()).map(([value, quoted]) => ({
    ...value,
    json: quoted ? `"${value.json}"` : value.json,
  }));
}

function decimalCase(precision: number, scale: number): ValueCase {
  const beyond = 10n ** BigInt(precision);
  return {
    name: `decimal_${precision}_${scale}`,
    type: `decimal(${precision}, ${scale})`,
    sent: v.plainDecimals(precision, scale),
    refused: no(
      v.decimalText(beyond, scale),
      `"${v.decimalText(-beyond, scale)}"`,
      `1e${precision}`,
      `1e-${scale + 1}`,
      `${v.decimalText(1n, scale)}${scale === 0 ? "." : ""}1`,
      '"NaN"',
      '""',
      '"."',
      "true",
    ),
  };
}

function declared(
  type: string,
  more: Readonly<Record<string, unknown>>,
  becomes: string,
  sent: fc.Arbitrary<SentValue>,
  refused: fc.Arbitrary<string>,
): ValueCase {
  return { name: type, type: becomes, sent, refused, schema: { type, optional: true, ...more } };
}

function debezium(
  name: string,
  type: string,
  becomes: string,
  sent: fc.Arbitrary<SentValue>,
  refused: fc.Arbitrary<string>,
): ValueCase {
  return {
    ...declared(type, { name: `io.debezium.${name}`, version: 1 }, becomes, sent, refused),
    name: `io.debezium.${name}`,
  };
}

function connect(
  name: string,
  type: string,
  becomes: string,
  sent: fc.Arbitrary<SentValue>,
  refused: fc.Arbitrary<string>,
): ValueCase {
  const logical = `org.apache.kafka.connect.data.${name}`;
  return { ...declared(type, { name: logical, version: 1 }, becomes, sent, refused), name: logical };
}

/** Base64 as JsonConverter writes it by default, numbers under `decimal.format: NUMERIC`. */
function connectDecimal(precision: number, scale: number): ValueCase {
  const parameters = { scale: String(scale), "connect.decimal.precision": String(precision) };
  const sent = fc.tuple(v.unscaled(precision), fc.boolean()).map(([value, numeric]) => {
    const read = v.decimalText(value, scale);
    return { json: numeric ? read : `"${v.base64Unscaled(value)}"`, read };
  });
  const beyond = 10n ** BigInt(precision);
  const refused = no(
    `"${v.base64Unscaled(beyond)}"`,
    `"${v.base64Unscaled(-beyond)}"`,
    '"?"',
    v.decimalText(beyond, scale),
  );
  const of = declared(
    "bytes",
    { name: "org.apache.kafka.connect.data.Decimal", version: 1, parameters },
    `decimal(${precision}, ${scale})`,
    sent,
    refused,
  );
  return { ...of, name: `Decimal_${precision}_${scale}` };
}

function variableDecimals(): fc.Arbitrary<SentValue> {
  return fc.tuple(v.unscaled(60), fc.integer({ min: 0, max: 40 })).map(([value, scale]) => ({
    json: `{"scale":${scale},"value":"${v.base64Unscaled(value)}"}`,
    read: Buffer.from(v.decimalText(value, scale)).toString("hex").toUpperCase(),
  }));
}

/** Expressions of DuckDB that show a value in full, as text. */
function readAs(column: string, type: string): string {
  const expression: Readonly<Record<string, string>> = {
    date: `${column} - DATE '1970-01-01'`,
    time: `date_diff('microsecond', TIME '00:00:00', ${column})`,
    timestamp: `epoch_us(${column})`,
    timestamptz: `epoch_us(${column})`,
    timestamp_ns: `epoch_ns(${column})`,
    timestamptz_ns: `epoch_us(${column})`,
    string: `hex(${column})`,
    binary: `hex(${column})`,
    "fixed[5]": `hex(${column})`,
    float: `CAST(${column} AS DOUBLE)`,
  };
  return `CAST(${expression[type] ?? column} AS VARCHAR)`;
}

/** DuckDB's text of a double, by way of the number that it names; decimals that are all fraction lack a zero there. */
function shown(text: unknown, type: string): unknown {
  if (typeof text !== "string") return text;
  if (type.startsWith("decimal")) return text.replace(/^(-?)\./, "$10.");
  if (type !== "double" && type !== "float") return text;
  if (text === "nan") return "NaN";
  return v.numberText(text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text));
}

/** Whether a text is no JSON at all, or one that UTF-8 cannot hold: what is wrong then is the message. */
function isBroken(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" && Buffer.from(value).toString() !== value;
  } catch {
    return true;
  }
}

type Row = readonly (SentValue | null)[];

function messageOf(cases: readonly ValueCase[], row: Row, id: number): TestMessage {
  const values = cases.map((_, k) => `"c${k}":${row[k]?.json ?? "null"}`);
  return message(cases, `{"id":${id},${values.join(",")}}`, id);
}

function message(cases: readonly ValueCase[], after: string, id: number): TestMessage {
  const payload = `{"before":null,"after":${after},"op":"c","ts_ms":1}`;
  if (cases.every(({ schema }) => schema === undefined)) return { key: `{"id":${id}}`, value: payload };
  const fields = [
    { field: "id", type: "int64", optional: false },
    ...cases.map(({ schema }, k) => ({ ...schema, field: `c${k}` })),
  ];
  const envelope = { type: "struct", fields: [{ field: "after", type: "struct", optional: true, fields }] };
  return { key: `{"id":${id}}`, value: `{"schema":${JSON.stringify(envelope)},"payload":${payload}}` };
}

function userColumns(cases: readonly ValueCase[]): Record<string, string> {
  return Object.fromEntries(cases.flatMap(({ schema, type }, k) => (schema === undefined ? [[`c${k}`, type]] : [])));
}

/** Sends rows through decoder, sink and table, and gives what DuckDB then reads, row by row. */
async function throughTable(cases: readonly ValueCase[], rows: readonly Row[]): Promise<unknown[][]> {
  await using warehouse = await temporaryWarehouse();
  const columns = new Map(Object.entries(userColumns(cases)).map(([name, type]) => [name, parsePrimitiveType(type)]));
  const end = new Map([["t/0", String(rows.length)]]);
  await runJob({
    pipeline: "values",
    rules: [upsertRule("t", { columns })],
    checkpoint: { intervalMs: 3_600_000, maxRows: 1_000_000, maxSizeBytes: 1 << 28, idleCommitMs: 3_600_000 },
    memoryBytes: 1 << 28,
    warehouseLocation: warehouse.location,
    catalog: warehouse.catalog,
    io: warehouse.io,
    runtime: virtualRuntime(1),
    createSource: (router, notices): Source => {
      const decoder = debeziumJson.createDecoder(router, notices, null);
      return {
        open: async () => undefined,
        startPosition: async () => new Map([["t/0", "0"]]),
        endPosition: async () => end,
        comparePoints: (a, b) => Number(a) - Number(b),
        acknowledge: async () => undefined,
        close: async () => undefined,
        async *read() {
          const slab = {
            ...slabOf(
              rows.map((row, id) => messageOf(cases, row, id)),
              "t",
            ),
            split: "t/0",
          };
          yield { changes: decoder.decode(slab), ends: end, records: rows.length };
        },
      };
    },
    end: { caughtUp: true, afterMs: null, maxRows: null },
    stop: new AbortController().signal,
    observer: { started() {}, progress() {}, committed() {}, notice() {} },
  });
  const select = cases.map(({ type }, k) => readAs(`c${k}`, type));
  const query = await openQuery(warehouse, `SELECT ${select.join(", ")} FROM shop.t ORDER BY id`, null);
  const found: unknown[][] = [];
  for await (const chunk of query.chunks()) {
    found.push(...chunk.map((row) => row.map((value, k) => shown(value, cases[k]?.type ?? ""))));
  }
  await query.close();
  return found;
}

describe.each([
  ["that columns: declares", BY_USER],
  ["that the message declares", DECLARED],
] as const)("values of every type %s", (_, cases) => {
  // A first row without nulls: a column that has only been null does not exist yet.
  const full = fc.tuple(...cases.map(({ sent }) => sent));
  const row = fc.tuple(...cases.map(({ sent }) => fc.option(sent, { freq: 10 })));
  const rows = fc.tuple(full, fc.array(row, { maxLength: 24 })).map(([first, others]): Row[] => [first, ...others]);

  it("arrive in DuckDB exactly", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (sent) => {
        const found = await throughTable(cases, sent);
        const named = (values: readonly unknown[]) => Object.fromEntries(cases.map(({ name }, k) => [name, values[k]]));
        expect(found.map(named)).toEqual(sent.map((values) => named(values.map((value) => value?.read ?? null))));
      }),
      { numRuns: 20 },
    );
  });

  it.each(cases.map((each) => [each.name, each] as const))("or are refused by name: %s", (_name, each) => {
    fc.assert(
      fc.property(each.refused, (json) => {
        const decoder = decoderOf(debeziumJson, bindingOf({ columns: userColumns([each]) }));
        let error: unknown = null;
        try {
          decoder.decode([message([each], `{"id":1,"c0":${json}}`, 1)]);
        } catch (thrown) {
          error = thrown;
        }
        expect(error, `${json} as ${each.type}`).toBeInstanceOf(FrazilError);
        expect((error as FrazilError).kind).toBe("data");
        expect((error as FrazilError).message).toContain(isBroken(json) ? "offset 0" : "c0");
      }),
      { numRuns: 100 },
    );
  });
});

it("a text of 1 MiB arrives exactly, however it is escaped", async () => {
  const text = '🧊\0é"\\'.repeat(120_000);
  const cases: ValueCase[] = [{ name: "string", type: "string", sent: v.strings, refused: v.brokenStrings }];
  const read = Buffer.from(text).toString("hex").toUpperCase();
  const rows = [JSON.stringify(text), `"${"\\u0061".repeat(1 << 20)}"`].map((json) => [{ json, read }]);
  const found = await throughTable(cases, rows);
  expect(found[0]?.[0] === read).toBe(true);
  expect(found[1]?.[0] === "61".repeat(1 << 20)).toBe(true);
});
