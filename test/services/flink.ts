import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installFlink } from "./flink-install.ts";
import type { Progress } from "./progress.ts";
import { runTool } from "./tools.ts";

/** What Flink reaches into on a Java runtime of 17 or newer. */
const OPENED = [
  ...[
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
  ],
  ...["java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch"],
].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);

/** Many short jobs: compiling them well takes longer than they do. */
const SHORT_LIVED = ["-Xmx3g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/**
 * Runs SQL statements one after the other in a Flink of this machine, each in a cluster in the client's own process; an insertion is
 * waited for, and is one commit, as there are no checkpoints.
 *
 * @param folder for its settings and temporary files @param timeoutMs of all of them
 * @throws an error with the end of the client's output when a statement fails
 */
export async function runFlinkSql(
  statements: readonly string[],
  { folder, timeoutMs, progress }: { readonly folder: string; readonly timeoutMs: number; readonly progress: Progress },
): Promise<void> {
  const { java, classPath } = await installFlink(progress);
  const conf = join(folder, "conf");
  const temporary = join(folder, "tmp");
  mkdirSync(conf, { recursive: true });
  mkdirSync(temporary, { recursive: true });
  writeFileSync(
    join(conf, "config.yaml"),
    [
      "execution.target: local",
      "parallelism.default: 2",
      "taskmanager.numberOfTaskSlots: 2",
      "taskmanager.memory.managed.size: 256mb",
      `io.tmp.dirs: ${temporary}`,
      "",
    ].join("\n"),
  );
  const script = join(folder, "statements.sql");
  writeFileSync(script, ["SET 'table.dml-sync' = 'true'", ...statements].map((sql) => `${sql};\n`).join(""));
  const client = ["org.apache.flink.table.client.SqlClient", "embedded", "-f", script];
  const args = [...SHORT_LIVED, `-Djava.io.tmpdir=${temporary}`, ...OPENED, "-cp", classPath, ...client];
  const env = { ...process.env, FLINK_CONF_DIR: conf };
  const output = await runTool(java, args, { env, cwd: folder, timeoutMs });
  const failed = output.indexOf("[ERROR]");
  if (failed >= 0) throw new Error(`Flink failed: ${output.slice(failed, failed + 3_000)}`);
}
