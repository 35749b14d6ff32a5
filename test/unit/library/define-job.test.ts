import { describe, expect, it } from "vitest";
import { defineJob, generator, type JobDefinition, kafka, parseJob, SOURCES } from "../../../src/index.ts";

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
