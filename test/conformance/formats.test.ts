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

const SAMPLES: Record<keyof typeof FORMATS, FormatSample> = {
  "debezium-json": {
    initial: (row) => debezium("r", null, row),
    insert: (row) => debezium("c", null, row),
    update: (before, after) => debezium("u", before, after),
    delete: (row) => debezium("d", row, null),
    malformed: { key: '{"id":1}', value: '{"before":null,"after":{"id":1},"op":"c"' },
  },
};

describe("the registry", () => {
  it("describes each format in a line", () => {
    for (const format of Object.values(FORMATS)) expect(format.summary).toMatch(/^\S.{10,90}$/);
  });
});

for (const [name, sample] of Object.entries(SAMPLES)) formatSuite(name, FORMATS[name as keyof typeof FORMATS], sample);
