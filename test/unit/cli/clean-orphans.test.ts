import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
afterEach(() => job.remove());

/** Puts a file into the warehouse, written so many days ago. */
function litter(path: string, days: number): string {
  const file = join(job.warehouse, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "garbage");
  const seconds = Date.now() / 1000 - days * 86_400;
  utimesSync(file, seconds, seconds);
  return file;
}

function files(): Set<string> {
  const entries = readdirSync(job.warehouse, { recursive: true, withFileTypes: true });
  return new Set(entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)));
}

it.each(["sqlite", "object-store"] as const)(
  "cleans the tables of a warehouse in a folder, catalog %s",
  (catalog) => {
    job = generatedJob(catalog, 300);
    job.run();
    // A second process: what the first one left unnamed is garbage by name.
    job.endAt(600);
    job.run();
    const clean = files();
    const rows = job.at("read", "shop.orders").stdout;
    const old = [
      litter("shop/orders/data/00000-1-foreign.parquet", 4),
      litter("shop/orders/metadata/snap-17-0-foreign.avro", 4),
      litter("shop/customers/data/region=eu/shop-e0000000001-c000000000009-w00-0000-0123abcd.parquet", 0),
    ];
    const kept = [
      litter("shop/orders/data/00000-2-foreign.parquet", 2),
      litter("shop/orders/data/shop-e0000000002-c000000000009-w00-0000-0123abcd.parquet", 0),
      litter("shop/orders/notes/readme.txt", 400),
      litter("_ingest/old/ledger.json", 400),
    ];
    const all = files();

    // Of other engines nothing, but when it is asked for.
    const own = job.at("clean-orphans", "--all", "--json", "--list");
    expect(objects(own.stdout).filter((line) => line["event"] === "orphan")).toMatchObject([{ location: old[2] }]);
    expect(objects(own.stdout).find((line) => line["table"] === "shop.orders")).toMatchObject({ files: 0, foreign: 2 });

    const plan = job.at("clean-orphans", "--all", "--foreign", "--json", "--list");
    expect(plan.stderr).toContain("--yes");
    expect(plan.code).toBe(0);
    const lines = objects(plan.stdout);
    expect(new Set(lines.filter((line) => line["event"] === "orphan").map((line) => line["location"]))).toEqual(
      new Set(old),
    );
    expect(lines.find((line) => line["event"] === "plan" && line["table"] === "shop.orders")).toMatchObject({
      files: 2,
      dataFiles: 1,
      manifestLists: 1,
      bytes: 14,
      undecided: 2,
      foreign: 0,
    });
    expect(files()).toEqual(all);

    const done = job.at("clean-orphans", "shop.orders", "shop.customers", "--foreign", "--yes", "--json");
    expect(done.code).toBe(0);
    expect(objects(done.stdout).filter((line) => line["event"] === "cleaned")).toMatchObject([
      { table: "shop.orders", files: 2, notDeleted: 0, kept: 0 },
      { table: "shop.customers", files: 1 },
    ]);
    expect(files()).toEqual(new Set([...clean, ...kept]));
    expect(job.at("read", "shop.orders").stdout).toBe(rows);
    // Younger ones by their age, when asked to.
    expect(job.at("clean-orphans", "shop.orders", "--older-than", "1d", "--foreign", "--yes").code).toBe(0);
    expect(files()).toEqual(new Set([...clean, ...kept.slice(1)]));
  },
  120_000,
);

it("refuses ages that a commit under way may have, and a call that names nothing", () => {
  job = generatedJob("sqlite", 50);
  expect(job.at("clean-orphans", "--all", "--older-than", "1h")).toMatchObject({ code: 64 });
  expect(job.at("clean-orphans")).toMatchObject({ code: 64 });
}, 120_000);
