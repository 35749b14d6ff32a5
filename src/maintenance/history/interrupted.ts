import type { FileIO } from "../../../table-format/index.ts";
import { readHistory } from "./read-history.ts";
import type { RunRecord } from "./run-record.ts";

/** Runs among which those are looked for that were cut short: more than any process had at once. */
const LOOKED_AT = 1_000;

/**
 * The runs that a process began and did not end, as records that say so. To be asked by whoever has taken its place: the service that now
 * leads, the job that now holds the fence. @throws FrazilError of the store.
 */
export async function interruptedRuns(io: FileIO, warehouseLocation: string, by: string): Promise<RunRecord[]> {
  const runs = await readHistory(io, warehouseLocation, LOOKED_AT);
  return runs
    .filter((run) => run.by === by && run.outcome === "running")
    .map((run): RunRecord => ({ ...run, outcome: "interrupted", reason: "the process that ran it is gone" }));
}
