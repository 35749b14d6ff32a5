import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frazil } from "./frazil.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "frazil-lint-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = `name: shop
source: { type: generator }
warehouse: { location: "\${PLACE:-./w}" }
tables: [{ from: "shop.*", to: "shop.\${table}", mode: upsert }]
`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("lint", () => {
  it("finds nothing wrong with the jobs that are shipped", () => {
    const jobs = ["jobs/demo.yaml", "jobs/demo-kafka.yaml", "jobs/kafka-orders.yaml"];
    expect(frazil(["lint", "--deny-warnings", ...jobs])).toEqual({
      code: 0,
      stdout: "",
      stderr: "3 files, 0 errors\n",
    });
  });

  it("prints each finding at its place and ends with 78 for errors", () => {
    const good = file("good.yaml", GOOD);
    const bad = file("bad.yaml", GOOD.replace("name: shop", "name: Shop").replace("upsert", "upsrt"));
    expect(frazil(["lint", good, bad, join(folder, "none.yaml")])).toEqual({
      code: 78,
      stdout:
        `${bad}:1:7  error  name: must be 1 to 40 of a-z, 0-9 and -\n` +
        `${bad}:4:55  error  tables[0].mode: must be one of upsert, append, history, found "upsrt"; did you mean "upsert"?\n` +
        `${join(folder, "none.yaml")}:1:1  error  cannot be read: there is none\n`,
      stderr: "3 files, 3 errors\n",
    });
  });

  it("needs no environment: a variable without a value is a warning", () => {
    const path = file("env.yaml", GOOD.replace(":-./w", ""));
    const line = `${path}:3:24  warning  environment variable PLACE is not set; set it, or write \${PLACE:-default}\n`;
    expect(frazil(["lint", path])).toEqual({ code: 0, stdout: line, stderr: "1 file, 0 errors, 1 warning\n" });
    expect(frazil(["lint", "--deny-warnings", path]).code).toBe(78);
    expect(frazil(["lint", "--deny-warnings", path], { PLACE: "./w" }).code).toBe(0);
  });

  it("prints JSON on request only, and nothing else with --quiet", () => {
    const path = file("env.yaml", GOOD.replace(":-./w", ""));
    const called = frazil(["lint", "--json", "--quiet", path]);
    expect(called.stderr).toBe("");
    expect(JSON.parse(called.stdout)).toEqual({
      path,
      line: 3,
      column: 24,
      severity: "warning",
      message: "environment variable PLACE is not set; set it, or write ${PLACE:-default}",
    });
  });

  it("sees what two files do to one another", () => {
    const called = frazil(["lint", file("a.yaml", GOOD), file("b.yaml", GOOD)]);
    expect(called.code).toBe(0);
    expect(called.stdout).toMatch(/b\.yaml:1:1 {2}warning {2}has the name shop of .*a\.yaml in the same warehouse/);
  });
});

describe("init", () => {
  it.each(["generator", "kafka"])("prints a %s job that lints clean", (type) => {
    const called = frazil(["init", type]);
    expect([called.code, called.stderr]).toEqual([0, ""]);
    const path = file(`${type}.yaml`, called.stdout);
    expect(frazil(["lint", path])).toEqual({ code: 0, stdout: "", stderr: "1 file, 0 errors\n" });
  });

  it("writes a new file, never over another", () => {
    const path = join(folder, "new.yaml");
    expect(frazil(["init", "kafka", "-o", path])).toEqual({
      code: 0,
      stdout: "",
      stderr: `wrote ${path}; next: frazil lint ${path}\n`,
    });
    const text = readFileSync(path, "utf8");
    expect(frazil(["init", "generator", "-o", path])).toEqual({
      code: 64,
      stdout: "",
      stderr: `error FILE_EXISTS: ${path} is there already\nhint: choose another name, or remove the file first\n`,
    });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(frazil(["init", "kafka", "-o", join(folder, "none", "x.yaml")]).code).toBe(74);
  });

  it("knows the sources there are", () => {
    expect(frazil(["init", "kafak"])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("did you mean kafka?"),
    });
  });

  it("makes a job that runs as it is", () => {
    const path = join(folder, "runs.yaml");
    const text = frazil(["init", "generator"]).stdout;
    writeFileSync(path, text.replace("#events: 1000000", "events: 300").replace("./warehouse", join(folder, "w")));
    const run = frazil(["run", path, "--until", "caught-up", "--json"]);
    expect([run.code, run.stderr]).toEqual([0, expect.any(String)]);
    const count = frazil(["query", "SELECT count(*) > 0 AS some FROM shop.orders", "--warehouse", join(folder, "w")]);
    expect(count.stdout).toBe('{"some":true}\n');
  });
});

describe("schema and list", () => {
  it("print what there is", () => {
    expect(frazil(["schema"])).toEqual({ code: 0, stdout: readFileSync("jobs/job.schema.json", "utf8"), stderr: "" });
    const names = (text: string) =>
      text
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names(frazil(["list", "sources"]).stdout)).toEqual(expect.arrayContaining(["generator", "kafka"]));
    expect(names(frazil(["list", "formats"]).stdout)).toContain("debezium-json");
    expect(frazil(["list", "planets"]).code).toBe(64);
  });
});
