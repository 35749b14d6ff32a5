import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { jobJsonSchema, jobShape, type JsonSchema } from "../../../src/config/json-schema.ts";
import { SOURCES } from "../../../src/registry.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Reads the schema back with a reader of JSON Schema, so that it is tried and not just looked at. */
const reader = z.fromJSONSchema(jobJsonSchema(SOURCES) as unknown as Parameters<typeof z.fromJSONSchema>[0]);
const accepts = (job: unknown): boolean => reader.safeParse(job).success;

const GOOD = {
  name: "orders",
  source: { type: "kafka", brokers: ["localhost:9092"], topics: ["a"], format: "debezium-json" },
  warehouse: { location: "./w" },
  tables: [{ from: "a", to: "b.c", mode: "upsert" }],
};

describe("the JSON Schema of a job", () => {
  it.each(globSync("jobs/**/*.yaml", { cwd: ROOT }))("takes %s, which names it", (path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    expect(accepts(parse(text))).toBe(true);
    expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=./job.schema.json");
  });

  it.each<[string, object, boolean]>([
    ["a plain job", {}, true],
    [
      "variables in typed places",
      { checkpoint: { interval: "${I}", max_rows: "${N:-5}", max_size: "${S:?say}" }, memory: "${M}", name: "${NAME}" },
      true,
    ],
    [
      "values in typed places",
      { checkpoint: { interval: "10s", max_rows: 5, max_size: "1MiB" }, memory: "1GiB" },
      true,
    ],
    ["a key that is not there", { chekpoint: {} }, false],
    ["a word that is no duration", { checkpoint: { interval: "soon" } }, false],
    ["a text for a number", { checkpoint: { max_rows: "many" } }, false],
    ["a mode that is not there", { tables: [{ from: "a", to: "b.c", mode: "upsrt" }] }, false],
    ["a lower-case variable for a mode", { tables: [{ from: "a", to: "b.c", mode: "${table}" }] }, false],
    ["no source", { source: undefined }, false],
    ["a source that is not there", { source: { type: "carrier-pigeon" } }, false],
    ["a switch as a map", { source: { ...GOOD.source, tls: { ca: "x" } } }, true],
    ["a switch as a variable", { source: { ...GOOD.source, tls: "${TLS}" } }, true],
  ])("%s", (_name, change, expected) => {
    const job: Record<string, unknown> = { ...GOOD, ...change };
    for (const [key, value] of Object.entries(job)) if (value === undefined) delete job[key];
    expect(accepts(job)).toBe(expected);
  });

  it("describes every setting", () => {
    const bare: string[] = [];
    const visit = (shape: JsonSchema, path: string): void => {
      for (const form of [...(shape.oneOf ?? []), ...(shape.anyOf ?? [])]) visit(form, path);
      if (shape.items !== undefined) visit(shape.items, `${path}[]`);
      for (const [key, value] of Object.entries(shape.properties ?? {})) {
        if (value.description === undefined && value.const === undefined) bare.push(`${path}.${key}`);
        visit(value, `${path}.${key}`);
      }
    };
    visit(jobShape(SOURCES), "job");
    expect(bare).toEqual([]);
  });
});
