import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

let job: GeneratedJob;
beforeAll(() => {
  job = generatedJob("object-store", 100);
  job.run();
}, 60_000);
afterAll(() => job.remove());

/** `frazil` in a shell, where `$FRAZIL` is the command. */
function shell(line: string) {
  const command = `'${process.execPath}' '${MAIN}'`;
  return spawnSync("bash", ["-c", line.replaceAll("$FRAZIL", command)], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], FRAZIL_WAREHOUSE: job.warehouse },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
  });
}

describe("standard output", () => {
  it("may end early: exit 0, and nothing is said", () => {
    const called = shell('$FRAZIL query "SELECT * FROM range(300000)" | head -1; echo "${PIPESTATUS[0]}"');
    expect([called.stdout, called.stderr]).toEqual(['{"range":0}\n0\n', ""]);
  });

  it.skipIf(!existsSync("/dev/full"))("may be full: exit 74", () => {
    const called = shell('$FRAZIL query "SELECT 1" > /dev/full');
    expect(called.status).toBe(74);
    expect(called.stderr).toMatch(/^error OUTPUT: standard output cannot be written: ENOSPC.*\nhint: .*\n$/);
  });
});

it("a job whose standard error has no reader ends after a checkpoint, as by SIGTERM", async () => {
  const endless = generatedJob("sqlite", 50_000_000);
  const child = spawn(process.execPath, [MAIN, "run", endless.path], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  await once(child.stderr, "data");
  child.stderr.destroy();
  expect(await ended).toEqual([0, null]);
  const rows = objects(endless.at("tables").stdout).map((line) => Number(line["rows"]));
  expect(Math.max(...rows)).toBeGreaterThan(0);
  endless.remove();
});

describe("--warehouse", () => {
  it("names a folder with tables of an object-store catalog, for reading and for writing", () => {
    expect(existsSync(join(job.warehouse, "catalog.sqlite"))).toBe(false);
    const tables = objects(job.at("tables").stdout).map((line) => line["table"]);
    expect(tables).toEqual(["shop.customers", "shop.order_events", "shop.orders"]);
    const [first] = objects(job.at("snapshots", "shop.orders").stdout);
    expect(job.at("tag", "shop.orders", "begin", "--snapshot", String(first?.["snapshotId"])).code).toBe(0);
    expect(objects(job.at("query", "SELECT count(*) AS n FROM shop.orders", "--as-of", "begin").stdout)).toEqual([
      { n: 0 },
    ]);
  });

  it("is refused where a folder holds neither catalog", () => {
    const folder = mkdtempSync(join(tmpdir(), "frazil-none-"));
    const called = frazil(["tables", "--warehouse", folder]);
    expect([called.code, called.stdout]).toEqual([1, ""]);
    expect(called.stderr).toContain("error WAREHOUSE_NOT_FOUND: ");
    // A table's folder is no warehouse.
    expect(frazil(["tables", "--warehouse", join(job.warehouse, "shop")]).code).toBe(1);
    rmSync(folder, { recursive: true });
  });
});
