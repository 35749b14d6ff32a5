import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedTables, type PlainRow } from "../../../src/index.ts";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { frazil, hasWritten, type JobProcess } from "./job-process.ts";

const TABLES = ["shop.customers", "shop.orders", "shop.order_events"] as const;

/** A run as the service and the history print it. */
interface Run {
  readonly id: string;
  readonly table: string;
  readonly kind: string;
  readonly outcome: string;
  readonly snapshotId: string | null;
  readonly by: string;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-maintenance-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function jobFile(name: string, events: number, rate: number, warehouse: string, more = ""): string {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(
    path,
    `name: ${name}
source: { type: generator, seed: 7, events: ${events}, rate: ${rate}, splits: 2 }
warehouse: ${warehouse}
tables:
  - { from: shop.customers, to: shop.customers, mode: upsert, partition_by: ["bucket(2, id)"] }
  - { from: shop.orders, to: shop.orders, mode: upsert }
  - { from: shop.order_events, to: shop.order_events, mode: append }
checkpoint: { interval: 500ms }
${more}`,
  );
  return path;
}

function linesOf<T>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}

async function ask<T>(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<T[]> {
  const process = frazil([...args, "--json"], env);
  expect(await process.ended, process.stderr()).toBe(0);
  return linesOf<T>(process.stdout());
}

/** The tables hold what the generator made, each row once. */
async function expectRows(location: string, events: number, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const expected = expectedTables({ seed: 7, events, splits: 2 });
  const query = (sql: string) => ask<Record<string, string>>(["query", sql, "--warehouse", location], env);
  const lines = (rows: readonly PlainRow[], columns: readonly string[]) =>
    rows.map((row) => columns.map((column) => String(row[column] ?? null)).join("|")).toSorted();
  const orders = await query("SELECT id::VARCHAR AS id, total::VARCHAR AS total FROM shop.orders");
  expect(lines(orders, ["id", "total"])).toEqual(lines(expected.get("shop.orders") ?? [], ["id", "total"]));
  const customers = await query("SELECT region, id::VARCHAR AS id FROM shop.customers");
  expect(lines(customers, ["region", "id"])).toEqual(lines(expected.get("shop.customers") ?? [], ["region", "id"]));
  const [events_] = await query("SELECT count(*)::VARCHAR AS n FROM shop.order_events");
  expect(Number(events_?.["n"])).toBe(expected.get("shop.order_events")?.length);
}

async function liveFiles(location: string, table: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
  return (await ask<unknown>(["files", table, "--warehouse", location], env)).length;
}

async function history(location: string, env: Readonly<Record<string, string>> = {}): Promise<Run[]> {
  return ask<Run>(["maintain", location, "--history", "--limit", "10000"], env);
}

describe("a job with maintenance", () => {
  it("compacts its tables while it writes to them", { timeout: 240_000 }, async () => {
    const events = 20_000;
    const location = join(folder, "beside");
    const job = jobFile(
      "beside",
      events,
      1_000,
      `{ location: ${location} }`,
      `maintenance:
  compact: { every: 2s, min_files: 3, pace: 1 }
  expire: { every: 3s, keep: 2s, min_snapshots: 2 }
  rewrite_manifests: { every: 5s }
  tag: [{ name: often, every: 4s, keep: 1h }]
`,
    );
    const running = frazil(["run", job, "--until", "caught-up", "--json"]);
    expect(await running.ended, running.stderr()).toBe(0);
    await expectRows(location, events);
    const runs = await history(location);
    // How often each table gets its turn depends on the machine.
    const done = new Set(runs.filter(({ outcome }) => outcome === "done").map(({ kind }) => kind));
    expect([...done]).toEqual(expect.arrayContaining(["compact", "expire", "tag often"]));
    expect(runs.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    expect(runs.filter(({ outcome }) => outcome === "running")).toEqual([]);
    expect(runs.every(({ by }) => by === "beside")).toBe(true);
    // Every checkpoint adds a file; a compaction comes after each few of them.
    const [end] = linesOf<{ event: string; checkpoints: number; maintenanceFailures: number }>(running.stdout()).filter(
      ({ event }) => event === "end",
    );
    expect(end?.maintenanceFailures).toBe(0);
    const files = await liveFiles(location, "shop.order_events");
    expect(files).toBeLessThan(Math.max(10, (end?.checkpoints ?? 0) / 2));
  });

  it("ends within its patience when it is told to while a compaction runs", { timeout: 240_000 }, async () => {
    const location = join(folder, "stopped");
    const job = jobFile(
      "stopped",
      1_000_000,
      4_000,
      `{ location: ${location} }`,
      "maintenance: { compact: { every: 1s, min_files: 2, pace: 0.02 } }\n",
    );
    const running = frazil(["run", job, "--log-format", "text"]);
    expect(await hasWritten(running, /checkpoint 6/), running.stderr()).toBe(true);
    const toldMs = Date.now();
    running.child.kill("SIGTERM");
    expect(await running.ended, running.stderr()).toBe(0);
    expect(Date.now() - toldMs).toBeLessThan(25_000);
    const outcomes = new Set((await history(location)).map(({ outcome }) => outcome));
    expect(outcomes.has("running")).toBe(false);
  });
});

const missing = await requireServers("minio");

describe.skipIf(missing !== null)(withReason("the maintenance service on MinIO", missing), () => {
  let store: RunningS3;
  beforeAll(async () => {
    store = await startMinio();
  });
  afterAll(async () => store?.stop());

  it("goes on in another process when the one that leads is killed", { timeout: 400_000 }, async () => {
    const events = 24_000;
    const location = `s3://${store.bucket}/served`;
    const { env } = store;
    const settings = `{ location: "${location}", s3: { endpoint: "${store.endpoint}", region: ${store.region}, access_key_id: ${store.accessKeyId}, secret_access_key: ${store.secretAccessKey} } }`;
    const policies = join(folder, "policies.yaml");
    writeFileSync(
      policies,
      `lease: 3s
policies:
  - tables: "*.order_events"
    compact: { every: 2s, min_files: 2 }
  - tables: "shop.*"
    compact: { every: 2s, min_files: 2 }
    expire: { every: 4s, keep: 3s, min_snapshots: 2 }
`,
    );
    const serve = (): JobProcess => frazil(["maintain", location, "--policies", policies, "--json"], env);
    const running = frazil(["run", jobFile("served", events, 1_500, settings), "--until", "caught-up"], env);
    expect(await hasWritten(running, /checkpoint/), running.stderr()).toBe(true);
    const first = serve();
    expect(await hasWritten(first, /"kind":"compact","outcome":"done"/), first.stderr()).toBe(true);
    const second = serve();
    expect(await hasWritten(second, /another service maintains/), second.stderr()).toBe(true);
    await sleep(1_500);
    expect(second.stdout()).toBe("");
    first.child.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    expect(await hasWritten(second, /taken over/), second.stderr()).toBe(true);
    expect(await hasWritten(second, /"kind":"compact","outcome":"done"/), second.stderr()).toBe(true);
    expect(await running.ended, running.stderr()).toBe(0);
    await sleep(2_500);
    second.child.kill("SIGTERM");
    expect(await second.ended, second.stderr()).toBe(0);

    await expectRows(location, events, env);
    const recorded = new Map((await history(location, env)).map((run) => [run.id, run]));
    const told = [first, second].flatMap((service) => linesOf<Run>(service.stdout()));
    const changed = told.filter(({ outcome }) => outcome !== "nothing");
    for (const service of [first, second]) {
      const own = linesOf<Run>(service.stdout()).filter(({ outcome }) => outcome === "done");
      expect(own.length).toBeGreaterThan(0);
    }
    for (const run of changed) expect(recorded.get(run.id)).toMatchObject({ kind: run.kind, table: run.table });
    expect([...recorded.values()].filter(({ outcome }) => outcome === "running")).toEqual([]);
    expect([...recorded.values()].every(({ by }) => by === "service")).toBe(true);
    expect(told.some(({ table, kind }) => table === "shop.order_events" && kind === "expire")).toBe(false);
    // Whatever the killed one left half done, the tables have few files.
    for (const table of TABLES) expect(await liveFiles(location, table, env), table).toBeLessThan(20);
  });

  it("does what is due and ends with --once", { timeout: 240_000 }, async () => {
    const location = `s3://${store.bucket}/served`;
    const once = frazil(["maintain", location, "--once", "--json"], store.env);
    expect(await once.ended, once.stderr()).toBe(0);
    expect(linesOf<Run>(once.stdout()).length).toBeGreaterThan(3);
    const again = frazil(["maintain", location, "--once", "--json"], store.env);
    expect(await again.ended, again.stderr()).toBe(0);
    const due = linesOf<Run>(again.stdout()).filter(({ kind }) => kind === "clean_orphans");
    expect(due).toEqual([]);
  });
});
