import { installReaders } from "./readers/install.ts";
import { installSpark } from "./readers/spark-install.ts";
import { progressOnStderr } from "./services/progress.ts";
import { type ServerName, servers } from "./services/registry.ts";
import { installToxiproxy } from "./services/toxiproxy.ts";
import { findFaketime } from "./torture/clock-shift.ts";

/** What a test of real servers may need: a server of `services/`, the Python readers of `readers/`, Spark, or what makes faults. */
export type Requirement = ServerName | "readers" | "spark" | "toxiproxy" | "faketime";

async function install(name: Requirement): Promise<void> {
  if (name === "readers") await installReaders(progressOnStderr);
  else if (name === "spark") await installSpark(progressOnStderr);
  else if (name === "toxiproxy") await installToxiproxy(progressOnStderr);
  else if (name === "faketime") findFaketime();
  else await servers[name].install(progressOnStderr);
}

/**
 * Makes ready what a test file needs, building or downloading it on first use (MinIO takes minutes then). Returns null
 * when all is there, else the reason why it cannot be had on this machine, for `describe.skipIf`:
 *
 *     const missing = await requireServers("kafka", "minio");
 *     describe.skipIf(missing !== null)(withReason("a job on Kafka and MinIO", missing), () => { … });
 *
 * Where FRAZIL_REQUIRE is `all`, or names it in a comma-separated list, the reason is thrown instead: the file then fails.
 */
export async function requireServers(...names: readonly Requirement[]): Promise<string | null> {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      await install(name);
    } catch (error) {
      if (isRequired(name)) throw error;
      reasons.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (reasons.length === 0) return null;
  const reason = reasons.join("; ");
  progressOnStderr(`skipped: ${reason}`);
  return reason;
}

/** A test title that carries the reason for which it is skipped. */
export function withReason(title: string, missing: string | null): string {
  return missing === null ? title : `${title} (skipped: ${missing})`;
}

function isRequired(name: Requirement): boolean {
  const required = (process.env["FRAZIL_REQUIRE"] ?? "").split(",").map((word) => word.trim());
  return required.includes("all") || required.includes(name);
}
