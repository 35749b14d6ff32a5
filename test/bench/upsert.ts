import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "./bench.ts";

const TOUCHED = 100_000;
/** Those that are compared come one after the other, so that what else the machine does weighs on both. */
const DEFAULT = "10m-uuid,10m-composite,10m,50m,1m,200m";

interface Cold {
  readonly startMs: number;
  readonly uniformMs: number;
  /** Of all threads, in user and system mode: other work on the machine weighs less on it than on the time that passed. */
  readonly uniformCpuMs: number;
  readonly powerMs: number;
  readonly peakMib: number;
}

/**
 * Updates of 100,000 keys a checkpoint in tables of `--keys` random keys (64-bit numbers, if nothing else is said) in a local warehouse, with a
 * budget of 512 MiB: uniform and by a power law, from a lost cache and from a kept one. A checkpoint's time is all of it: rows encoded,
 * keys found, vectors written, commit. Peak memory is that of the one process, which starts no others.
 */
export async function* upsert(progress: (line: string) => void): AsyncIterable<Figure> {
  const costs = new Map<string, Cold>();
  for (const size of keysOption().split(",")) {
    const match = /^(\d+)m(?:-(uuid|composite))?$/.exec(size);
    if (match === null) throw new Error(`--keys: expected millions like 1m,10m,10m-uuid,10m-composite, found ${size}`);
    const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
    try {
      const keys = Number(match[1]) * 1_000_000;
      const phase = (name: string): Promise<unknown> => runPhase(name, folder, keys, match[2] ?? "int64");
      progress(`filling a table with ${size} keys`);
      await phase("fill");
      progress("from a lost cache");
      const cold = (await phase("cold")) as Cold;
      progress("from a kept cache");
      const warm = (await phase("warm")) as Pick<Cold, "startMs">;
      costs.set(size, cold);
      yield { case: `${size} keys`, figure: "cost_per_row_uniform", value: perRow(cold.uniformMs), unit: "us" };
      yield { case: `${size} keys`, figure: "cpu_per_row_uniform", value: perRow(cold.uniformCpuMs), unit: "us" };
      yield { case: `${size} keys`, figure: "cost_per_row_power_law", value: perRow(cold.powerMs), unit: "us" };
      yield { case: `${size} keys`, figure: "start_lost_cache", value: Math.round(cold.startMs), unit: "ms" };
      yield { case: `${size} keys`, figure: "start_kept_cache", value: Math.round(warm.startMs), unit: "ms" };
      yield { case: `${size} keys`, figure: "peak_rss_mib", value: Math.round(cold.peakMib), unit: "MiB" };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const [small, large] = [costs.get("1m"), costs.get("200m")];
  if (small === undefined || large === undefined) return;
  const ratio = (of: (cold: Cold) => number): number => Math.round((of(large) / of(small)) * 100) / 100;
  const compared = { case: "200m keys to 1m", unit: "" };
  yield { ...compared, figure: "cost_per_row_ratio_200m_1m", value: ratio(({ uniformMs }) => uniformMs) };
  yield { ...compared, figure: "cpu_per_row_ratio_200m_1m", value: ratio(({ uniformCpuMs }) => uniformCpuMs) };
}

function keysOption(): string {
  const at = process.argv.indexOf("--keys");
  return at < 0 ? DEFAULT : (process.argv[at + 1] ?? "");
}

function perRow(ms: number): number {
  return Math.round((ms * 1000 * 100) / TOUCHED) / 100;
}

async function runPhase(name: string, folder: string, keys: number, kind: string): Promise<unknown> {
  const script = fileURLToPath(new URL("upsert-case.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, name, folder, String(keys), kind]);
  return JSON.parse(stdout);
}
