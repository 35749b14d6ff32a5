import { describe, expect, it } from "vitest";
import { FORMATS } from "../../src/registry.ts";
import { type FormatSample, formatSuite, type SampleRow } from "./format-suite.ts";

function objectText(row: SampleRow): string {
  return `{${Object.entries(row)
    .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
    .join(",")}}`;
}

function debezium(op: string, before: SampleRow | null, after: SampleRow | null) {
  const image = (row: SampleRow | null) => (row === null ? "null" : objectText(row));
  const source = '{"connector":"postgresql","db":"shop","schema":"public","table":"orders"}';
  const { id } = (after ?? before) as SampleRow;
  return {
    key: `{"id":${id}}`,
    value: `{"before":${image(before)},"after":${image(after)},"source":${source},"op":"${op}","ts_ms":1}`,
  };
}

/** Canal writes every value as a text, and times as MySQL prints them. */
function canal(type: string, row: SampleRow, old: SampleRow | null) {
  const text = (json: string) => (json === "null" || json.startsWith('"') ? json : `"${json}"`);
  const micros = BigInt(row.at);
  const at = new Date(Number(micros / 1000n)).toISOString().slice(0, 19).replace("T", " ");
  const values = { ...row, at: `${at}.${String(micros % 1_000_000n).padStart(6, "0")}` };
  const texts = Object.fromEntries(Object.entries(values).map(([name, json]) => [name, text(json)])) as SampleRow;
  const images = `"data":[${objectText(texts)}],"old":${old === null ? "null" : `[{"name":${old.name}}]`}`;
  const types =
    '"mysqlType":{"id":"bigint(20)","amount":"decimal(20,2)","big":"bigint","name":"text","at":"datetime(6)"}';
  return {
    value: `{${images},"database":"public","es":1,"id":1,"isDdl":false,${types},"pkNames":["id"],"sql":"","table":"orders","ts":1,"type":"${type}"}`,
  };
}

function record(row: SampleRow) {
  return { key: `{"id":${row.id}}`, value: objectText(row) };
}

const SAMPLES: Record<keyof typeof FORMATS, FormatSample> = {
  "debezium-json": {
    initial: (row) => debezium("r", null, row),
    insert: (row) => debezium("c", null, row),
    update: (before, after) => debezium("u", before, after),
    delete: (row) => debezium("d", row, null),
    malformed: { key: '{"id":1}', value: '{"before":null,"after":{"id":1},"op":"c"' },
  },
  "canal-json": {
    initial: (row) => canal("INSERT", row, null),
    insert: (row) => canal("INSERT", row, null),
    update: (before, after) => canal("UPDATE", after, before),
    delete: (row) => canal("DELETE", row, null),
    malformed: { value: '{"data":[{"id":"1"}],"database":"public","table":"orders","type":"INSERT"' },
  },
  json: {
    initial: record,
    insert: record,
    update: (_, after) => record(after),
    updateOp: "insert",
    delete: (row) => ({ key: `{"id":${row.id}}`, value: null }),
    malformed: { value: '{"id":1' },
  },
};

describe("the registry", () => {
  it("describes each format in a line", () => {
    for (const format of Object.values(FORMATS)) expect(format.summary).toMatch(/^\S.{10,90}$/);
  });
});

for (const [name, sample] of Object.entries(SAMPLES)) formatSuite(name, FORMATS[name as keyof typeof FORMATS], sample);
