import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema } from "../../../table-format/index.ts";
import { appendColumns, commit, createTable, temporaryWarehouse } from "../query/local-warehouse.ts";
import { frazil } from "./frazil.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

let warehouse: Warehouse & AsyncDisposable;
let folder: string;
let first: bigint;
let second: bigint;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "frazil-cli-"));
  warehouse = await temporaryWarehouse();
  const ident = { namespace: ["shop"], name: "orders" };
  await createTable(
    warehouse,
    ident,
    newSchema(
      [
        { name: "id", type: { kind: "long" }, required: true },
        { name: "total", type: { kind: "decimal", precision: 20, scale: 2 }, required: false },
      ],
      ["id"],
    ),
  );
  first = await appendColumns(warehouse, ident, [
    [1n, 9007199254740993n],
    [150n, 12345678901234567890n],
  ]);
  second = await appendColumns(warehouse, ident, [[3n], [null]]);
  await commit(warehouse, ident, [
    { action: "set-snapshot-ref", name: "before", ref: { snapshotId: first, type: "tag" } },
  ]);
  await createTable(
    warehouse,
    { namespace: ["shop"], name: "empty" },
    newSchema([{ name: "id", type: { kind: "int" }, required: false }], []),
  );
});
afterAll(async () => {
  await warehouse[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const at = (...args: string[]) => frazil([...args, "--warehouse", warehouse.location]);
const objects = (text: string) =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("frazil", () => {
  it("tells its version and its verbs", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(frazil(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = frazil(["--help"]);
    expect(help.code).toBe(0);
    for (const verb of ["run", "tables", "snapshots", "query", "diff"]) expect(help.stdout).toMatch(`\n  ${verb} `);
    expect(help.stdout).toMatch(
      /\nDescribe a job:\n  init [^]*\nRun a job:\n[^]*\n  run [^]*\nLook at tables:\n  tables /,
    );
    expect(frazil(["query", "--help"]).stdout).toMatch(/--as-of[^]*--warehouse/);
  });

  it.each([
    [["qery"], "error USAGE: unknown command 'qery'\n(Did you mean query?)\nhint: frazil --help\n"],
    [["tables", "--jsn"], "error USAGE: unknown option '--jsn'\n(Did you mean --json?)\nhint: frazil tables --help\n"],
    [["query"], "error USAGE: missing required argument 'sql'\nhint: frazil query --help\n"],
    [
      ["run", "x.yaml", "--for", "10"],
      "error USAGE: option '--for <duration>' argument '10' is invalid. Write 30s, 10m or 2h.\nhint: frazil run --help\n",
    ],
    [["dead-letters", "list"], "error USAGE: missing required argument 'job'\nhint: frazil dead-letters list --help\n"],
  ])("refuses %j with 64", (args, stderr) => {
    expect(frazil(args)).toEqual({ code: 64, stdout: "", stderr });
  });

  it("prints help and 64 without a verb", () => {
    const called = frazil([]);
    expect([called.code, called.stdout]).toEqual([64, ""]);
    expect(called.stderr).toMatch(/^Usage: frazil/);
  });

  it("ends with 78 for a job that is wrong, every error on its line", () => {
    const path = join(folder, "bad.yaml");
    writeFileSync(path, "name: Bad\nsource: { type: kafka, brokrs: [a] }\n");
    const called = frazil(["run", path]);
    expect([called.code, called.stdout]).toEqual([78, ""]);
    expect(called.stderr).toContain(`error JOB_INVALID: ${path} has `);
    expect(called.stderr).toContain(`\n${path}:1:7  error  name: must be 1 to 40 of a-z, 0-9 and -\n`);
    expect(called.stderr).toContain(`\n${path}:2:24  error  source.brokrs: unknown key, did you mean "brokers"?\n`);
  });

  it("ends with 78 for a job file that is not there", () => {
    const called = frazil(["run", join(folder, "none.yaml")]);
    expect(called.code).toBe(78);
    expect(called.stderr).toMatch(
      /^error JOB_FILE: the job file .*none\.yaml cannot be read: there is none\nhint: frazil init/,
    );
  });

  it("names the file that was likely meant, and refuses a warehouse that the job would not write to", () => {
    const path = join(folder, "orders.yaml");
    writeFileSync(path, "name: orders\n");
    expect(frazil(["plan", join(folder, "order.yaml")]).stderr).toMatch(`\nhint: did you mean ${path}?\n`);
    const elsewhere = frazil(["run", path, "--warehouse", join(folder, "elsewhere")]);
    expect(elsewhere).toMatchObject({ code: 64, stdout: "" });
    expect(elsewhere.stderr).toMatch(/^error USAGE: --warehouse does not go with a job file: .*\nhint: /);
    // A variable is for the verbs that need it.
    expect(frazil(["run", path], { FRAZIL_WAREHOUSE: "elsewhere" }).code).toBe(78);
  });
});

describe("tables", () => {
  it("lists rows, snapshots and bytes", () => {
    const called = at("tables");
    expect([called.code, called.stderr]).toEqual([0, ""]);
    expect(objects(called.stdout)).toEqual([
      expect.objectContaining({ table: "shop.empty", rows: 0, snapshots: 0, sizeBytes: 0, snapshotId: null }),
      expect.objectContaining({
        table: "shop.orders",
        rows: 3,
        snapshots: 2,
        formatVersion: 3,
        snapshotId: Number(second),
        location: `${warehouse.location}/shop/orders`,
      }),
    ]);
  });

  it("finds the warehouse by option, variable, env file, and by default in ./warehouse", () => {
    const lines = at("tables").stdout;
    expect(frazil(["tables"], { FRAZIL_WAREHOUSE: warehouse.location }).stdout).toBe(lines);
    expect(frazil(["--warehouse", warehouse.location, "tables"], { FRAZIL_WAREHOUSE: "/nowhere" }).stdout).toBe(lines);
    const envFile = join(folder, ".env");
    writeFileSync(envFile, `FRAZIL_WAREHOUSE="${warehouse.location}"\n`);
    expect(frazil(["tables", "--env-file", envFile]).stdout).toBe(lines);
    const called = frazil(["tables"], {}, folder);
    expect([called.code, called.stdout]).toEqual([1, ""]);
    expect(called.stderr).toContain("error WAREHOUSE_NOT_FOUND: there is no warehouse at ");
    expect(called.stderr).toContain("/warehouse/catalog.sqlite is missing\nhint: ");
  });

  it("refuses bad variables and env files with 78", () => {
    expect(frazil(["tables"], { FRAZIL_LOG_LEVEL: "loud" })).toMatchObject({
      code: 78,
      stderr: 'error BAD_VARIABLE: FRAZIL_LOG_LEVEL must be one of debug, info, warn, error, silent, found "loud"\n',
    });
    // Node looks for an option of this name behind the script too, and ends with 9 where the file is missing; not behind `--`.
    const args = ["--", MAIN, "tables", "--env-file=none.env"];
    expect(spawnSync(process.execPath, args, { encoding: "utf8" })).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/^error ENV_FILE: the env file none\.env cannot be read: ENOENT/) as string,
    });
    expect(frazil(["tables"], { FRAZIL_ENV_FILE: "/nowhere/.env" })).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(
        /^error ENV_FILE: the env file \/nowhere\/.env cannot be read: ENOENT.*\nhint: write the file/,
      ) as string,
    });
    expect(frazil(["tables", "--warehouse", "gs://x"])).toMatchObject({
      code: 78,
      stderr: 'error WAREHOUSE_INVALID: warehouse "gs://x": must be a folder or s3://bucket/prefix\n',
    });
  });
});

describe("snapshots", () => {
  it("lists them, oldest first, with rows and tags", () => {
    const called = at("snapshots", "shop.orders");
    expect(called.code).toBe(0);
    expect(objects(called.stdout)).toEqual([
      expect.objectContaining({
        snapshotId: Number(first),
        parentSnapshotId: null,
        operation: "append",
        rows: 2,
        added: 2,
        deleted: 0,
        tags: ["before"],
        branches: [],
      }),
      expect.objectContaining({
        snapshotId: Number(second),
        parentSnapshotId: Number(first),
        rows: 3,
        added: 1,
        deleted: 0,
        tags: [],
        branches: ["main"],
      }),
    ]);
    expect(at("snapshots", "shop.empty")).toMatchObject({ code: 0, stdout: "" });
  });

  it("names the nearest table when there is none", () => {
    expect(at("snapshots", "shop.order")).toEqual({
      code: 1,
      stdout: "",
      stderr: `error TABLE_NOT_FOUND: there is no table shop.order in ${warehouse.location}\nhint: did you mean shop.orders?\n`,
    });
    expect(at("describe", "orders").stderr).toMatch(/\nhint: did you mean shop\.orders\?\n$/);
    expect(at("query", "FROM ordrs")).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(
        /^error SQL_ERROR: Catalog Error: Table with name ordrs does not exist![^]*\nhint: did you mean shop\.orders\?\n$/,
      ) as string,
    });
  });
});

describe("query", () => {
  it("prints one JSON object a row and nothing else", () => {
    expect(at("query", "SELECT * FROM shop.orders ORDER BY id")).toEqual({
      code: 0,
      stdout:
        '{"id":1,"total":1.50}\n{"id":3,"total":null}\n{"id":"9007199254740993","total":"123456789012345678.90"}\n',
      stderr: "",
    });
  });

  it("prints the past as of a tag, an id and a time", () => {
    const sql = "SELECT count(*) AS n FROM shop.orders";
    for (const point of ["before", String(first)]) {
      expect(at("query", sql, "--as-of", point)).toEqual({ code: 0, stdout: '{"n":2}\n', stderr: "" });
    }
    const [, time] = objects(at("snapshots", "shop.orders").stdout).map((snapshot) => String(snapshot["time"]));
    expect(at("query", sql, "--as-of", time!).stdout).toBe('{"n":3}\n');
    expect(at("query", sql, "--as-of", "nothing")).toMatchObject({ code: 1, stdout: "" });
  });

  it("ends with 64 for wrong SQL, with 65 for a query that fails", () => {
    const wrong = at("query", "SELEC 1");
    expect([wrong.code, wrong.stdout]).toEqual([64, ""]);
    expect(wrong.stderr).toMatch(/^error SQL_ERROR: Parser Error: syntax error at or near "SELEC"/);
    expect(at("query", "/* nothing */")).toMatchObject({
      code: 64,
      stderr: "error SQL_ERROR: expected a statement, found none\n",
    });
    const fails = at("query", "SELECT 'x'::INTEGER");
    expect([fails.code, fails.stdout]).toEqual([65, ""]);
    expect(fails.stderr).toMatch(/^error QUERY_FAILED: Conversion Error/);
  });
});

describe("diff", () => {
  it("prints the changes between two snapshots", () => {
    const third = '{"_op":"insert","id":3,"total":null}\n';
    expect(at("diff", "shop.orders", `before..${second}`)).toEqual({ code: 0, stdout: third, stderr: "" });
    expect(at("diff", "shop.orders", "before..")).toEqual({ code: 0, stdout: third, stderr: "" });
    expect(at("diff", "shop.orders", "main..before").stdout).toBe(third.replace("insert", "delete"));
    expect(objects(at("diff", "shop.orders", "..main").stdout)).toHaveLength(3);
  });

  it("ends with 64 for a range that is none, with 1 for a snapshot that is not there", () => {
    const wrong = at("diff", "shop.orders", "before");
    expect([wrong.code, wrong.stdout]).toEqual([64, ""]);
    expect(wrong.stderr).toMatch(/^error BAD_RANGE: expected a\.\.b, found "before"\nhint: /);
    expect(at("diff", "shop.orders", "nothing..before")).toMatchObject({ code: 1, stdout: "" });
  });
});
