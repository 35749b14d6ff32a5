import { createRuntime } from "../../src/cli/runtime.ts";
import { runJob } from "../../src/pipeline/run-job.ts";
import type { Warehouse } from "../../src/warehouse.ts";
import { upsertRule } from "./checkpoints.ts";
import { plainJob } from "./plain-job.ts";
import { type ScriptedChange, scriptSource } from "./script-source.ts";

/** Changes of so many keys that come, change, move between partitions and go, in so many rounds. */
export function movingKeys(keys: number, rounds: number): readonly ScriptedChange[] {
  return Array.from({ length: rounds * keys }, (_, i): ScriptedChange => {
    const part = `p${(i * 7) % 3}`;
    return {
      stream: "t",
      op: i % 11 === 10 ? "delete" : "update",
      id: BigInt((i * 13) % keys),
      part,
      value: BigInt(i),
    };
  });
}

/** A job of a test: what it writes, and how many rows a checkpoint has. */
export interface ScriptedJob {
  readonly rule: Parameters<typeof upsertRule>[1];
  readonly checkpointRows: number;
}

/** Takes changes into the table `shop.t`, in the job `test`: up to their end, from where an earlier run has come to. */
export async function runScript(
  place: Pick<Warehouse, "catalog" | "io" | "location">,
  changes: readonly ScriptedChange[],
  { rule, checkpointRows }: ScriptedJob,
): Promise<void> {
  await runJob({
    ...plainJob(place, checkpointRows),
    rules: [upsertRule("t", rule)],
    runtime: createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined),
    createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 7 }),
  });
}
