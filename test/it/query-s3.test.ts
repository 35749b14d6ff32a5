import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newSchema } from "../../table-format/index.ts";
import { requireServers, withReason } from "../require.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { startVersitygw } from "../services/versitygw.ts";
import { frazil } from "../unit/cli/frazil.ts";
import { appendColumns, createTable, testWarehouse } from "../unit/query/local-warehouse.ts";

const missing = await requireServers("versitygw");

describe.skipIf(missing !== null)(withReason("the command line over a warehouse on S3", missing), () => {
  let server: RunningS3;
  let env: Record<string, string>;
  let location: string;
  let first: bigint;
  /** For temporary files, of its own: in the one that all share other tests make some meanwhile. */
  const scratch = mkdtempSync(join(tmpdir(), "frazil-scratch-"));

  beforeAll(async () => {
    server = await startVersitygw();
    location = `s3://${server.bucket}/warehouse`;
    env = {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_REGION: server.region,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    };
    // The SDK's own chain looks for keys in the process's environment.
    Object.assign(process.env, env);
    const warehouse = await testWarehouse(location, env);
    const ident = { namespace: ["shop"], name: "orders" };
    const long = { kind: "long" } as const;
    await createTable(warehouse, ident, newSchema([{ name: "id", type: long, required: true }], ["id"]));
    first = await appendColumns(warehouse, ident, [Array.from({ length: 5000 }, (_, index) => BigInt(index))]);
    await appendColumns(warehouse, ident, [[9007199254740993n]]);
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const call = (...args: string[]) => frazil([...args, "--warehouse", location], { ...env, TMPDIR: scratch });

  test("tables and snapshots", () => {
    const tables = call("tables");
    expect([tables.code, tables.stderr]).toEqual([0, ""]);
    expect(JSON.parse(tables.stdout)).toMatchObject({ table: "shop.orders", rows: 5001, snapshots: 2 });
    expect(call("snapshots", "shop.orders").stdout.trim().split("\n")).toHaveLength(2);
  });

  test("queries, now and as of a snapshot, leaving no copies behind", () => {
    const sql = "SELECT count(*) AS n, max(id) AS top FROM shop.orders";
    expect(call("query", sql)).toEqual({ code: 0, stdout: '{"n":5001,"top":"9007199254740993"}\n', stderr: "" });
    expect(call("query", sql, "--as-of", String(first)).stdout).toBe('{"n":5000,"top":4999}\n');
    expect(call("query", "FROM shop.orders WHERE id = 'x'").code).toBe(65);
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("the changes between two snapshots", () => {
    expect(call("diff", "shop.orders", `${first}..`).stdout).toBe('{"_op":"insert","id":"9007199254740993"}\n');
  });

  test("rows of a condition, of the files that may hold some and of all", () => {
    const row = { code: 0, stdout: '{"id":"9007199254740993"}\n', stderr: "" };
    expect(call("read", "shop.orders", "--where", "id > 5000")).toEqual(row);
    expect(call("read", "shop.orders", "--where", "abs(id) > 5000")).toEqual(row);
  });

  test("a table that is not there, and a store that is not", () => {
    expect(call("query", "FROM shop.order")).toMatchObject({ code: 1, stdout: "" });
    const nobody = frazil(["tables", "--warehouse", location], { ...env, AWS_ENDPOINT_URL: "http://127.0.0.1:1" });
    expect([nobody.code, nobody.stdout]).toEqual([69, ""]);
    expect(nobody.stderr).toMatch(/^(.*\n)*error [A-Z0-9_]+: /);
  });
});
