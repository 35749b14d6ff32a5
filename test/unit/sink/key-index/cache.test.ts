import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  change,
  type KeyCache,
  memoryWarehouse,
  Process,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { tableRows } from "../../../support/table-rows.ts";

const IDENT = { namespace: ["shop"], name: "a" };
const RULES = [upsertRule("a")];

let folder = "";
let cache: KeyCache = { folder: "", limitBytes: 0 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-cache-"));
  // Less than any table takes: what comes from a former checkpoint is in sidecars.
  cache = { folder, limitBytes: 0 };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The sidecars of the one table. */
function sidecars(): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".keys"))
    .map((name) => join(folder, name));
}

/** 3,000 rows, of which 2,500 have been updated, deleted or neither: enough keys that they are spilled. */
async function written(): Promise<{ warehouse: Warehouse; process: Process; rows: Map<number, string> }> {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, RULES, 1, cache);
  const rows = new Map<number, string>();
  const ids = Array.from({ length: 3_000 }, (_, id) => id);
  for (const id of ids) rows.set(id, `${id}|x|${id}`);
  await process.checkpoint(ids.map((id) => change("a", `+${id}:x:${id}`)));
  return { warehouse, process, rows };
}

/** Updates, deletes and inserts, and the rows that must be there then. */
async function changeSome(process: Process, rows: Map<number, string>, round: number): Promise<void> {
  const changes: string[] = [];
  for (let id = round; id < 3_000; id += 7) {
    if (id % 3 === 0) {
      changes.push(`-${id}`);
      rows.delete(id);
    } else {
      changes.push(`+${id}:y:${round}`);
      rows.set(id, `${id}|y|${round}`);
    }
  }
  await process.checkpoint(changes.map((text) => change("a", text)));
}

async function expectRows(warehouse: Warehouse, rows: ReadonlyMap<number, string>): Promise<void> {
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual([...rows.values()].sort());
}

const DAMAGE: readonly (readonly [string, (path: string) => void])[] = [
  ["deleted", (path) => rmSync(path)],
  ["truncated", (path) => truncateSync(path, statSync(path).size >> 1)],
  ["empty", (path) => writeFileSync(path, "")],
  ["changed in its keys", (path) => flip(path, 5)],
  ["changed in its list of files", (path) => flip(path, statSync(path).size - 40)],
  ["other bytes", (path) => writeFileSync(path, Buffer.alloc(statSync(path).size, 7))],
];

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

describe.each(DAMAGE)("a sidecar that is %s", (_, damage) => {
  it("while the job runs is made again", async () => {
    const { warehouse, process, rows } = await written();
    await changeSome(process, rows, 1);
    expect(sidecars().length).toBeGreaterThan(0);
    for (const path of sidecars()) damage(path);
    await changeSome(process, rows, 2);
    await changeSome(process, rows, 1);
    await expectRows(warehouse, rows);
  });

  it("between two runs is made again", async () => {
    const { warehouse, process, rows } = await written();
    await changeSome(process, rows, 1);
    for (const path of sidecars()) damage(path);
    const next = await Process.start(warehouse, RULES, 2, cache);
    await changeSome(next, rows, 2);
    await changeSome(next, rows, 3);
    await expectRows(warehouse, rows);
  });
});

describe("a cache of a former run", () => {
  it("is used: only files that came after it are read", async () => {
    const { warehouse, process, rows } = await written();
    await changeSome(process, rows, 1);
    const before = sidecars();
    expect(before.length).toBeGreaterThan(0);
    const [first] = before as [string];
    const covered = /"path":"([^"]+)"/.exec(readFileSync(first, "latin1"))?.[1] ?? "";
    const read: string[] = [];
    warehouse.fault = (operation, location) => void (operation.startsWith("read") && read.push(location));
    const next = await Process.start(warehouse, RULES, 2, cache);
    await changeSome(next, rows, 2);
    expect(read).not.toContain(covered);
    expect(sidecars()).toEqual(expect.arrayContaining(before));
    warehouse.fault = () => undefined;
    await expectRows(warehouse, rows);
  });

  it("of a table that was dropped and made anew is not its cache", async () => {
    const { warehouse, process, rows } = await written();
    await changeSome(process, rows, 1);
    const other = await written();
    await changeSome(other.process, other.rows, 2);
    await expectRows(other.warehouse, other.rows);
    await changeSome(process, rows, 3);
    await expectRows(warehouse, rows);
  });

  it("can be read by its owner only", async () => {
    const { process, rows } = await written();
    await changeSome(process, rows, 1);
    for (const path of sidecars()) expect(statSync(path).mode & 0o077).toBe(0);
  });
});
