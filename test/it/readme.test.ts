import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npxFrazil } from "../docs/terminal.ts";
import { requireServers, withReason } from "../require.ts";
import { cacheFolder } from "../services/cache.ts";
import { createTopic } from "../services/kafka-admin.ts";
import { openProducer } from "../services/kafka-producer.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const MAIN = join(ROOT, "dist/src/cli/main.js");
const TOPIC = "shop.public.orders";

const fences = [...README.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text as string,
}));
const jobText = fences.find(({ language }) => language === "yaml")?.text ?? "";
/** Every command line of the README, in its order, but for its two set-up commands. */
const commands = fences
  .flatMap(({ text }) => text.split("\n"))
  .filter((line) => /^(npx|npm|eval) /.test(line) && !line.startsWith("npm ci"));
const isServers = (command: string): boolean => command.includes(" services ");

const missing = await requireServers("kafka", "minio");

describe.skipIf(missing !== null)(withReason("the README's commands", missing), () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  /** Between the two loads: what the README's own time stands for. */
  let between = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "frazil-readme-"));
    // Servers of this test's own, from the programs that are installed already.
    const cache = join(folder, "cache");
    mkdirSync(cache);
    for (const name of readdirSync(cacheFolder())) {
      if (name !== "services") symlinkSync(join(cacheFolder(), name), join(cache, name));
    }
    // `npx frazil` finds the package that is installed in the folder where it is called; here that is this one.
    env = npxFrazil(folder, MAIN, { ...process.env, FRAZIL_CACHE: cache });
    writeFileSync(join(folder, "orders.yaml"), jobText);
    const script = `${commands.filter(isServers).join(" >&2\n")}\nenv`;
    const lines = execFileSync("sh", ["-ec", script], {
      cwd: ROOT,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    for (const line of lines.split("\n")) {
      const [, name, value] = /^((?:AWS|S3|KAFKA)_\w+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined) env[name] = value;
    }
  });
  afterAll(() => {
    spawnSync("npm", ["run", "-s", "services", "--", "down"], { cwd: ROOT, env });
    rmSync(folder, { recursive: true, force: true });
  });

  it("are there, with servers and a job to run them on", () => {
    expect(commands.length).toBeGreaterThan(8);
    expect(env).toMatchObject({
      KAFKA_BROKERS: expect.stringContaining(":"),
      S3_ENDPOINT: expect.stringMatching(/^http/),
    });
    expect(jobText).toContain(TOPIC);
  });

  it.each(commands.filter((command) => !isServers(command)))("%s", async (command) => {
    const goesOn = command.includes(" run ") && !command.includes("--until");
    if (goesOn) {
      await produce([1, 2, 3], "open", true);
      expect(await runUntilCommitted(command)).toBe(0);
      await sleep(20);
      between = new Date().toISOString();
      await sleep(20);
      return;
    }
    if (command.includes("--until")) await produce([3, 4], "paid", false);
    const line = command.replaceAll("2026-11-20T09:00:00Z", between);
    const done = spawnSync("sh", ["-c", line], { cwd: folder, env, encoding: "utf8" });
    expect(done.status, done.stderr).toBe(0);
    checkOutput(command, done.stdout);
  });

  /** What the commands must have printed, where the README lets one expect something. */
  function checkOutput(command: string, stdout: string): void {
    const rows = stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    if (command.includes(" tables ")) expect(rows).toMatchObject([{ table: "shop.orders", rows: 4 }]);
    if (command.includes("GROUP BY status")) {
      const counts = rows.map((row) => `${String(row["status"])} ${String(row["count_star()"])}`);
      expect(counts.sort()).toEqual(["open 2", "paid 2"]);
    }
    if (command.includes("--as-of")) expect(rows).toEqual([{ "count_star()": 3 }]);
    if (command.includes(" diff ")) {
      expect(
        rows
          .map((row) => `${String(row["_op"])} ${String(row["id"])} ${String(row["status"])} ${String(row["total"])}`)
          .sort(),
      ).toEqual(["insert 4 paid 4.25", "update_after 3 paid 3.25", "update_before 3 open 3.25"]);
    }
  }

  /** Runs a job that goes on until it is stopped, and stops it once it has committed rows. Gives its exit code. */
  async function runUntilCommitted(command: string): Promise<number | null> {
    const child = spawn("sh", ["-c", `exec ${command}`], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    let written = "";
    const committed = new Promise<void>((resolve) => {
      const take = (text: string): void => {
        written += text;
        if (/"table":"shop\.orders".*"msg":"committed"|"event":"commit/.test(written)) resolve();
      };
      child.stderr.setEncoding("utf8").on("data", take);
      child.stdout.setEncoding("utf8").on("data", take);
    });
    const first = await Promise.race([committed, ended, sleep(60_000, "late")]);
    child.kill("SIGTERM");
    const code = await ended;
    expect(first, written).toBe(undefined);
    return code;
  }

  /** Orders as Debezium's PostgreSQL connector sends them, with the schema in each message. */
  async function produce(ids: readonly number[], status: string, create: boolean): Promise<void> {
    const brokers = (env["KAFKA_BROKERS"] as string).split(",");
    if (create) await createTopic(brokers, TOPIC, { partitions: 2 });
    await using producer = await openProducer(brokers);
    await producer.send(
      TOPIC,
      ids.map((id) => ({ key: JSON.stringify(keyOf(id)), value: JSON.stringify(changeOf(id, status)) })),
    );
  }
});

const ROW = {
  type: "struct",
  optional: true,
  fields: [
    { type: "int64", optional: false, field: "id" },
    { type: "string", optional: true, field: "status" },
    { type: "string", optional: true, field: "total" },
    { type: "int64", optional: true, name: "io.debezium.time.MicroTimestamp", field: "created_at" },
  ],
};

function keyOf(id: number) {
  return { schema: { type: "struct", fields: ROW.fields.slice(0, 1) }, payload: { id } };
}

function changeOf(id: number, status: string) {
  const after = { id, status, total: `${id}.25`, created_at: 1_767_225_600_000_000 + id * 86_400_000_000 };
  const fields = ["before", "after"].map((field) => ({ ...ROW, field }));
  return {
    schema: { type: "struct", fields: [...fields, { type: "string", optional: false, field: "op" }] },
    payload: {
      before: null,
      after,
      source: { schema: "public", table: "orders" },
      op: status === "open" ? "c" : "u",
      ts_ms: 1,
    },
  };
}

describe("the README", () => {
  it("names scripts and pages that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
    const named = [...README.matchAll(/npm run (?:-s )?(\w+)/g)].map(([, name]) => name as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
    const links = [...README.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path as string);
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
