import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { takeCacheLease } from "../../../../src/sink/key-index/cache-lease.ts";
import { markUsed, type Sweep, sweepCache } from "../../../../src/sink/key-index/cache-sweep.ts";

let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "frazil-sweep-"));
});
afterEach(() => rmSync(cache, { recursive: true }));

function uuid(digit: number): string {
  return `00000000-0000-4000-8000-${String(digit).padStart(12, "0")}`;
}

/** A folder of 1,000 bytes of keys that was used so many seconds after 1970. */
async function folder(digit: number, pipeline: string, usedSeconds: number, warehouse = "w"): Promise<string> {
  const path = join(cache, `${uuid(digit)}.${pipeline}`);
  mkdirSync(path);
  await markUsed(path, { warehouse, table: `shop.t${digit}` });
  writeFileSync(join(path, "a.keys"), Buffer.alloc(1_000));
  for (const name of ["a.keys", "table.json"]) utimesSync(join(path, name), usedSeconds, usedSeconds);
  return path;
}

function sweep(given: Partial<Sweep>): Promise<string[]> {
  const own = { folder: cache, pipeline: "orders", warehouse: "w", tables: new Set<string>(), leased: true };
  return sweepCache({ ...own, capBytes: 1e9, ...given });
}

it("removes tables that the pipeline has no more, of this warehouse alone", async () => {
  const [present, gone] = [await folder(1, "orders", 1), await folder(2, "orders", 1)];
  const [elsewhere, others] = [await folder(3, "orders", 1, "dev"), await folder(4, "events", 1)];
  expect(await sweep({ tables: new Set([uuid(1)]) })).toEqual([gone]);
  expect([present, gone, elsewhere, others].map((path) => existsSync(path))).toEqual([true, false, true, true]);
});

it("removes what was not used for longest beyond the cap, and never present tables", async () => {
  const present = await folder(1, "orders", 1);
  const [oldest, older, newest] = [
    await folder(2, "events", 2),
    await folder(3, "orders", 3, "dev"),
    await folder(4, "events", 4),
  ];
  expect(await sweep({ tables: new Set([uuid(1)]), capBytes: 2_500 })).toEqual([oldest, older]);
  expect([present, newest].map((path) => existsSync(path))).toEqual([true, true]);
  expect(await sweep({ tables: new Set([uuid(1)]), capBytes: 0 })).toEqual([newest]);
  expect(existsSync(present)).toBe(true);
});

it("leaves alone what a process uses, until it ends", async () => {
  const [used, own] = [await folder(2, "events", 2), await folder(3, "orders", 3, "dev")];
  const lease = await takeCacheLease(cache, "events");
  expect(await takeCacheLease(cache, "events")).toBeNull();
  expect(await sweep({ capBytes: 0, leased: false })).toEqual([]);
  expect([used, own].map((path) => existsSync(path))).toEqual([true, true]);
  lease?.release();
  expect(await sweep({ capBytes: 0, leased: false })).toEqual([used]);
});

it("takes no other files for folders of keys", async () => {
  mkdirSync(join(cache, "notes"));
  writeFileSync(join(cache, "orders.lease"), "");
  expect(await sweep({ capBytes: 0 })).toEqual([]);
});
