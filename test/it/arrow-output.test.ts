import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineJob, expectedTables, generator, type PlainRow, runJob } from "../../src/index.ts";
import { installReaders } from "../readers/install.ts";
import { requireServers, withReason } from "../require.ts";
import { progressOnStderr } from "../services/progress.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const SOURCE = { events: 8_000, seed: 7, splits: 2 };

const missing = await requireServers("readers");

describe.skipIf(missing !== null)(withReason("--format arrow", missing), () => {
  let folder: string;
  let python: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "frazil-arrow-"));
    python = await installReaders(progressOnStderr);
    const job = defineJob({
      name: "shop",
      source: generator(SOURCE),
      warehouse: folder,
      tables: [{ from: "shop.orders", to: "shop.orders", mode: "upsert" }],
      checkpoint: { max_rows: 400 },
    });
    await using run = await runJob(job, { until: "caught-up" });
    await run.finished();
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a Python program prints of the stream, as JSON. */
  function pythonSays(args: readonly string[], program: string): unknown {
    const frazil = spawnSync(process.execPath, [MAIN, ...args, "--format", "arrow", "--warehouse", folder]);
    expect([frazil.status, frazil.stderr.toString()]).toEqual([0, ""]);
    const reading =
      "import sys, json, pyarrow as pa\nreader = pa.ipc.open_stream(sys.stdin.buffer)\ntable = reader.read_all()\n";
    const read = spawnSync(python, ["-c", `${reading}${program}`], { input: frazil.stdout, encoding: "utf8" });
    expect(read.stderr).toBe("");
    return JSON.parse(read.stdout);
  }

  const orders = expectedTables(SOURCE).get("shop.orders") as PlainRow[];

  it("gives PyArrow the rows in Iceberg's types", () => {
    const [types, ids, totals] = pythonSays(
      ["read", "shop.orders"],
      `table.validate(full=True)
table = table.sort_by("id")
print(json.dumps([{f.name: str(f.type) for f in table.schema}, [str(v) for v in table["id"].to_pylist()], [str(v) for v in table["total"].to_pylist()]]))`,
    ) as [Record<string, string>, string[], string[]];
    expect(types).toMatchObject({ id: "int64", total: "decimal128(18, 2)" });
    const expected = orders.toSorted((a, b) => Number((a["id"] as bigint) - (b["id"] as bigint)));
    expect(ids).toEqual(expected.map(({ id }) => String(id)));
    expect(totals).toEqual(expected.map(({ total }) => String(total ?? "None")));
  }, 60_000);

  it("gives PyArrow changes, in one stream over all commits, and none with their columns", () => {
    const program = `table.validate(full=True)
state = {}
for row in table.to_pylist():
  if row["_op"] == "delete": state.pop(str(row["id"]))
  elif row["_op"] != "update_before": state[str(row["id"])] = str(row["total"])
print(json.dumps([table.schema.names, len(set(table["_snapshot_id"].to_pylist())), str(table.schema.field("_commit_ts").type), sorted(state.items())]))`;
    const chosen = ["--columns", "id,total"];
    const [names, commits, type, state] = pythonSays(
      ["read", "shop.orders", "--from", "earliest", ...chosen],
      program,
    ) as [string[], number, string, [number, string][]];
    expect(names).toEqual(["_op", "_snapshot_id", "_commit_ts", "id", "total"]);
    expect(commits).toBeGreaterThan(1);
    expect(type).toBe("timestamp[us, tz=UTC]");
    expect(state).toEqual(
      orders
        .map(({ id, total }) => [String(id), String(total ?? "None")] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
    const none = pythonSays(["read", "shop.orders", "--from", "latest", ...chosen], program);
    expect(none).toEqual([names, 0, type, []]);
    const diff = pythonSays(
      ["diff", "shop.orders", "..main"],
      "print(json.dumps([table.num_rows, table.schema.names[0]]))",
    );
    expect(diff).toEqual([orders.length, "_op"]);
  }, 60_000);
});
