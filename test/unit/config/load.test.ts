import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Environment } from "../../../src/config/interpolate.ts";
import { loadJob, parseJob, warehouseAt } from "../../../src/config/load.ts";
import { FrazilError } from "../../../src/core/errors.ts";

const kafka = z.strictObject({
  type: z.literal("kafka"),
  brokers: z.array(z.string()).min(1),
  topics: z.array(z.string()).min(1),
  format: z.enum(["debezium-json"]),
});
const generator = z.strictObject({ type: z.literal("generator"), seed: z.number() });
const sources = [kafka, generator];

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

function load(text: string, env: Environment = {}) {
  return loadJob(text, "jobs/orders.yaml", env, sources);
}

/** The lines after the heading of the error that `text` must give. */
function errorsOf(text: string, env: Environment = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    expect([error.kind, error.code]).toEqual(["config", "JOB_INVALID"]);
    return error.message.split("\n").slice(1);
  }
  throw new Error("the job was accepted");
}

describe("a job file", () => {
  it("gets the documented defaults", () => {
    expect(load(GOOD)).toEqual({
      name: "orders",
      source: { type: "kafka", brokers: ["localhost:9092"], topics: ["shop.public.orders"], format: "debezium-json" },
      warehouse: {
        location: "./warehouse",
        catalog: { type: "sqlite", name: "frazil", path: null },
        s3: {},
      },
      tables: [
        {
          from: "shop.public.orders",
          to: "shop.orders",
          mode: "upsert",
          key: null,
          columns: new Map(),
          partitionBy: [],
          sortBy: null,
          formatVersion: 3,
          schemaChanges: "evolve",
          ignoreDeletes: false,
        },
      ],
      checkpoint: { intervalMs: 10_000, maxRows: 500_000, maxSizeBytes: 268_435_456, idleCommitMs: 300_000 },
      deadLetter: null,
      branch: null,
      publish: null,
      maintenance: [],
      memoryBytes: 536_870_912,
    });
  });

  it("writes to a branch, and publishes it by itself or not", () => {
    const publish = 'publish: { every: 1m, checks: ["SELECT true"] }\n';
    expect(load(`${GOOD}branch: audit\n`)).toMatchObject({ branch: "audit", publish: null });
    expect(load(`${GOOD}branch: audit\n${publish}`).publish).toEqual({ everyMs: 60_000, checks: ["SELECT true"] });
    expect(load(`${GOOD}branch: audit\npublish: {}\n`).publish).toEqual({ everyMs: null, checks: [] });
  });

  it("takes every setting", () => {
    const job = load(`name: shop-2
source: { type: generator, seed: 7 }
warehouse:
  location: s3://lake/warehouse/
  catalog: { type: object-store, name: lake }
  s3: { endpoint: "http://localhost:9000", region: eu-west-1, access_key_id: a, secret_access_key: b }
tables:
  - from: "shop.*"
    to: "shop.\${table}"
    mode: append
    columns: { total: "decimal(18,2)", at: timestamptz }
    partition_by: ["day(at)", "bucket(16, id)", region]
    sort_by: [region, "at DESC nulls first"]
    schema_changes: refuse
checkpoint: { interval: 500ms, max_rows: 10, max_size: 1MiB, idle_commit: 1h }
memory: 1GiB
`);
    expect(job.warehouse).toEqual({
      location: "s3://lake/warehouse",
      catalog: { type: "object-store", name: "lake" },
      s3: {
        endpoint: "http://localhost:9000",
        region: "eu-west-1",
        accessKeyId: "a",
        secretAccessKey: "b",
      },
    });
    expect(job.tables[0]).toMatchObject({
      to: "shop.${table}",
      partitionBy: ["day(at)", "bucket(16, id)", "region"],
      sortBy: ["region", "at DESC nulls first"],
      schemaChanges: "refuse",
    });
    expect([...(job.tables[0]?.columns ?? [])]).toEqual([
      ["total", { kind: "decimal", precision: 18, scale: 2 }],
      ["at", { kind: "timestamptz" }],
    ]);
    expect(job.checkpoint).toEqual({ intervalMs: 500, maxRows: 10, maxSizeBytes: 1_048_576, idleCommitMs: 3_600_000 });
    expect(job.memoryBytes).toBe(1_073_741_824);
  });

  it("takes what a table does with deletes, late changes and copies", () => {
    const upsert = load(GOOD.replace("mode: upsert", "mode: upsert\n    soft_delete: gone\n    order_by: at"));
    expect(upsert.tables[0]).toMatchObject({ softDelete: "gone", orderBy: "at" });
    const ignoring = load(
      GOOD.replace("mode: upsert", "mode: upsert\n    ignore_deletes: true\n    schema_changes: ignore"),
    );
    expect(ignoring.tables[0]).toMatchObject({ ignoreDeletes: true, schemaChanges: "ignore" });
    const append = load(GOOD.replace("mode: upsert", "mode: append\n    dedupe: { key: [id], window: 1h }"));
    expect(append.tables[0]).toMatchObject({ dedupe: { key: ["id"], windowMs: 3_600_000 } });
  });

  it("defaults to the object-store catalog on S3", () => {
    expect(load(GOOD.replace("./warehouse", "s3://lake/w")).warehouse.catalog).toEqual({
      type: "object-store",
      name: "frazil",
    });
  });

  it("gives the same job as an object of its shape", () => {
    const object = {
      name: "orders",
      source: { type: "kafka", brokers: ["localhost:9092"], topics: ["shop.public.orders"], format: "debezium-json" },
      warehouse: { location: "./warehouse" },
      tables: [{ from: "shop.public.orders", to: "shop.orders", mode: "upsert" }],
    };
    expect(parseJob(object, sources)).toEqual(load(GOOD));
    expect(() => parseJob({ ...object, name: "Orders" }, sources)).toThrow(
      "the job has 1 error\nname: must be 1 to 40 of a-z, 0-9 and -",
    );
  });
});

describe("errors of a job file", () => {
  const cases: [name: string, text: string, ...lines: string[]][] = [
    ["a mistyped key", GOOD.replace("brokers:", "brokrs:"), '4:3  source.brokrs: unknown key, did you mean "brokers"?'],
    [
      "publishing what nobody writes",
      `${GOOD}publish: { every: 1m }\n`,
      "13:10  publish: needs branch: the branch that the job writes to, such as audit",
    ],
    [
      "main as a branch",
      `${GOOD}branch: main\n`,
      "13:9  branch: must be a branch other than main: letters, digits, _ and -, not only digits",
    ],
    [
      "a branch that looks like a snapshot",
      `${GOOD}branch: 123x/\n`,
      "13:9  branch: must be a branch other than main: letters, digits, _ and -, not only digits",
    ],
    [
      "an unknown key",
      `${GOOD}dashboard: { port: 8080 }\n`,
      "13:1  dashboard: unknown key; the keys here are name, source, warehouse, tables, checkpoint, dead_letter, branch, publish, maintenance, memory, cache",
    ],
    ["a missing key, at its map", GOOD.replace(/ {4}mode.*\n/, ""), "10:5  tables[0].mode: is required"],
    ["a missing block", GOOD.replace(/warehouse:\n.*\n/, ""), "1:1  warehouse: is required"],
    [
      "a wrong word",
      GOOD.replace("mode: upsert", "mode: upsrt"),
      '12:11  tables[0].mode: must be one of upsert, append, history, found "upsrt"; did you mean "upsert"?',
    ],
    [
      "a format version of a later version",
      GOOD.replace("mode: upsert", "mode: upsert\n    format_version: 4"),
      "13:21  tables[0].format_version: must be a whole number from 2 to 3, found 4",
    ],
    [
      "an unknown source type",
      GOOD.replace("type: kafka", "type: kafak"),
      '3:9  source.type: must be one of kafka, generator, found "kafak"; did you mean "kafka"?',
    ],
    ["no source type", GOOD.replace("  type: kafka\n", ""), "2:1  source.type: is required: one of kafka, generator"],
    ["a bad name", GOOD.replace("name: orders", "name: Orders!"), "1:7  name: must be 1 to 40 of a-z, 0-9 and -"],
    [
      "a number for a text",
      GOOD.replace("name: orders", "name: 5"),
      "1:7  name: must be a text, found 5; put it in quotes",
    ],
    ["a text for a list", GOOD.replace("[shop.public.orders]", "a"), '5:11  source.topics: must be a list, found "a"'],
    ["an empty list", GOOD.replace("[shop.public.orders]", "[]"), "5:11  source.topics: must not be empty"],
    [
      "an empty block",
      GOOD.replace("  location: ./warehouse\n", ""),
      "7:11  warehouse: must be a map of keys, found null",
    ],
    [
      "a bad duration",
      `${GOOD}checkpoint: { interval: 10 seconds }\n`,
      '13:25  checkpoint.interval: "10 seconds" is not a duration; write 10s, 5m or 1h',
    ],
    ["a bad size", `${GOOD}memory: 1 gig\n`, '13:9  memory: "1 gig" is not a size; write 64KiB, 256MiB or 1GiB'],
    ["a size below the least", `${GOOD}memory: 1MiB\n`, '13:9  memory: "1MiB" is too small; the least is 67108864B'],
    [
      "a bad count",
      `${GOOD}checkpoint: { max_rows: 0 }\n`,
      "13:25  checkpoint.max_rows: must be a whole number from 1, found 0",
    ],
    [
      "a duration without its unit",
      `${GOOD}checkpoint: { interval: 10 }\n`,
      "13:25  checkpoint.interval: must be a duration, such as 10s, found 10",
    ],
    ["nothing at all", "", "1:1  the file is empty; frazil init kafka prints one to begin with"],
    [
      "a bad target",
      GOOD.replace("to: shop.orders", "to: orders"),
      '11:9  tables[0].to: must be namespace.table (letters, digits, _ and -, ${table}, ${schema}, ${db}, ${topic}), found "orders"',
    ],
    [
      "a key in an append table",
      GOOD.replace("mode: upsert", "mode: append\n    key: [id]"),
      "13:10  tables[0].key: belongs to mode upsert: rows of an append table have no key",
    ],
    [
      "soft deletes beside ignored ones",
      GOOD.replace("mode: upsert", "mode: upsert\n    soft_delete: deleted_at\n    ignore_deletes: true"),
      "14:21  tables[0].ignore_deletes: cannot stand beside soft_delete: a delete is one or the other",
    ],
    [
      "soft deletes in a column of the job's",
      GOOD.replace("mode: upsert", "mode: upsert\n    soft_delete: gone\n    columns: { gone: boolean }"),
      "13:18  tables[0].soft_delete: names gone, which columns: declares; it is a column that is added",
    ],
    [
      "options of keyed tables in an append table",
      GOOD.replace("mode: upsert", "mode: append\n    order_by: at\n    soft_delete: gone"),
      "13:15  tables[0].order_by: belongs to mode upsert: other tables keep every row",
      "14:18  tables[0].soft_delete: belongs to mode upsert: other tables keep every row",
    ],
    [
      "an order by the key",
      GOOD.replace("mode: upsert", "mode: upsert\n    key: [id]\n    order_by: id"),
      "14:15  tables[0].order_by: cannot be a column of the key: all changes of a key would have one value",
    ],
    [
      "copies in an upsert table",
      GOOD.replace("mode: upsert", "mode: upsert\n    dedupe: { key: [id, id], window: 1h }"),
      "13:13  tables[0].dedupe: belongs to mode append: rows of upsert tables have a key already, and history tables keep every change",
      "13:20  tables[0].dedupe.key: names a column twice",
    ],
    [
      "a bad partition expression",
      GOOD.replace("mode: upsert", 'mode: upsert\n    partition_by: ["dya(at)"]'),
      "13:20  tables[0].partition_by[0]: must be a column, year(c), month(c), day(c), hour(c), bucket(n, c) or truncate(n, c)",
    ],
    [
      "a bad sort expression",
      GOOD.replace("mode: upsert", 'mode: upsert\n    sort_by: ["id desc", "at down"]'),
      "13:26  tables[0].sort_by[1]: must be a column, or a transform as in partition_by, with asc or desc and nulls first or nulls last behind it",
    ],
    [
      "a store that is not there",
      GOOD.replace("./warehouse", "gs://lake/w"),
      "8:13  warehouse.location: must be a folder or s3://bucket/prefix",
    ],
    [
      "s3 settings of a folder",
      GOOD.replace("./warehouse", "./warehouse\n  s3: { region: a }"),
      "9:7  warehouse.s3: belongs to a location that starts with s3://",
    ],
    [
      "half of the credentials",
      GOOD.replace("./warehouse", "s3://lake\n  s3: { access_key_id: a }"),
      "9:3  warehouse.s3.secret_access_key: is required beside the other half of the credentials",
    ],
    [
      "a table twice",
      `${GOOD}  - { from: shop.public.orders, to: shop.b, mode: append }\n`,
      '13:13  tables[1].from: "shop.public.orders" is already taken by tables[0]: the first match wins',
    ],
    [
      "one target in two ways",
      `${GOOD}  - { from: other, to: shop.orders, mode: append }\n`,
      "13:24  tables[1].to: shop.orders is written by tables[0] too, with other settings; give both the same ones, or two tables",
    ],
    [
      "one target in two orders",
      `${GOOD}  - { from: other, to: shop.orders, mode: upsert, sort_by: [id] }\n`,
      "13:24  tables[1].to: shop.orders is written by tables[0] too, with other settings; give both the same ones, or two tables",
    ],
    [
      "a share beyond 1",
      `${GOOD}dead_letter: { table: shop.orders, max_share: 2 }\n`,
      "13:47  dead_letter.max_share: must be a number from 0 to 1, found 2",
    ],
    [
      "dead letters in a table of changes",
      `${GOOD}dead_letter: { table: shop.orders }\n`,
      "13:23  dead_letter.table: shop.orders is written by tables[0]; keep dead letters in a table of their own",
    ],
    ["a key twice", `name: a\nname: b\n`, "2:1  Map keys must be unique"],
  ];
  it.each(cases)("%s", (_name, text, ...lines) => {
    expect(errorsOf(text)).toEqual(lines.map((line) => `jobs/orders.yaml:${line.replace("  ", "  error  ")}`));
  });

  it("come together, in the order of the file", () => {
    const text = GOOD.replace("name: orders", "name: A").replace("mode: upsert", "mode: x");
    expect(errorsOf(text).map((line) => line.slice(0, 21))).toEqual(["jobs/orders.yaml:1:7 ", "jobs/orders.yaml:12:1"]);
  });

  it("name a column type that is none, with the valid ones", () => {
    const [line] = errorsOf(GOOD.replace("mode: upsert", "mode: upsert\n    columns: { a: number }"));
    expect(line).toMatch(/^jobs\/orders\.yaml:13:19 {2}error {2}tables\[0\]\.columns\.a: .*number.*decimal/);
  });

  it("follow anchors to where the value stands", () => {
    const text = GOOD.replace("mode: upsert", "mode: &m upsrt") + "  - { from: b, to: a.b, mode: *m }\n";
    expect(errorsOf(text)).toHaveLength(2);
  });
});

describe("environment variables", () => {
  it("fill values of any type after parsing", () => {
    const text = GOOD.replace("./warehouse", "${PLACE:-./here}") + 'checkpoint: { max_rows: "${ROWS}" }\n';
    const job = load(text, { ROWS: "12" });
    expect(job.warehouse.location).toBe("./here");
    expect(job.checkpoint.maxRows).toBe(12);
  });

  it("cannot change the structure of the file", () => {
    const job = load(GOOD.replace("./warehouse", "${PLACE}"), { PLACE: "x\nmemory: 1GiB # " });
    expect(job.warehouse.location).toBe("x\nmemory: 1GiB # ");
  });

  it("are reported where they are missing, without values", () => {
    const text = GOOD.replace("./warehouse", "${PLACE:?where do the tables go}").replace("localhost:9092", "${BROKER}");
    expect(errorsOf(text)).toEqual([
      "jobs/orders.yaml:4:13  error  environment variable BROKER is not set; set it, or write ${BROKER:-default}",
      "jobs/orders.yaml:8:13  error  environment variable PLACE is not set: where do the tables go",
    ]);
  });

  it("leave lower-case names alone", () => {
    const job = load(GOOD.replace("to: shop.orders", 'to: "shop.${table}"'), { table: "no" });
    expect(job.tables[0]?.to).toBe("shop.${table}");
  });
});

describe("--warehouse", () => {
  it("means what a job with that location alone would mean", () => {
    expect(warehouseAt("s3://lake/w", {})).toEqual(load(GOOD.replace("./warehouse", "s3://lake/w")).warehouse);
    expect(() => warehouseAt("gs://x", {})).toThrow('warehouse "gs://x": must be a folder or s3://bucket/prefix');
  });

  it("takes the endpoint from the environment like a job file", () => {
    const env = { AWS_ENDPOINT_URL: "http://localhost:9000", AWS_REGION: "eu-west-1" };
    const settings = warehouseAt("s3://lake/w", env);
    expect(settings.s3).toEqual({ endpoint: "http://localhost:9000", region: "eu-west-1" });
    expect(load(GOOD.replace("./warehouse", "s3://lake/w"), env).warehouse).toEqual(settings);
    expect(warehouseAt("./w", env).s3).toEqual({});
    expect(() => warehouseAt("s3://lake/w", { AWS_ENDPOINT_URL: "localhost:9000" })).toThrow(
      'AWS_ENDPOINT_URL must be an http:// or https:// address, found "localhost:9000"',
    );
    const named = 's3://lake/w\n  s3: { endpoint: "http://store:1", region: here }';
    expect(load(GOOD.replace("./warehouse", named), env).warehouse.s3).toMatchObject({
      endpoint: "http://store:1",
      region: "here",
    });
    expect(load(GOOD.replace("./warehouse", named.replace(", region: here", "")), env).warehouse.s3.region).toBe(
      "eu-west-1",
    );
  });
});
