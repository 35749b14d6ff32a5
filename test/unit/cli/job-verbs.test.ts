import { globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
/** One that has never run. */
let fresh: GeneratedJob;
/** A Kafka job whose broker is not there. */
let unreachable: string;

beforeAll(() => {
  fresh = generatedJob("object-store", 300);
  job = generatedJob("sqlite", 200);
  job.run();
  job.endAt(260);
  unreachable = join(job.folder, "kafka.yaml");
  writeFileSync(
    unreachable,
    readFileSync(job.path, "utf8").replace(
      /^source: .*$/m,
      "source: { type: kafka, brokers: ['127.0.0.1:1'], topics: [shop.orders], format: debezium-json }",
    ),
  );
}, 60_000);
afterAll(() => {
  job.remove();
  fresh.remove();
});

/** Every file below a folder with its size and time. */
function contents(folder: string): string[] {
  return globSync("**/*", { cwd: folder })
    .map((path) => {
      const stat = statSync(join(folder, path));
      return stat.isFile() ? `${path} ${stat.size} ${stat.mtimeMs}` : path;
    })
    .sort();
}

describe("positions", () => {
  it("tells each split's point in every table, the source's end and the lag", () => {
    const called = frazil(["positions", job.path]);
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const tables = { "shop.customers": "100", "shop.order_events": "100", "shop.orders": "100" };
    const common = { position: "100", from: "100", end: "130", lag: 30, tables };
    expect(objects(called.stdout)).toEqual([
      expect.objectContaining({ split: "generator/0", ...common }),
      expect.objectContaining({ split: "generator/1", ...common }),
    ]);
  });

  it("tells where a job starts that has no table yet", () => {
    expect(objects(frazil(["positions", fresh.path]).stdout)[0]).toMatchObject({
      split: "generator/0",
      position: null,
      from: "0",
      end: "150",
      lag: 150,
      tables: {},
    });
    expect(contents(fresh.folder)).toHaveLength(1);
  });
});

describe("status", () => {
  it("tells tables, lag and size", () => {
    const called = frazil(["status", job.path]);
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const lines = objects(called.stdout);
    expect(lines.map((line) => line["event"])).toEqual(["table", "table", "table", "job", "warehouse"]);
    const [count] = objects(job.at("query", "SELECT count(*) AS n FROM shop.orders").stdout);
    const [newest] = objects(job.at("snapshots", "shop.orders").stdout).slice(-1);
    expect(lines).toContainEqual(
      expect.objectContaining({
        table: "shop.orders",
        pipeline: "shop",
        rows: count!["n"],
        epoch: 1,
        lastCommit: newest!["time"],
      }),
    );
    expect(lines[3]).toMatchObject({ job: "shop", epoch: 1, readLagRows: 60 });
    const sizes = objects(job.at("tables").stdout).map((table) => Number(table["sizeBytes"]));
    expect(lines[4]).toMatchObject({ tables: 3, sizeBytes: sizes.reduce((a, b) => a + b) });
  });

  it("tells all tables of a warehouse without a job", () => {
    const lines = objects(job.at("status").stdout);
    expect(lines.map((line) => line["event"])).toEqual(["table", "table", "table", "warehouse"]);
  });

  it("ends with 0 when the source is away, the lag unknown", () => {
    const called = frazil(["status", unreachable]);
    expect(called.code).toBe(0);
    expect(called.stderr).toMatch(/^the source does not tell its end: 127\.0\.0\.1:1 does not answer/);
    expect(objects(called.stdout)).toContainEqual(expect.objectContaining({ event: "job", readLagRows: null }));
  }, 30_000);
});

describe("plan", () => {
  it("tells what a first run would create, and writes nothing", () => {
    const before = contents(fresh.folder);
    const called = frazil(["plan", fresh.path]);
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const lines = objects(called.stdout);
    expect(lines[0]).toEqual({
      event: "start",
      split: "generator/0",
      resumes: false,
      from: "0",
      end: "150",
      rows: 150,
    });
    const customers = lines.find((line) => line["table"] === "shop.customers");
    expect(customers).toMatchObject({
      action: "create",
      mode: "upsert",
      key: ["region", "id"],
      partitionBy: ["region"],
    });
    expect(customers!["columns"]).toContainEqual({ name: "credit", type: "decimal(18, 2)", required: false });
    expect(contents(fresh.folder)).toEqual(before);
  });

  it("tells what a run would find as it is, and writes nothing into the warehouse", () => {
    const before = contents(job.warehouse);
    const lines = objects(frazil(["plan", job.path]).stdout);
    expect(lines[0]).toMatchObject({ resumes: true, from: "100", end: "130", rows: 30 });
    expect(lines.filter((line) => line["event"] === "table").map((line) => line["action"])).toEqual([
      "none",
      "none",
      "none",
    ]);
    expect(contents(job.warehouse)).toEqual(before);
  });

  it("ends with the code of a refusal, after the whole plan", () => {
    const path = join(job.folder, "refused.yaml");
    // The order events carry no such column.
    const text = readFileSync(job.path, "utf8").replace(
      "to: shop.order_events, mode: append",
      "to: shop.log, mode: upsert, key: [no_such]",
    );
    writeFileSync(path, text);
    const called = frazil(["plan", path]);
    expect(called.code).toBe(65);
    expect(called.stderr).toMatch(/^error KEY_COLUMN: table shop\.log/);
    expect(objects(called.stdout)).toContainEqual(expect.objectContaining({ table: "shop.log", action: "refused" }));
    expect(objects(called.stdout)).toContainEqual(expect.objectContaining({ table: "shop.orders", action: "none" }));
  });
});

describe("check", () => {
  const checks = (path: string) => {
    const called = frazil(["check", path]);
    return { code: called.code, lines: objects(called.stdout) };
  };

  it("ends with 0 when a run can start, and leaves nothing behind", () => {
    const before = contents(job.warehouse).filter((line) => !line.startsWith("_frazil"));
    const { code, lines } = checks(job.path);
    expect(lines.map((line) => [line["check"], line["ok"]])).toEqual([
      ["job", true],
      ["catalog", true],
      ["warehouse", true],
      ["store conditional-writes", true],
      ["store read-after-write", true],
      ["store list-after-write", true],
      ["store ranges", true],
      ["store names", true],
      ["store delete", true],
      ["store clock", true],
      ["catalog locks", true],
      ["source", true],
      ["pipeline", true],
      ["keys", true],
    ]);
    expect(code).toBe(0);
    expect(contents(job.warehouse).filter((line) => !line.startsWith("_frazil"))).toEqual(before);
  });

  it("tries conditional writes where the catalog rests on them", () => {
    const { code, lines } = checks(fresh.path);
    expect(code).toBe(0);
    expect(lines).toContainEqual(
      expect.objectContaining({ check: "warehouse", message: expect.stringContaining("conditional writes") as string }),
    );
  });

  it("ends with 69 when a broker is away, and says what to do", () => {
    const { code, lines } = checks(unreachable);
    expect(code).toBe(69);
    expect(lines.at(-1)).toMatchObject({
      check: "source",
      ok: false,
      code: "KAFKA_UNAVAILABLE",
      fix: expect.stringContaining("source.brokers") as string,
    });
  }, 30_000);

  it("ends with 78 when a file stands where the warehouse should be", () => {
    const path = join(job.folder, "blocked.yaml");
    writeFileSync(path, readFileSync(job.path, "utf8").replace(job.warehouse, `${job.path}/lake`));
    const { code, lines } = checks(path);
    expect(code).toBe(78);
    expect(lines).toContainEqual(expect.objectContaining({ check: "warehouse", ok: false, code: "NOT_A_FOLDER" }));
  });
});

describe("tap", () => {
  it("prints decoded changes that, replayed, are the table's rows, and opens no warehouse", () => {
    const called = frazil(["tap", fresh.path, "--table", "shop.orders", "--limit", "100"]);
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const changes = objects(called.stdout);
    expect(changes).toHaveLength(100);
    expect(new Set(changes.map((change) => change["_table"]))).toEqual(new Set(["shop.orders"]));
    expect(new Set(changes.map((change) => change["_op"]))).toEqual(new Set(["insert", "update_after", "delete"]));
    for (const change of changes) {
      if (change["_op"] === "delete") expect(Object.keys(change)).toEqual(["_op", "_table", "_split", "_next", "id"]);
    }
    expect(contents(fresh.folder).filter((line) => !line.startsWith("lake"))).toHaveLength(1);
  });

  it("gives values as queries do", () => {
    const { stdout } = frazil(["tap", job.path, "--table", "shop.order_events", "--limit", "40"]);
    // The table holds what the job has taken so far.
    const taken = objects(stdout).map((change) => Number(change["_next"]) <= 100);
    const tapped = stdout
      .split("\n")
      .filter((_, index) => taken[index])
      .map((line) => line.replace(/"_op".*?"_next":"\d+",/, ""));
    const rows = new Set(job.at("read", "shop.order_events").stdout.split("\n"));
    expect(tapped.filter((line) => !rows.has(line))).toEqual([]);
    expect(tapped.length).toBeGreaterThan(20);
  });

  it("refuses a table that no entry writes to with 64", () => {
    expect(frazil(["tap", job.path, "--table", "shop.order"])).toMatchObject({
      code: 64,
      stdout: "",
      stderr: "error USAGE: no entry of tables: writes to shop.order\nhint: did you mean shop.orders?\n",
    });
  });
});
