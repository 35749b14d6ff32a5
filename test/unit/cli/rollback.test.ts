import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
let target: string;
const TABLES = ["shop.customers", "shop.orders", "shop.order_events"];

beforeAll(() => {
  job = generatedJob("sqlite", 200);
  job.run();
  target = snapshotsOf("shop.orders").at(-1)!;
  job.endAt(400);
  job.run();
}, 60_000);
afterAll(() => job.remove());

const snapshotsOf = (table: string): string[] =>
  objects(job.at("snapshots", table).stdout).map((line) => String(line["snapshotId"]));
const rowsOf = (table: string, ...options: string[]): string[] =>
  job
    .at("query", `SELECT * FROM ${table}`, ...options)
    .stdout.split("\n")
    .sort();

describe("tag", () => {
  const tag = (...options: string[]) => job.at("tag", "shop.orders", "good", ...options);

  it("names a snapshot, moves and removes with --yes only", () => {
    expect(objects(tag("--snapshot", target).stdout)).toEqual([
      { table: "shop.orders", tag: "good", before: null, snapshotId: Number(target), done: true },
    ]);
    expect(rowsOf("shop.orders", "--as-of", "good")).toEqual(rowsOf("shop.orders", "--as-of", target));

    const planned = tag();
    expect([planned.code, planned.stderr]).toEqual([0, "nothing is changed yet: --yes does it\n"]);
    expect(objects(planned.stdout)[0]).toMatchObject({ before: Number(target), done: false });
    expect(rowsOf("shop.orders", "--as-of", "good")).toEqual(rowsOf("shop.orders", "--as-of", target));
    expect(objects(tag("--yes").stdout)[0]).toMatchObject({ done: true });
    expect(rowsOf("shop.orders", "--as-of", "good")).toEqual(rowsOf("shop.orders"));

    expect(objects(tag("--delete").stdout)[0]).toMatchObject({ snapshotId: null, done: false });
    expect(objects(tag("--delete", "--yes").stdout)[0]).toMatchObject({ snapshotId: null, done: true });
    expect(tag("--delete", "--yes")).toMatchObject({ code: 1, stdout: "" });
  });

  it.each(["main", "ingest.shop", "123", "earliest"])("refuses the name %s with 64", (name) => {
    const called = job.at("tag", "shop.orders", name, "--yes");
    expect([called.code, called.stdout]).toEqual([64, ""]);
    expect(called.stderr).toMatch(/^error BAD_TAG: /);
  });
});

describe("rollback", () => {
  it("names the two ways for one of several tables, and wants one of them", () => {
    const called = job.at("rollback", "shop.orders", "--to", target, "--yes");
    expect([called.code, called.stdout]).toEqual([64, ""]);
    expect(called.stderr).toMatch(/^error ROLLBACK_CHOICE: .*\nhint: either --pipeline shop: .* or --keep-position: /);
    expect(job.at("rollback", "--to", target)).toMatchObject({ code: 64 });
    expect(job.at("rollback", "shop.orders", "--pipeline", "shop", "--to", target)).toMatchObject({ code: 64 });
    expect(job.at("rollback", "shop.orders")).toMatchObject({ code: 64 });
    expect(job.at("rollback", "--pipeline", "shop", "--to", "nothing")).toMatchObject({ code: 1 });
    expect(job.at("rollback", "--pipeline", "shopp", "--to", target)).toMatchObject({ code: 1 });
  });

  it("takes a pipeline back, after --yes only, and the next run completes its tables", () => {
    const before = TABLES.map(snapshotsOf);
    const full = TABLES.map((table) => rowsOf(table));
    const planned = job.at("rollback", "--pipeline", "shop", "--to", target);
    expect([planned.code, planned.stderr]).toEqual([0, "nothing is changed yet: --yes does it\n"]);
    expect(objects(planned.stdout).map((line) => line["table"])).toHaveLength(3);
    expect(objects(planned.stdout).find((line) => line["table"] === "shop.orders")).toMatchObject({
      event: "plan",
      pipeline: "shop",
      to: Number(target),
      position: { "generator/0": "100", "generator/1": "100" },
    });
    expect(TABLES.map(snapshotsOf)).toEqual(before);

    const done = job.at("rollback", "--pipeline", "shop", "--to", target, "--yes");
    expect(done.code).toBe(0);
    expect(rowsOf("shop.orders")).toEqual(rowsOf("shop.orders", "--as-of", target));
    expect(rowsOf("shop.orders")).not.toEqual(full[1]);
    job.run();
    expect(TABLES.map((table) => rowsOf(table))).toEqual(full);
  }, 60_000);

  it("brings the rows of one table back with --keep-position", () => {
    const others = [rowsOf("shop.customers"), rowsOf("shop.order_events")];
    expect(job.at("rollback", "shop.orders", "--to", target, "--keep-position", "--yes").code).toBe(0);
    expect(rowsOf("shop.orders")).toEqual(rowsOf("shop.orders", "--as-of", target));
    job.run();
    expect(rowsOf("shop.orders")).toEqual(rowsOf("shop.orders", "--as-of", target));
    expect([rowsOf("shop.customers"), rowsOf("shop.order_events")]).toEqual(others);
  }, 60_000);
});
