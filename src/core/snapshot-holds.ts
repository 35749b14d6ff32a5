import { type FileIO, FrazilError, type LoadedTable } from "../../table-format/index.ts";
import { READER_HOLDS_MS } from "./limits.ts";
import { randomHex8, type Runtime } from "./runtime.ts";

/** A snapshot that is being read, until it is released. */
export interface SnapshotHold {
  /** Never rejects: what is left behind counts for nothing after its time. */
  release(): Promise<void>;
}

/** Says that a snapshot of a table is being read; null where that cannot be written: then it is read all the same. */
export type HoldSnapshot = (table: LoadedTable, snapshotId: bigint) => Promise<SnapshotHold | null>;

/**
 * Where readers say what they read: an object a reader in `<warehouse>/_frazil/readers/<table uuid>/`. It costs a table nothing: no commit, no
 * metadata file. Whoever wrote it looks at the table once more: if the snapshot is still there, every expiry that takes it out later
 * finds the object before it deletes files.
 */
export function snapshotHolder(
  io: FileIO,
  warehouseLocation: string,
  { clock, random, log }: Pick<Runtime, "clock" | "random" | "log">,
): HoldSnapshot {
  return async ({ metadata }, snapshotId) => {
    const name = `${randomHex8(random)}${randomHex8(random)}.json`;
    const location = `${holdsFolder(warehouseLocation, metadata.tableUuid)}/${name}`;
    const until = new Date(clock.nowMs() + READER_HOLDS_MS).toISOString();
    try {
      await io.write(location, Buffer.from(JSON.stringify({ version: 1, snapshot: String(snapshotId), until })));
    } catch (error) {
      log.debug("a snapshot is read without being held", { location, cause: String(error) });
      return null;
    }
    return {
      async release() {
        try {
          await io.delete(location);
        } catch (error) {
          log.debug("a reader's hold could not be removed", { location, cause: String(error) });
        }
      },
    };
  };
}

/** The snapshots of a table that are being read, and the objects of readers whose time is over. */
export async function heldSnapshots(
  io: FileIO,
  warehouseLocation: string,
  tableUuid: string,
  nowMs: number,
): Promise<{ readonly snapshotIds: ReadonlySet<bigint>; readonly lapsed: readonly string[] }> {
  const snapshotIds = new Set<bigint>();
  const lapsed: string[] = [];
  for await (const { location } of io.list(holdsFolder(warehouseLocation, tableUuid))) {
    const hold = await readHold(io, location);
    if (hold === null) continue;
    if (hold.untilMs < nowMs) lapsed.push(location);
    else snapshotIds.add(hold.snapshotId);
  }
  return { snapshotIds, lapsed };
}

/** Null for one that was released meanwhile, or is none of ours. */
async function readHold(
  io: FileIO,
  location: string,
): Promise<{ readonly snapshotId: bigint; readonly untilMs: number } | null> {
  try {
    const { snapshot, until } = JSON.parse(Buffer.from(await io.read(location)).toString("utf8")) as {
      readonly snapshot: string;
      readonly until: string;
    };
    return { snapshotId: BigInt(snapshot), untilMs: Date.parse(until) };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    if (error instanceof FrazilError && error.kind === "not-found") return null;
    throw error;
  }
}

function holdsFolder(warehouseLocation: string, tableUuid: string): string {
  return `${warehouseLocation}/_frazil/readers/${tableUuid}`;
}
