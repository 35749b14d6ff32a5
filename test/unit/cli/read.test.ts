import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BARE_ENV } from "../../support/bare-env.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

let job: GeneratedJob;

beforeAll(() => {
  job = generatedJob("sqlite", 200);
  job.run();
}, 60_000);
afterAll(() => job.remove());

const sortedLines = (text: string): string[] => text.split("\n").filter(Boolean).sort();

/** What is left when changes are applied by key, as lines without the columns of the change. */
function replayed(text: string): string[] {
  const rows = new Map<unknown, string>();
  for (const { _op: op, _snapshot_id, _commit_ts, ...row } of objects(text)) {
    expect(_snapshot_id).toBeDefined();
    expect(_commit_ts).toBeDefined();
    if (op === "insert" || op === "update_after") rows.set(row["id"], JSON.stringify(row));
    if (op === "delete") rows.delete(row["id"]);
  }
  return [...rows.values()].sort();
}

/** The parsed form of a table's lines, so that `1.50` and `1.5` are equal. */
const normal = (lines: readonly string[]): string[] => lines.map((line) => JSON.stringify(JSON.parse(line)));

describe("read", () => {
  it("prints the rows as of now", () => {
    const rows = job.at("read", "shop.orders");
    expect([rows.code, rows.stderr]).toEqual([0, ""]);
    expect(sortedLines(rows.stdout)).toEqual(sortedLines(job.at("query", "SELECT * FROM shop.orders").stdout));
    expect(rows.stdout).not.toContain("_op");
  });

  it("prints the changes from a snapshot on, and none from the latest", () => {
    const changes = job.at("read", "shop.orders", "--from", "earliest");
    expect(replayed(changes.stdout)).toEqual(normal(sortedLines(job.at("read", "shop.orders").stdout)).sort());
    expect(job.at("read", "shop.orders", "--from", "latest")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("ends with 65 for a snapshot that is gone, with 1 for a tag that never was", () => {
    const gone = job.at("read", "shop.orders", "--from", "12345");
    expect([gone.code, gone.stdout]).toEqual([65, ""]);
    expect(gone.stderr).toMatch(
      /^error LOST_START: table shop\.orders does not hold snapshot 12345 .*it holds \d+ from /,
    );
    expect(job.at("read", "shop.orders", "--from", "yesterday")).toMatchObject({ code: 1, stdout: "" });
  });

  it("follows the commits of a running job until SIGINT, and then ends with 0", async () => {
    const args = [MAIN, "read", "shop.orders", "--follow", "--warehouse", job.warehouse];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: BARE_ENV,
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    const until = async (what: () => boolean): Promise<void> => {
      while (!what()) await once(child.stdout, "data");
    };
    await until(() => text.includes('"insert"'));
    job.endAt(500);
    job.run();
    const [head] = objects(job.at("snapshots", "shop.orders").stdout).slice(-1);
    const [last] = objects(job.at("snapshots", "shop.orders").stdout)
      .filter((snapshot) => Number(snapshot["added"]) > 0)
      .slice(-1);
    expect(head).toBeDefined();
    await until(() => text.includes(`"_snapshot_id":${String(last!["snapshotId"])}`) && text.endsWith("\n"));
    // The last commit's rows come in one write, so that they are all there once the first is.
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(0);
    expect(replayed(text)).toEqual(normal(sortedLines(job.at("read", "shop.orders").stdout)).sort());
  }, 60_000);

  it("takes columns and a condition, for rows, changes and a diff", () => {
    const chosen = ["--columns", "id,total", "--where", "id % 2 = 0"];
    const rows = job.at("query", "SELECT id, total FROM shop.orders WHERE id % 2 = 0");
    expect(sortedLines(job.at("read", "shop.orders", ...chosen).stdout)).toEqual(sortedLines(rows.stdout));
    const from = ["--from", "earliest", "--net", ...chosen];
    expect(replayed(job.at("read", "shop.orders", ...from).stdout)).toEqual(normal(sortedLines(rows.stdout)).sort());
    const diff = objects(job.at("diff", "shop.orders", "..main", ...chosen).stdout);
    expect(diff.map((each) => Object.keys(each).join())).toEqual(diff.map(() => "_op,id,total"));
    expect(diff).toHaveLength(sortedLines(rows.stdout).length);
    expect(job.at("read", "shop.orders", "--where", "nope > 1")).toMatchObject({ code: 64, stdout: "" });
  }, 60_000);

  it("gives each of several readers its share", () => {
    const all = sortedLines(job.at("read", "shop.orders", "--from", "earliest").stdout);
    const shares = ["1/2", "2/2"].map((part) => job.at("read", "shop.orders", "--from", "earliest", "--part", part));
    expect(shares.flatMap(({ stdout }) => sortedLines(stdout)).sort()).toEqual(all);
    const [one = new Set(), two = new Set()] = shares.map(({ stdout }) => new Set(objects(stdout).map(({ id }) => id)));
    expect([one.size > 0, two.size > 0, one.isDisjointFrom(two)]).toEqual([true, true, true]);
    for (const part of ["0/2", "3/2", "1", "a/b"]) {
      expect(job.at("read", "shop.orders", "--part", part), part).toMatchObject({ code: 64, stdout: "" });
    }
  }, 60_000);

  it("goes on for a consumer, which is listed and can be forgotten", () => {
    const consumer = ["read", "shop.customers", "--consumer", "mail"];
    const first = job.at(...consumer);
    expect([first.code, first.stderr]).toEqual([0, ""]);
    expect(replayed(first.stdout)).toEqual(normal(sortedLines(job.at("read", "shop.customers").stdout)).sort());
    expect(job.at(...consumer)).toEqual({ code: 0, stdout: "", stderr: "" });
    const listed = objects(job.at("consumers").stdout);
    expect(listed).toMatchObject([{ consumer: "mail", behind: 0, state: "ok", uncommitted: 0, epoch: 2 }]);
    expect(job.at("consumers", "shop.customers", "--delete", "mail").stderr).toContain("--yes");
    expect(job.at("consumers", "shop.customers", "--delete", "mail", "--yes").code).toBe(0);
    expect(job.at("consumers", "shop.customers")).toMatchObject({ code: 0, stdout: "" });
    expect(job.at("consumers", "shop.customers", "--delete", "mail", "--yes").code).toBe(1);
    expect(job.at("read", "shop.customers", "--consumer", "no/name").code).toBe(64);
  }, 120_000);

  it("gives a consumer that is killed each change at least once, and one that was taken over exit 76", async () => {
    const args = [MAIN, "read", "shop.orders", "--follow", "--consumer", "bus", "--warehouse", job.warehouse];
    const start = () => {
      const child = spawn(process.execPath, args, {
        stdio: ["ignore", "pipe", "pipe"],
        env: BARE_ENV,
      });
      const reader = { child, text: "", closed: once(child, "close") as Promise<[number | null]> };
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => (reader.text += chunk));
      return reader;
    };
    const whole: string[] = [];
    // The first is killed at its first bytes, before or after its commit.
    for (const events of [700, 900]) {
      const reader = start();
      await once(reader.child.stdout, "data");
      job.endAt(events);
      job.run();
      reader.child.kill("SIGKILL");
      await reader.closed;
      // Whoever reads lines does not take one that has no end.
      whole.push(reader.text.slice(0, reader.text.lastIndexOf("\n") + 1));
    }
    const older = start();
    while (older.text === "") await once(older.child.stdout, "data");
    const rest = job.at("read", "shop.orders", "--consumer", "bus");
    expect(rest.code).toBe(0);
    job.endAt(1_000);
    job.run();
    expect((await older.closed)[0]).toBe(76);
    whole.push(older.text, rest.stdout, job.at("read", "shop.orders", "--consumer", "bus").stdout);
    expect(replayed(whole.join(""))).toEqual(normal(sortedLines(job.at("read", "shop.orders").stdout)).sort());
  }, 120_000);
});
