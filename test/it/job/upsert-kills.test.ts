import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { parsePosition } from "../../../src/core/position.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import { createBuilder, currentSchema, currentSnapshot, openDataFileWriter } from "../../../table-format/index.ts";
import { damageFile } from "../../support/damage.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { frazil } from "./job-process.ts";
import { changeAt, SPLIT } from "./upsert-kills-changes.ts";

/** `npm run torture` takes ten million. */
const KEYS = Number(process.env["FRAZIL_TORTURE_KEYS"] ?? 200_000);
const KILLS = Number(process.env["FRAZIL_TORTURE_KILLS"] ?? 4);
const CHILD = fileURLToPath(new URL("upsert-kills-job.ts", import.meta.url));
const ROWS_A_FILE = 1_000_000;
const ROWS_A_BATCH = 65_536;

/** Keys 1 to `KEYS` - 1 as somebody else's files, in one commit. */
async function fill(warehouse: Warehouse): Promise<void> {
  const foreign = new ForeignWriter({ ...warehouse, fault: () => undefined }, "t");
  const { metadata } = await foreign.load();
  const schema = currentSchema(metadata);
  const files = [];
  for (let start = 1; start < KEYS; start += ROWS_A_FILE) {
    const filePath = `${metadata.location}/data/filled-${start}.parquet`;
    const writer = openDataFileWriter({ schema, output: await warehouse.io.openWrite(filePath) });
    const end = Math.min(KEYS, start + ROWS_A_FILE);
    for (let from = start; from < end; from += ROWS_A_BATCH) {
      const to = Math.min(end, from + ROWS_A_BATCH);
      const [ids, parts, values] = [{ kind: "long" }, { kind: "string" }, { kind: "long" }].map((type) =>
        createBuilder(type as Parameters<typeof createBuilder>[0]),
      ) as [Builder, Builder, Builder];
      for (let id = from; id < to; id++) {
        ids.appendI32(id);
        parts.appendString("filled");
        values.appendI32(-id);
      }
      await writer.write({ length: to - from, columns: [ids.finish(), parts.finish(), values.finish()] });
    }
    files.push({ filePath, ...(await writer.finish()) });
  }
  await foreign.addFiles(files);
}

type Builder = ReturnType<typeof createBuilder>;

/** Starts the job; `first` resolves with what it says at its first commit. */
function start(folder: string, end: number) {
  const child = spawn(process.execPath, [CHILD, folder, String(KEYS), String(end)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  const first = Promise.withResolvers<string>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    const said = /committed first after \d+ ms/.exec(out);
    if (said !== null) first.resolve(said[0]);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const ended = once(child, "close").then(([code, signal]) => {
    first.resolve("none");
    return { code: (code ?? signal) as number | string, text: out + err };
  });
  return { child, first: first.promise, ended };
}

/** How far the table has come in the changelog. */
async function reached(warehouse: Warehouse): Promise<number> {
  const loaded = await warehouse.catalog.loadTable({ namespace: ["shop"], name: "t" });
  const snapshot = loaded === null ? null : currentSnapshot(loaded.metadata);
  return Number(parsePosition(snapshot?.summary.get("ingest.position") ?? "{}").get(SPLIT) ?? 0);
}

it(`a table of ${KEYS} keys is right after ${KILLS} kills, its key cache damaged`, { timeout: 3_600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "frazil-upsert-kills-"));
  mkdirSync(join(folder, "keys"));
  const random = seededRandom(20);
  const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
  const warehouse = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "create");
  try {
    const made = await start(folder, 1).ended;
    expect(made.code, made.text).toBe(0);
    await fill(warehouse);
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, first, ended } = start(folder, 2 ** 31);
      // Every other one before it has caught up with its cache, the others while it goes on.
      const said = kill % 2 === 0 ? await first : "";
      await sleep(random.uint32() % 1_500);
      child.kill("SIGKILL");
      expect((await ended).code, (await ended).text).toBe("SIGKILL");
      const how = (["delete", "truncate", "flip"] as const)[random.uint32() % 3] ?? "delete";
      const damaged = damageFile(join(folder, "keys"), how, random);
      console.log(`kill ${kill}: ${said || "before the first commit"}; then ${how} of ${damaged?.split("/").at(-1)}`);
    }
    const end = (await reached(warehouse)) + 10_000;
    const { code, text } = await start(folder, end).ended;
    expect(code, text).toBe(0);
    expect(await seen(folder)).toEqual(expected(end));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Figures that a row too many, too few or of an older state changes. */
async function seen(folder: string): Promise<Record<string, string>> {
  const sql =
    "SELECT count(*)::VARCHAR AS rows, count(DISTINCT id)::VARCHAR AS ids, sum(value)::VARCHAR AS sum, sum((id * 31 + value) % 1000003)::VARCHAR AS mix FROM shop.t";
  const asked = frazil(["query", sql, "--warehouse", join(folder, "lake"), "--json"]);
  expect(await asked.ended, asked.stderr()).toBe(0);
  return JSON.parse(asked.stdout()) as Record<string, string>;
}

function expected(end: number): Record<string, string> {
  const values = new Map<number, number | null>();
  for (let i = 0; i < end; i++) {
    const { id, op } = changeAt(i, KEYS);
    values.set(Number(id), op === "delete" ? null : i);
  }
  let [rows, sum, mix] = [0n, 0n, 0n];
  const add = (id: number, value: number): void => {
    rows++;
    sum += BigInt(value);
    mix += BigInt((id * 31 + value) % 1_000_003);
  };
  for (let id = 1; id < KEYS; id++) if (!values.has(id)) add(id, -id);
  for (const [id, value] of values) if (value !== null) add(id, value);
  return { rows: String(rows), ids: String(rows), sum: String(sum), mix: String(mix) };
}
