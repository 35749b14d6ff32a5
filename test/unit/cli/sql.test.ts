import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complete, namesOf } from "../../../src/cli/sql-completion.ts";
import { historyPath, readHistory, writeHistory } from "../../../src/cli/sql-history.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema } from "../../../table-format/index.ts";
import { appendColumns, createTable, temporaryWarehouse } from "../query/local-warehouse.ts";
import { BARE_ENV } from "../../support/bare-env.ts";
import { frazil } from "./frazil.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const ORDERS = { namespace: ["shop"], name: "orders" };

let warehouse: Warehouse & AsyncDisposable;
let first: bigint;

beforeAll(async () => {
  warehouse = await temporaryWarehouse();
  const schema = newSchema(
    [
      { name: "id", type: { kind: "long" }, required: true },
      { name: "Ship To", type: { kind: "string" }, required: false },
    ],
    ["id"],
  );
  await createTable(warehouse, ORDERS, schema);
  await createTable(warehouse, { namespace: ["shop"], name: "Odd" }, schema);
  first = await appendColumns(warehouse, ORDERS, [[1n], ["x"]]);
  await appendColumns(warehouse, ORDERS, [[2n], [null]]);
});
afterAll(() => warehouse[Symbol.asyncDispose]());

/** `frazil sql` with a script on its standard input. */
function piped(input: string, ...options: string[]) {
  const args = [MAIN, "sql", "--warehouse", warehouse.location, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    input,
    encoding: "utf8",
    env: BARE_ENV,
  });
  return { code: status, stdout, stderr };
}

describe("sql from a pipe", () => {
  it("runs statement after statement, over lines, the last one without its semicolon", () => {
    expect(piped("SELECT count(*) AS n\n  FROM shop.orders; SELECT ';' AS s;\n-- all\nSELECT 3 AS x")).toEqual({
      code: 0,
      stdout: '{"n":2}\n{"s":";"}\n{"x":3}\n',
      stderr: "",
    });
    expect(piped("")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("stops at the first failure with its code", () => {
    const called = piped("SELECT 1 AS a;\nSELECT 'x'::INT;\nSELECT 2 AS b;\n");
    expect([called.code, called.stdout]).toEqual([65, '{"a":1}\n']);
    expect(piped("SELEC 1;").code).toBe(64);
    expect(piped(".nothing\n")).toMatchObject({ code: 64, stdout: "" });
  });

  it("keeps what a statement makes and sets, as of the point that was asked for", () => {
    const script = `SET VARIABLE least = 1; CREATE TEMP TABLE t AS FROM shop.orders;
      SELECT count(*) AS n FROM t WHERE id >= getvariable('least');`;
    expect(piped(script)).toEqual({ code: 0, stdout: '{"n":2}\n', stderr: "" });
    expect(piped(script, "--as-of", String(first)).stdout).toBe('{"n":1}\n');
    expect(piped("SELECT 1;", "--as-of", "nowhere")).toMatchObject({ code: 1, stdout: "" });
  });

  it("knows the past and the tables", () => {
    const count = "SELECT count(*) AS n FROM shop.orders;\n";
    expect(piped(count, "--as-of", String(first)).stdout).toBe('{"n":1}\n');
    expect(piped(`.as-of ${first}\n${count}.as-of\n${count}.tables\n.exit\n${count}`).stdout).toBe(
      '{"n":1}\n{"n":2}\nshop.Odd\nshop.orders\n',
    );
    expect(piped(".as-of nowhere\n")).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("completion", () => {
  const cases: [line: string, candidates: string[], word: string][] = [
    ["SELECT * FROM sh", ['shop."Odd"', "shop.orders"], "sh"],
    ["select * from shop.or", ["shop.orders"], "shop.or"],
    ["select * from shop.odd", ['shop."Odd"'], "shop.odd"],
    ["select * from a, shop.o", ['shop."Odd"', "shop.orders"], "shop.o"],
    ["select * fr", ["from"], "fr"],
    ["SELECT * FR", ["FROM"], "FR"],
    ["SELECT shi", ['"Ship To"'], "shi"],
    ["select i", ["id", "ilike", "in", "inner", "intersect", "interval", "is"], "i"],
    ["select ", [], ""],
    [".t", [".tables"], ".t"],
  ];
  it.each(cases)("of %j", async (line, candidates, word) => {
    expect(complete(line, await namesOf(warehouse.catalog))).toEqual([candidates, word]);
  });
});

describe("the history", () => {
  it("is kept for its user alone, the oldest lines dropped", () => {
    const folder = mkdtempSync(join(tmpdir(), "frazil-history-"));
    try {
      const path = historyPath({ XDG_STATE_HOME: folder });
      expect(path).toBe(join(folder, "frazil", "sql_history"));
      expect(readHistory(path)).toEqual([]);
      const lines = Array.from({ length: 1002 }, (_, index) => `SELECT ${1002 - index};`);
      expect(writeHistory(path, lines)).toBe(true);
      expect(readHistory(path)).toEqual(lines.slice(0, 1000));
      expect(readFileSync(path, "utf8")).toMatch(/^SELECT 3;\n/);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(writeHistory(join(path, "below-a-file"), lines)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it("query --print-statement prints and does not run", () => {
  const called = frazil([
    "query",
    "SELECT nothing FROM shop.orders",
    "--print-statement",
    "--warehouse",
    warehouse.location,
  ]);
  expect([called.code, called.stderr]).toEqual([0, ""]);
  expect(called.stdout).toMatch(/^-- shop\.orders: snapshot \d+\n[^]*\nSELECT nothing FROM shop\.orders;\n$/);
});
