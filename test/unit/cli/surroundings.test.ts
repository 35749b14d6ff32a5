import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BARE_ENV } from "../../support/bare-env.ts";
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
    env: { ...BARE_ENV, FRAZIL_WAREHOUSE: job.warehouse },
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

it.each(["SIGINT", "SIGTERM"] as const)("a query that is ended by %s leaves no folder behind", async (signal) => {
  const place = mkdtempSync(join(tmpdir(), "frazil-signal-"));
  const args = [MAIN, "query", "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"];
  const env = { TMPDIR: place, FRAZIL_WAREHOUSE: job.warehouse };
  const child = spawn(process.execPath, args, { env, stdio: "ignore" });
  const ended = once(child, "close");
  while (readdirSync(place).length === 0) await sleep(20);
  await sleep(200);
  child.kill(signal);
  expect(await ended).toEqual([null, signal]);
  expect(readdirSync(place)).toEqual([]);
  rmSync(place, { recursive: true });
});

describe("standard error of a run off a terminal", () => {
  it("holds a JSON object a line, from the start to the end", () => {
    const made = generatedJob("object-store", 100);
    const lines = objects(made.run().stderr);
    expect(lines.map(({ msg }) => msg)).toEqual(["run started", "committed", "committed", "committed", "run ended"]);
    expect(lines[1]).toEqual({
      ...{ level: "info", ts: expect.stringMatching(/Z$/) as string, msg: "committed", job: "shop", checkpoint: 1 },
      ...{ table: "shop.customers", snapshotId: expect.any(Number) as number, rows: expect.any(Number) as number },
      ...{ inserts: 18, updates: 0, deletes: 0, dropped: 0, files: 5, bytes: expect.any(Number) as number },
      ...{
        prepareMs: expect.any(Number) as number,
        commitMs: expect.any(Number) as number,
        freshnessMs: expect.any(Number) as number,
      },
    });
    expect(lines[4]).toMatchObject({ job: "shop", reason: "caught-up", commits: 3 });
    const [resumed] = objects(made.run().stderr);
    expect(resumed).toMatchObject({ msg: "run started", job: "shop", checkpoint: 1, splits: 2 });
    const text = made.run("--log-format", "text").stderr;
    expect(text).toMatch(/^shop {2}resumes after checkpoint 1 {2}epoch 3, 2 splits\nshop {2}caught up after /);
    expect(made.run("--quiet").stderr).toBe("");
    made.remove();
  });

  it("tells a failure as one object with its code, what is wrong, the hint and the exit code", () => {
    const made = generatedJob("sqlite", 100);
    writeFileSync(made.path, readFileSync(made.path, "utf8").replace("name: shop", "name: other"));
    made.run();
    writeFileSync(made.path, readFileSync(made.path, "utf8").replace("mode: append", "mode: history"));
    const called = frazil(["run", made.path]);
    expect(called.code).toBe(78);
    expect(objects(called.stderr)).toEqual([
      expect.objectContaining({ level: "error", msg: "failed", code: "MODE_CHANGED", kind: "config", exitCode: 78 }),
    ]);
    expect(frazil(["run", made.path, "--log-format", "text"]).stderr).toMatch(/^error MODE_CHANGED: .*\nhint: .*\n$/);
    // Whoever mistypes something reads text; other verbs log nothing, unless they are told to.
    expect(frazil(["run", "none.yaml"]).stderr).toMatch(/^error JOB_FILE: /);
    const none = ["describe", "shop.nothing", "--warehouse", made.warehouse];
    expect(frazil(none).stderr).toMatch(/^error TABLE_NOT_FOUND: /);
    expect(objects(frazil(none, { FRAZIL_LOG_FORMAT: "json" }).stderr)).toEqual([
      expect.objectContaining({ msg: "failed", code: "TABLE_NOT_FOUND", exitCode: 1 }),
    ]);
    made.remove();
  });
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
