import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;

beforeAll(() => {
  job = generatedJob("sqlite", 300);
  job.run();
  job.endAt(600);
  job.run();
}, 60_000);
afterAll(() => job.remove());

describe("describe", () => {
  it("tells what the metadata says", () => {
    const called = job.at("describe", "shop.customers");
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const [table] = objects(called.stdout);
    const [query] = objects(job.at("query", "SELECT count(*) AS n FROM shop.customers").stdout);
    const [newest] = objects(job.at("snapshots", "shop.customers").stdout).slice(-1);
    expect(table).toMatchObject({
      table: "shop.customers",
      location: `${job.warehouse}/shop/customers`,
      formatVersion: 3,
      partitionBy: [{ name: "region", transform: "identity", column: "region" }],
      sortBy: [],
      refs: {
        main: { type: "branch", snapshotId: newest!["snapshotId"] },
        "ingest.shop": { type: "tag", snapshotId: newest!["snapshotId"] },
      },
      currentSnapshot: { snapshotId: newest!["snapshotId"], summary: { "ingest.pipe": "shop" } },
      rows: query!["n"],
    });
    expect(table!["columns"]).toContainEqual({ id: 2, name: "id", type: "long", required: true, identifier: true });
    expect(table!["columns"]).toContainEqual({
      id: 6,
      name: "credit",
      type: "decimal(18, 2)",
      required: false,
      identifier: false,
    });
  });

  it("ends with 1 for a table that is not there", () => {
    expect(job.at("describe", "shop.customer")).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("files", () => {
  it("lists data files whose rows and deleted rows are those of the table, now and then", () => {
    const sum = (lines: readonly Record<string, unknown>[]): number =>
      lines.reduce((total, line) => total + Number(line["rows"]) - Number(line["deletedRows"]), 0);
    const now = objects(job.at("files", "shop.customers").stdout);
    const [count] = objects(job.at("query", "SELECT count(*) AS n FROM shop.customers").stdout);
    expect(sum(now)).toBe(count!["n"]);
    expect(now.some((line) => Number(line["deletedRows"]) > 0)).toBe(true);
    expect(now.every((line) => /^region=\w+$/.test(String(line["partition"])))).toBe(true);

    const first = objects(job.at("snapshots", "shop.customers").stdout).find((line) => Number(line["rows"]) > 0);
    const then = objects(job.at("files", "shop.customers", "--as-of", String(first!["snapshotId"])).stdout);
    expect(sum(then)).toBe(first!["rows"]);
    expect(then.length).toBeLessThan(now.length);
  });

  it("ends with 1 for a snapshot that is not there", () => {
    expect(job.at("files", "shop.customers", "--as-of", "none")).toMatchObject({ code: 1, stdout: "" });
  });
});
