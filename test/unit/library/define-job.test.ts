import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  defineJob,
  generator,
  type JobDefinition,
  kafka,
  parseJob,
  type SourceInput,
  SOURCES,
} from "../../../src/index.ts";

const orders = {
  name: "orders",
  source: kafka({ brokers: ["localhost:9092"], topics: ["shop.public.orders"], format: "debezium-json" }),
  warehouse: "./warehouse",
  tables: [{ from: "shop.public.orders", to: "shop.orders", mode: "upsert", key: ["order_id"] }],
} satisfies JobDefinition;

describe("defineJob", () => {
  it("means what the job file with the same keys means", () => {
    const file = {
      ...orders,
      source: { type: "kafka", brokers: ["localhost:9092"], topics: ["shop.public.orders"], format: "debezium-json" },
      warehouse: { location: "./warehouse" },
    };
    expect(defineJob(orders)).toEqual(parseJob(file, SOURCES));
    expect(defineJob(orders).checkpoint.intervalMs).toBe(10_000);
    expect(defineJob({ ...orders, warehouse: { location: "./warehouse" } })).toEqual(defineJob(orders));
  });

  it("says everything that is wrong at once, as lint does", () => {
    const wrong = {
      ...orders,
      name: "Orders",
      // @ts-expect-error -- a key that is not there
      source: kafka({ brokrs: ["localhost:9092"], topics: ["a"], format: "debezium-json" }),
      checkpoint: { interval: "10 seconds" },
    };
    expect(() => defineJob(wrong as JobDefinition)).toThrow(
      expect.objectContaining({
        kind: "config",
        code: "JOB_INVALID",
        message: [
          "the job has 3 errors",
          "name: must be 1 to 40 of a-z, 0-9 and -",
          'source.brokrs: unknown key, did you mean "brokers"?',
          'checkpoint.interval: "10 seconds" is not a duration; write 10s, 5m or 1h',
        ].join("\n"),
      }),
    );
  });

  it("has types for every key that the schema has", () => {
    interface Keys {
      readonly properties: Readonly<Record<string, unknown>>;
    }
    const file = readFileSync(new URL("../../../jobs/job.schema.json", import.meta.url), "utf8");
    const schema = JSON.parse(file) as Keys & { properties: { source: { oneOf: Keys[] } } };
    // The compiler checks that these are all keys of the types, and no others.
    const job: Record<keyof JobDefinition, true> = {
      name: true,
      source: true,
      warehouse: true,
      tables: true,
      checkpoint: true,
      dead_letter: true,
      branch: true,
      publish: true,
      maintenance: true,
      memory: true,
      cache: true,
    };
    expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(job).sort());
    const topics: Record<keyof Extract<SourceInput, { type: "kafka" }>, true> = {
      type: true,
      brokers: true,
      topics: true,
      format: true,
      start: true,
      on_lost_offsets: true,
      tls: true,
      sasl: true,
    };
    const source = schema.properties.source.oneOf.find(({ properties }) => "brokers" in properties);
    expect(Object.keys(source?.properties ?? {}).sort()).toEqual(Object.keys(topics).sort());
  });

  it("is typed by the job's schema", () => {
    // @ts-expect-error -- no such mode
    expect(() => defineJob({ ...orders, tables: [{ from: "a", to: "b.c", mode: "merge" }] })).toThrow("mode");
    // @ts-expect-error -- no such format
    expect(() => defineJob({ ...orders, source: kafka({ brokers: ["a"], topics: ["a"], format: "xml" }) })).toThrow(
      "format",
    );
    // @ts-expect-error -- a number where a duration belongs
    expect(() => defineJob({ ...orders, checkpoint: { interval: 10 } })).toThrow("interval");
    expect(defineJob({ ...orders, source: generator() }).source).toMatchObject({ type: "generator", seed: 1 });
  });
});
