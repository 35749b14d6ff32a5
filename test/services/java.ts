import { spawnSync } from "node:child_process";
import { requireTool } from "./tools.ts";
import { Unavailable } from "./unavailable.ts";

const oldestJava = 17;

/** The path of a Java runtime that Kafka and Spark run on; without one an Unavailable that says what needs it. */
export function requireJava(neededFor: string): string {
  const install = `install a Java runtime, ${oldestJava} or newer, for example \`apt-get install openjdk-17-jre-headless\``;
  const java = requireTool("java", neededFor, install);
  const banner = spawnSync(java, ["-version"], { encoding: "utf8" }).stderr;
  const major = Number(/version "(?:1\.)?(\d+)/.exec(banner)?.[1] ?? Number.NaN);
  if (major >= oldestJava) return java;
  throw new Unavailable(`${neededFor} needs Java ${oldestJava}, found ${banner.split("\n")[0]?.trim()}`, install);
}
