import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let first: GeneratedJob;
beforeAll(() => {
  first = generatedJob("sqlite", 400);
  first.run();
}, 120_000);
afterAll(() => first.remove());

/** A job that reads `shop.orders` of the first job into a warehouse, its own or the first one's. */
function jobFile(name: string, location: string, mode: string, source = ""): string {
  const path = join(first.folder, `${name}.yaml`);
  writeFileSync(
    path,
    `name: ${name}
source: { type: table, table: shop.orders, warehouse: { location: ${first.warehouse} }${source} }
warehouse: { location: ${location} }
tables:
  - { from: shop.orders, to: ${name}.orders, mode: ${mode} }
`,
  );
  return path;
}

function rows(warehouse: string, table: string): string[] {
  const called = frazil(["query", `SELECT * FROM ${table} ORDER BY id`, "--warehouse", warehouse]);
  expect(called.code, called.stderr).toBe(0);
  return called.stdout.split("\n");
}

it(
  "copies a table of one job with another, in the same and in another warehouse, and goes on",
  { timeout: 240_000 },
  () => {
    const other = join(first.folder, "other");
    const same = jobFile("same", first.warehouse, "upsert");
    const apart = jobFile("apart", other, "upsert");
    for (const events of [400, 900]) {
      first.endAt(events);
      first.run();
      for (const path of [same, apart]) {
        const called = frazil(["run", path, "--until", "caught-up"]);
        expect(called.code, called.stderr).toBe(0);
      }
      const expected = rows(first.warehouse, "shop.orders");
      expect(expected.length).toBeGreaterThan(50);
      expect(rows(first.warehouse, "same.orders")).toEqual(expected);
      expect(rows(other, "apart.orders")).toEqual(expected);
    }
    const [position] = objects(frazil(["positions", same, "--json"]).stdout);
    expect(position).toMatchObject({ split: "shop.orders/0", lag: 0 });
    expect(position!["position"]).toBe(position!["end"]);
  },
);

it("says what is there when the position is lost", { timeout: 120_000 }, () => {
  const path = jobFile("lost", first.warehouse, "upsert", ", from: '99'");
  const called = frazil(["run", path, "--until", "caught-up"]);
  expect(called.code).toBe(65);
  expect(called.stderr).toMatch(/does not hold 99.*it holds \d+ from \d+/);
});
