import { currentSnapshot, identText, type LoadedTable } from "../../../table-format/index.ts";
import { loadAgain, type MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { setTag } from "../../commit/tag-snapshot.ts";
import { COMPACT_PIN_MS } from "../../core/limits.ts";
import { randomHex8 } from "../../core/runtime.ts";

/** A snapshot that is held. */
export interface Pin {
  release(): Promise<void>;
}

/**
 * Holds the head of a table with a tag, `compact.<random>`: while it is there an expiry, in whatever process, leaves the files that are
 * read. Should this process die, the tag expires a day later. A tag's age is that of its snapshot, so the age until then is added.
 */
export async function pinned(context: MaintenanceContext, table: LoadedTable): Promise<Pin | null> {
  const { runtime } = context;
  const head = currentSnapshot(table.metadata);
  if (head === null) return null;
  const tag = `compact.${randomHex8(runtime.random)}${randomHex8(runtime.random)}`;
  const age = BigInt(runtime.clock.nowMs()) - head.timestampMs;
  await setTag(context, table, tag, head.snapshotId, BigInt(COMPACT_PIN_MS) + (age > 0n ? age : 0n));
  return {
    async release() {
      try {
        await setTag(context, await loadAgain(context, table), tag, null);
      } catch (error) {
        // It expires by itself; what was compacted stays compacted.
        runtime.log.warn("a compaction's tag could not be removed", {
          table: identText(table.ident),
          tag,
          cause: String(error),
        });
      }
    },
  };
}
