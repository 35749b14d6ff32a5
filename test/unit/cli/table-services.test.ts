import { afterAll, beforeAll, expect, it } from "vitest";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
beforeAll(() => {
  job = generatedJob("sqlite", 100);
  job.run();
  job.endAt(200);
  job.run();
}, 120_000);
afterAll(() => job.remove());

it("merges manifests: the plan first, then with --yes, and finds nothing more to do", () => {
  const rows = job.at("read", "shop.orders").stdout;
  const merge = (...options: string[]) =>
    objects(job.at("compact", "shop.orders", "--manifests", "--json", ...options).stdout);
  const [plan, ...nothing] = merge();
  expect(nothing).toEqual([]);
  expect(plan).toMatchObject({ event: "plan", table: "shop.orders" });
  expect(plan!["manifests"]).toBeGreaterThan(1);
  expect(merge("--yes").at(-1)).toMatchObject({ event: "manifests", manifestsBefore: plan!["manifests"] });
  expect(merge("--yes")).toMatchObject([{ event: "plan", manifests: 0 }]);
  expect(job.at("read", "shop.orders").stdout).toBe(rows);
  expect(job.at("compact", "shop.orders", "--manifests", "--min-files", "3")).toMatchObject({ code: 64 });
}, 120_000);

it("counts distinct values", () => {
  const plan = job.at("analyze", "shop.customers", "--json");
  expect(plan.stderr).toContain("--yes");
  expect(objects(plan.stdout)).toMatchObject([{ event: "plan", table: "shop.customers" }]);
  const done = objects(job.at("analyze", "shop.customers", "--columns", "id,region", "--yes", "--json").stdout).at(-1)!;
  const rows = objects(
    job.at("query", "SELECT count(*) AS ids, count(DISTINCT region) AS regions FROM shop.customers").stdout,
  );
  const { ids, regions } = rows[0]!;
  expect(done).toMatchObject({ event: "statistics", rows: ids, distinct: { id: ids, region: regions } });
}, 120_000);
