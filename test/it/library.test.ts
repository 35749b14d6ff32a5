import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tableToIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  defineJob,
  expectedTables,
  generator,
  openWarehouse,
  type PlainRow,
  runJob,
  type WarehouseInput,
} from "../../src/index.ts";
import { installReaders } from "../readers/install.ts";
import { requireServers, withReason } from "../require.ts";
import { progressOnStderr } from "../services/progress.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { startVersitygw } from "../services/versitygw.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE = join(ROOT, "jobs/library/example.ts");
const SOURCE = { events: 20_000, seed: 7, splits: 2 };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-library-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the library's example", () => {
  it("is what the documentation shows, and does what its output says", () => {
    const [, shown] = /^```ts example\n([^]*?)^```$/m.exec(readFileSync(join(ROOT, "docs/library.md"), "utf8")) ?? [];
    expect(shown?.replace('from "frazil"', 'from "../../src/index.ts"')).toBe(readFileSync(EXAMPLE, "utf8"));

    const done = spawnSync(process.execPath, [EXAMPLE, "--warehouse", join(folder, "warehouse")], { encoding: "utf8" });
    expect(done.status, done.stderr).toBe(0);
    const orders = expectedTables(SOURCE).get("shop.orders") as PlainRow[];
    const [then, since, now] = done.stdout.split("\n");
    const first = Number(/^then (\d+) orders, id: Int64, total: Decimal\[18e\+2\]$/.exec(then as string)?.[1]);
    expect(first).toBeGreaterThan(0);
    const changes = JSON.parse((since as string).replace("since ", "")) as Record<string, number>;
    expect(changes["update_before"]).toBe(changes["update_after"]);
    expect(first + (changes["insert"] as number) - (changes["delete"] as number)).toBe(orders.length);
    // In cents: no total is lost to a double.
    const cents = orders
      .filter(({ total }) => total !== null && total !== undefined)
      .map(({ total }) => BigInt(String(total).replace(".", "")))
      .filter((total) => total > 50_000n);
    const sum = String(cents.reduce((a, b) => a + b, 0n)).replace(/(..)$/, ".$1");
    expect(now).toBe(`now ${cents.length} orders above 500.00: ${sum}`);
    expect(done.stderr.trim().split("\n").length).toBeGreaterThan(3);
  });
});

const missing = await requireServers("readers");

describe.skipIf(missing !== null)(withReason("Arrow of the library in PyArrow", missing), () => {
  it("is valid and holds the generator's rows", async () => {
    await using lake = await openWarehouse(join(folder, "warehouse"));
    const table = await (await lake.table("shop.orders")).toArrow();
    writeFileSync(join(folder, "orders.arrows"), tableToIPC(table, "stream"));
    const script = `
import json, sys, pyarrow as pa
digits = lambda d: None if d is None else format(d, 'f')
t = pa.ipc.open_stream(open(sys.argv[1], 'rb')).read_all()
t.validate(full=True)
print(json.dumps({'types': {f.name: str(f.type) for f in t.schema}, 'rows': [
  [str(v['id']), digits(v['total']), digits(v['exact']), None if v['payload'] is None else v['payload'].hex().upper(), v['reference'] and str(v['reference'])] for v in
  t.select(['id', 'total', 'exact', 'payload', 'reference']).to_pylist()]}))`;
    const python = await installReaders(progressOnStderr);
    const output = execFileSync(python, ["-c", script, join(folder, "orders.arrows")], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const { types, rows } = JSON.parse(output) as { types: Record<string, string>; rows: (string | null)[][] };
    expect(types).toMatchObject({
      id: "int64",
      total: "decimal128(18, 2)",
      exact: "decimal128(38, 10)",
      placed_on: "date32[day]",
      placed_at: "timestamp[us]",
      pickup: "time64[us]",
      updated_at: "timestamp[us, tz=UTC]",
      reference: "extension<arrow.uuid>",
      ratio: "float",
      payload: "binary",
    });
    const orders = expectedTables(SOURCE).get("shop.orders") as PlainRow[];
    const expected = orders.map(({ id, total, exact, payload, reference }) => [
      String(id),
      total ?? null,
      exact ?? null,
      payload ?? null,
      reference ?? null,
    ]);
    const sorted = (list: unknown[][]): string[] => list.map((row) => JSON.stringify(row)).sort();
    expect(sorted(rows)).toEqual(sorted(expected));
  });
});

const noStore = await requireServers("versitygw");

describe.skipIf(noStore !== null)(withReason("the library on S3", noStore), () => {
  let server: RunningS3;
  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server?.stop());

  it("writes, reads, travels and tells the changes", async () => {
    const warehouse: WarehouseInput = {
      location: `s3://${server.bucket}/library`,
      s3: {
        endpoint: server.endpoint,
        region: server.region,
        access_key_id: server.accessKeyId,
        secret_access_key: server.secretAccessKey,
      },
    };
    const job = defineJob({
      name: "shop",
      source: generator({ events: 10_000, seed: 7 }),
      warehouse,
      tables: [{ from: "shop.orders", to: "shop.orders", mode: "upsert" }],
      checkpoint: { max_rows: 1_000 },
    });
    await using run = await runJob(job, { until: "caught-up" });
    const checkpoints = await Array.fromAsync(run.checkpoints());
    expect(checkpoints.length).toBeGreaterThan(1);
    await using lake = await openWarehouse(warehouse);
    const orders = await lake.table("shop.orders");
    const rows = expectedTables({ events: 10_000, seed: 7, splits: 2 }).get("shop.orders") as PlainRow[];
    expect((await orders.toArrow({ columns: ["id"] })).numRows).toBe(rows.length);
    expect(await lake.query`SELECT count(*) AS n FROM shop.orders WHERE id >= ${0n}`).toEqual([
      { n: BigInt(rows.length) },
    ]);
    const first = checkpoints[0]?.tables[0]?.snapshotId as bigint;
    let count = (await orders.asOf(first).toArrow({ columns: ["id"] })).numRows;
    for await (const batch of orders.changes({ from: first })) {
      for (const { _op: op } of batch.rows()) count += Number(op === "insert") - Number(op === "delete");
    }
    expect(count).toBe(rows.length);
  });
});
