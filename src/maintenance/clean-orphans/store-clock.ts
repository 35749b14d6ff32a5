import { FrazilError } from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { randomHex8 } from "../../core/runtime.ts";

/** How far this machine's clock may be ahead of the store's: little beside the day that a file must be old at least. */
const AHEAD_MS = 3_600_000;

/**
 * Writes a file and looks when that was by the store. The age of files is told from the store's times by this machine's clock: were that
 * far ahead, files that a job is about to publish would look days old.
 *
 * @param tableLocation gets the file, of a name that is garbage by its age should it stay. @throws FrazilError `config`, code `CLOCK_AHEAD`
 */
export async function checkClock(
  { io, runtime }: Pick<MaintenanceContext, "io" | "runtime">,
  tableLocation: string,
): Promise<void> {
  const { clock, random } = runtime;
  const folder = `${tableLocation.replace(/\/+$/, "")}/_scratch/${randomHex8(random)}${randomHex8(random)}`;
  const file = `${folder}/run-00000.parquet`;
  const beforeMs = clock.nowMs();
  await io.write(file, new Uint8Array(1));
  try {
    for await (const { lastModifiedMs } of io.list(folder)) {
      if (beforeMs - lastModifiedMs <= AHEAD_MS) continue;
      const [here, there] = [beforeMs, lastModifiedMs].map((ms) => new Date(ms).toISOString());
      throw new FrazilError(
        "config",
        "CLOCK_AHEAD",
        `it is ${here} by this machine's clock and ${there} by the store's`,
        {
          hint: "files would look older than they are; set the clock",
        },
      );
    }
  } finally {
    await io.delete(file).catch(() => undefined);
  }
}
