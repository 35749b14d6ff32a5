import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

/** Of the job's tables. */
const TABLES = ["shop.orders", "shop.order_events"];

const rowsOf = (job: GeneratedJob, table: string, ...options: string[]): string[] =>
  job
    .at("query", `SELECT * FROM ${table}`, ...options)
    .stdout.split("\n")
    .filter(Boolean)
    .sort();

describe("a job with branch:", () => {
  let job: GeneratedJob;
  const endAt = (events: number): void => {
    job.endAt(events);
    const checks = '["SELECT count(*) > 0 FROM shop.orders"]';
    writeFileSync(job.path, `${readFileSync(job.path, "utf8")}branch: audit\npublish: { checks: ${checks} }\n`);
  };
  beforeAll(() => {
    job = generatedJob("sqlite", 300);
    endAt(300);
    job.run();
  }, 120_000);
  afterAll(() => job.remove());

  it("is seen on main once its checks hold, all tables at once", () => {
    for (const table of TABLES) expect(rowsOf(job, table)).toEqual([]);
    const rows = TABLES.map((table) => rowsOf(job, table, "--as-of", "audit"));
    expect(rows.every(({ length }) => length > 0)).toBe(true);
    expect(job.at("read", "shop.orders", "--branch", "audit").stdout.split("\n").filter(Boolean).sort()).toEqual(
      rows[0],
    );

    const unpublished = { branch: "audit", rows: rows[0]?.length };
    expect(objects(job.at("tables").stdout)).toMatchObject([{}, {}, { table: "shop.orders", rows: 0, unpublished }]);
    expect(objects(frazil(["status", job.path]).stdout)[2]).toMatchObject({ table: "shop.orders", unpublished });

    expect(frazil(["verify", "--source", job.path])).toMatchObject({ code: 0 });
    const refused = frazil(["publish", job.path, "--check", "SELECT * FROM shop.orders WHERE id > 0 ORDER BY id"]);
    expect(refused.code).toBe(65);
    expect(refused.stderr).toMatch(/^error CHECK_FAILED: 1 of 2 checks does not hold; main stays as it is\n/);
    expect(objects(refused.stdout)).toMatchObject([{ event: "check-failed" }]);
    expect(rowsOf(job, "shop.orders")).toEqual([]);

    const done = frazil(["publish", job.path]);
    expect(done.code).toBe(0);
    expect(objects(done.stdout).map((each) => each["table"])).toEqual([
      "shop.customers",
      "shop.order_events",
      "shop.orders",
    ]);
    expect(TABLES.map((table) => rowsOf(job, table))).toEqual(rows);
    for (const line of objects(job.at("tables").stdout)) expect(line).not.toHaveProperty("unpublished");
    expect(objects(frazil(["publish", job.path]).stdout)).toEqual([{ event: "nothing", branch: "audit" }]);
  }, 120_000);

  it("goes back to what is published", () => {
    const published = rowsOf(job, "shop.orders");
    endAt(500);
    job.run();
    const all = rowsOf(job, "shop.orders", "--as-of", "audit");
    expect(all).not.toEqual(published);
    expect(job.at("branch", "shop.orders", "audit", "--delete", "--yes")).toMatchObject({ code: 65 });
    expect(job.at("rollback", "--pipeline", "shop", "--to", "main", "--yes").code).toBe(0);
    expect(rowsOf(job, "shop.orders", "--as-of", "audit")).toEqual(published);
    job.run();
    expect(rowsOf(job, "shop.orders", "--as-of", "audit")).toEqual(all);
    expect(rowsOf(job, "shop.orders")).toEqual(published);
  }, 120_000);

  it("is repaired where it writes, so that it can be published all the same", () => {
    const folder = join(job.warehouse, "shop", "orders", "data");
    const [first = ""] = readdirSync(folder)
      .filter((name) => name.endsWith(".parquet"))
      .sort();
    rmSync(join(folder, first));
    const repaired = job.at("repair", "shop.orders", "--drop-missing", "--yes");
    expect(objects(repaired.stdout).at(-1)).toMatchObject({ event: "repaired", repair: "missing-data-files" });
    expect(frazil(["publish", job.path])).toMatchObject({ code: 0 });
    expect(rowsOf(job, "shop.orders")).toEqual(rowsOf(job, "shop.orders", "--as-of", "audit"));
  }, 120_000);
});

describe("branch", () => {
  let job: GeneratedJob;
  let old: string;
  beforeAll(() => {
    job = generatedJob("sqlite", 200);
    job.run();
    old = String(objects(job.at("snapshots", "shop.orders").stdout).at(-1)?.["snapshotId"]);
    job.endAt(300);
    job.run();
  }, 120_000);
  afterAll(() => job.remove());
  const branch = (...args: string[]) => job.at("branch", "shop.orders", ...args);

  it("makes, lists, moves on and removes", () => {
    expect(objects(branch("dev", "--snapshot", old).stdout)).toMatchObject([
      { branch: "dev", before: null, done: true },
    ]);
    expect(objects(branch().stdout)).toMatchObject([
      { branch: "main", ahead: null },
      { branch: "dev", ahead: 0, behind: 2, published: true },
    ]);
    // Behind main as it is, and not as a job would go on from it.
    const read = job.at("read", "shop.orders", "--branch", "dev").stdout.split("\n").filter(Boolean).sort();
    expect(read).toEqual(rowsOf(job, "shop.orders", "--as-of", "dev"));
    const planned = branch("dev", "--fast-forward", "main");
    expect([planned.code, planned.stderr]).toEqual([0, "nothing is changed yet: --yes does it\n"]);
    expect(rowsOf(job, "shop.orders", "--as-of", "dev")).toEqual(rowsOf(job, "shop.orders", "--as-of", old));
    expect(objects(branch("dev", "--fast-forward", "main", "--yes").stdout)).toMatchObject([{ done: true }]);
    expect(rowsOf(job, "shop.orders", "--as-of", "dev")).toEqual(rowsOf(job, "shop.orders"));
    expect(objects(branch("dev", "--delete").stdout)).toMatchObject([{ done: false }]);
    expect(objects(branch("dev", "--delete", "--yes").stdout)).toMatchObject([{ done: true }]);
    expect(branch("dev", "--delete", "--yes")).toMatchObject({ code: 1, stdout: "" });
  }, 120_000);

  it.each([
    ["main", 64],
    ["ingest.shop", 64],
    ["123", 64],
    ["a..b", 64],
  ])("refuses the name %s with %i", (name, code) => {
    const called = branch(name);
    expect([called.code, called.stdout]).toEqual([code, ""]);
    expect(called.stderr).toMatch(/^error BAD_BRANCH: /);
  });

  it("restores rows by key and by condition, with --yes only", () => {
    const restore = (...args: string[]) => job.at("restore", "shop.orders", "--from", old, ...args);
    const then = new Map(objects(rowsOf(job, "shop.orders", "--as-of", old).join("\n")).map((row) => [row["id"], row]));
    const now = rowsOf(job, "shop.orders");
    const changed = objects(job.at("diff", "shop.orders", `${old}..main`).stdout);
    const key = String(changed.find((row) => row["_op"] === "update_after")?.["id"]);
    expect(objects(restore("--keys", key).stdout)).toMatchObject([{ event: "plan", restored: 1, removed: 0 }]);
    expect(rowsOf(job, "shop.orders")).toEqual(now);
    expect(objects(restore("--keys", key, "--yes").stdout).at(-1)).toMatchObject({ event: "restored", restored: 1 });
    const [row] = objects(job.at("query", `SELECT * FROM shop.orders WHERE id = ${key}`).stdout);
    expect(row).toEqual(then.get(key));

    expect(restore("--where", "true", "--remove-new", "--yes").code).toBe(0);
    expect(rowsOf(job, "shop.orders")).toEqual(rowsOf(job, "shop.orders", "--as-of", old));
    expect(restore("--keys", "x")).toMatchObject({ code: 64 });
    expect(restore()).toMatchObject({ code: 64 });
    expect(job.at("restore", "shop.order_events", "--from", "main", "--keys", "1")).toMatchObject({ code: 65 });
  }, 120_000);
});
