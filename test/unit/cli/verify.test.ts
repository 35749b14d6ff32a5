import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { currentSnapshot, type TableUpdate } from "../../../table-format/index.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

const KINDS = ["sqlite", "object-store"] as const;
let job: GeneratedJob;
const orders = { namespace: ["shop"], name: "orders" };

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Undone after each test: the job is made once. */
const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

/** Files are given back as they were. */
function damage(path: string, how: () => void): void {
  const before = readFileSync(path);
  undo.push(() => writeFileSync(path, before));
  how();
}

function start(kind: (typeof KINDS)[number]): void {
  job = generatedJob(kind, 200);
  job.run();
  job.endAt(400);
  job.run();
}

async function inWarehouse<T>(kind: (typeof KINDS)[number], run: (warehouse: Warehouse) => Promise<T>): Promise<T> {
  const settings = warehouseAt(job.warehouse, {});
  const catalog = kind === "sqlite" ? settings.catalog : { type: kind, name: "frazil" };
  const warehouse = await openWarehouse({ ...settings, catalog }, createRuntime(silent, undefined), "read");
  try {
    return await run(warehouse);
  } finally {
    await warehouse.catalog.close();
  }
}

/** A change of a table's metadata by somebody who knows nothing of pipelines. */
async function meddle(kind: (typeof KINDS)[number], updates: readonly TableUpdate[]): Promise<void> {
  await inWarehouse(kind, async ({ catalog }) => {
    const outcome = await catalog.commit([{ ident: orders, requirements: [], updates }]);
    expect(outcome.outcome).toBe("committed");
  });
}

const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(join(job.warehouse, "shop", "orders", folder))
    .filter((name) => name.endsWith(ending) && !name.startsWith("."))
    .sort()
    .map((name) => join(job.warehouse, "shop", "orders", folder, name));

const verify = (...args: string[]) => {
  const called = job.at("verify", ...args);
  return { code: called.code, stderr: called.stderr, lines: objects(called.stdout) };
};
const findings = (lines: readonly Record<string, unknown>[]) => lines.filter((line) => line["event"] === "finding");

describe.each(KINDS)("verify over %s", (kind) => {
  beforeAll(() => start(kind), 60_000);
  afterAll(() => job.remove());

  it("finds nothing where nothing is wrong, and counts what there is", () => {
    const { code, lines } = verify("--all");
    expect([code, findings(lines)]).toEqual([0, []]);
    const [rows] = objects(job.at("query", "SELECT count(*) AS n FROM shop.orders").stdout);
    const line = lines.find(({ table }) => table === "shop.orders");
    expect(line).toMatchObject({ rows: rows?.["n"], unique: true, findings: 0 });
    expect(line?.["vectors"]).toBeGreaterThan(0);
    expect(lines).toContainEqual({ event: "verified", pipeline: "shop", findings: 0 });
  });

  it("names a data file and a vector that are gone or cut short", () => {
    const [data = ""] = filesOf("data", ".parquet");
    const [vectors = ""] = filesOf("data", ".puffin");
    damage(data, () => rmSync(data));
    damage(vectors, () => truncateSync(vectors, 10));
    const { code, lines } = verify("shop.orders", "shop.customers");
    expect(code).toBe(65);
    const found = findings(lines).map(({ table, check, object, found: what }) => [table, check, object, what]);
    expect(found).toContainEqual(["shop.orders", "objects", data, "nothing"]);
    expect(found).toContainEqual(["shop.orders", "objects", vectors, "10 bytes"]);
    expect(found.some(([, check, object]) => check === "vectors" && String(object).startsWith(vectors))).toBe(true);
    expect(found.every(([table]) => table === "shop.orders")).toBe(true);
  });

  it("names a manifest that is gone; --head looks at what the head needs alone", () => {
    const lists = filesOf("metadata", ".avro").filter((path) => path.includes("snap-"));
    const [first = ""] = filesOf("metadata", ".avro").filter((path) => !path.includes("snap-"));
    damage(first, () => rmSync(first));
    const { code, lines } = verify("shop.orders");
    expect(code).toBe(65);
    expect(findings(lines).find(({ check }) => check === "objects")).toMatchObject({ object: first, found: "nothing" });
    writeFileSync(first, Buffer.alloc(0));
    expect(findings(verify("shop.orders", "--head").lines).map(({ object }) => object)).toContain(first);
    expect(lists.length).toBeGreaterThan(2);
  });

  it("reads the positions of a vector, not only its size", () => {
    const [vectors = ""] = filesOf("data", ".puffin");
    const bytes = readFileSync(vectors);
    // In the first blob: behind the file's magic, the length, the blob's magic, the number of bitmaps and the key.
    bytes[4 + 4 + 4 + 8 + 4 + 10]! ^= 1;
    damage(vectors, () => writeFileSync(vectors, bytes));
    const { code, lines } = verify("shop.orders");
    expect(code).toBe(65);
    expect(findings(lines).filter(({ check }) => check === "vectors")).toHaveLength(1);
  });

  it("tells that a tag was moved back, and one that was removed", async () => {
    const [older, newest] = await inWarehouse(kind, async ({ catalog }) => {
      const table = (await catalog.loadTable(orders))!;
      const head = currentSnapshot(table.metadata)!;
      return [head.parentSnapshotId!, head.snapshotId];
    });
    const ref = { type: "tag" as const, snapshotId: older };
    undo.push(() =>
      meddle(kind, [{ action: "set-snapshot-ref", name: "ingest.shop", ref: { ...ref, snapshotId: newest } }]),
    );
    await meddle(kind, [{ action: "set-snapshot-ref", name: "ingest.shop", ref }]);
    const moved = verify("shop.orders");
    expect(moved.code).toBe(65);
    expect(findings(moved.lines).find(({ object }) => object === "tag ingest.shop")).toMatchObject({
      check: "history",
      expected: `snapshot ${newest}, the newest of shop on main`,
    });
    await meddle(kind, [{ action: "remove-snapshot-ref", name: "ingest.shop" }]);
    const removed = verify("shop.orders");
    expect(removed.code).toBe(65);
    expect(findings(removed.lines).some(({ object }) => object === "tag ingest.shop")).toBe(true);
  });

  it("goes on where one table's metadata is gone", () => {
    for (const path of filesOf("metadata", ".metadata.json")) damage(path, () => rmSync(path));
    const { code, lines } = verify("--all");
    expect(code).toBe(65);
    expect(findings(lines)[0]).toMatchObject({ table: "shop.orders", object: "metadata" });
    expect(lines.find(({ table }) => table === "shop.customers")).toMatchObject({ findings: 0 });
  });
});

describe("verify", () => {
  beforeAll(() => start("object-store"), 120_000);
  afterAll(() => job.remove());

  it("compares the ledger with the tables", () => {
    const path = join(job.warehouse, "_ingest", "shop", "ledger.json");
    const ledger = readFileSync(path, "utf8");
    undo.push(() => writeFileSync(path, ledger));
    const changed = (change: Record<string, unknown>) => {
      writeFileSync(path, JSON.stringify({ ...(JSON.parse(ledger) as object), ...change }));
      const { code, lines } = verify("shop.orders");
      expect(code).toBe(65);
      return findings(lines).map(({ object }) => String(object).slice(path.length + 2));
    };
    expect(changed({ epoch: "99" })).toEqual(["epoch"]);
    expect(changed({ position: '{"generator/0":"999","generator/1":"200"}' })).toEqual(["position of generator/0"]);
    expect(changed({ tables: { "shop.orders": "1" } })).toEqual(["shop.orders"]);
    rmSync(path);
    const gone = verify("shop.orders");
    expect([gone.code, findings(gone.lines).map(({ found }) => found)]).toEqual([65, ["none"]]);
  }, 120_000);

  it("finds a table whose hint is gone, and repair brings it back", () => {
    rmSync(join(job.warehouse, "shop", "orders", "metadata", "version-hint.text"));
    const { code, lines } = verify("shop.orders");
    expect(code).toBe(65);
    expect(findings(lines)[0]).toMatchObject({ table: "shop.orders", found: "nothing" });
    expect(job.at("repair", "shop.orders").stderr).toContain("nothing is changed yet");
    expect(job.at("repair", "shop.orders", "--yes").code).toBe(0);
    expect(verify("--all").code).toBe(0);
  }, 120_000);

  it("wants tables or --all, and tells of a name that there is not", () => {
    expect(verify().code).toBe(64);
    expect(verify("shop.orders", "--all").code).toBe(64);
    const called = job.at("verify", "shop.order");
    expect([called.code, called.stderr]).toEqual([1, expect.stringContaining("did you mean shop.orders?")]);
  }, 120_000);
});
