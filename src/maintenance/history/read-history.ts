import { type FileIO, mapConcurrently, unlessGone } from "../../../table-format/index.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import { historyFolder } from "./names.ts";
import { parseRecord, type RunRecord } from "./run-record.ts";

/** The newest runs of a warehouse, the newest last; of a run with several records the last one. @throws FrazilError of the store. */
export async function readHistory(io: FileIO, warehouseLocation: string, limit: number): Promise<readonly RunRecord[]> {
  const folder = historyFolder(warehouseLocation);
  const objects = (await Array.fromAsync(io.list(folder), ({ location }) => location)).sort().reverse();
  const runs = new Map<string, RunRecord>();
  // Whole days, as several processes write at the same time, each to objects of its own.
  for (const day of Map.groupBy(objects, (location) => location.slice(0, folder.length + 11)).values()) {
    for (const records of await mapConcurrently(day, EXPIRE_REQUESTS_IN_FLIGHT, (location) =>
      recordsOf(io, location),
    )) {
      for (const record of records.reverse()) {
        const known = runs.get(record.id);
        if (known === undefined || finality(record) > finality(known)) runs.set(record.id, record);
      }
    }
    if (runs.size >= limit) break;
  }
  return [...runs.values()]
    .reverse()
    .sort((a, b) => a.startedMs - b.startedMs)
    .slice(-limit);
}

/** A run that somebody took for interrupted may have come to its end all the same. */
function finality({ outcome }: RunRecord): number {
  return outcome === "running" ? 0 : outcome === "interrupted" ? 1 : 2;
}

async function recordsOf(io: FileIO, location: string): Promise<RunRecord[]> {
  const bytes = await unlessGone(() => io.read(location));
  // Swept since it was listed.
  if (bytes === null) return [];
  const text = Buffer.from(bytes).toString("utf8");
  return text.split("\n").flatMap((line) => parseRecord(line) ?? []);
}
