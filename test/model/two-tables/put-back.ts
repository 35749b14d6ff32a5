import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import type { Tables } from "./catalog.ts";
import { ANCHOR, At, Kind, OPERATOR, OTHER, type Places, PROCESS, type Removed, SNAPSHOT } from "./state.ts";

/** Numbers of checkpoints, and what the ledger says of tables, as far as it counts (`put-back.ts`, `ledger.ts`). */
export function notesOf(places: Places, tables: Tables, removed: Removed) {
  /** The number that a process stamps a snapshot with. */
  function checkpointFor(s: Uint8Array, p: number, kind: number, table: number): number {
    const own = s[p + PROCESS.checkpoint]!;
    if (kind === Kind.commit) return own + 1;
    // Of a take-over, not of an opening.
    const isFence = s[p] === At.fenceAnchor || s[p] === At.fenceOther;
    return isFence && !removed.has("a fence keeps the number of the checkpoint") ? tables.checkpointOf(s, table) : own;
  }

  /** The number that stands beside a table's name: that of its last checkpoint, or what stood there. */
  function numberFor(s: Uint8Array, table: 0 | 1, name: number): number {
    if (name === 0) return 0;
    if (name === s[places.ledgerTables[table]]) return s[places.ledgerCheckpoints[table]]!;
    return s[tables.of(table, name, SNAPSHOT.checkpoint)]!;
  }

  const isBack = (s: Uint8Array, table: 0 | 1): boolean => tables.isPutBack(s, table);

  /** All tables that the ledger names: then their names stay, as they tell what has to be there. */
  const allAreBack = (s: Uint8Array): boolean =>
    (isBack(s, ANCHOR) || isBack(s, OTHER)) &&
    ([ANCHOR, OTHER] as const).every((table) => s[places.ledgerTables[table]] === 0 || isBack(s, table));

  /** The ledger's position as far as it counts. */
  const notedPosition = (s: Uint8Array): number => (allAreBack(s) ? 0 : s[places.ledgerPosition]!);

  return { isBack, allAreBack, notedPosition, numberFor, checkpointFor };
}

/** Somebody puts a table back to the metadata that it had with an older snapshot, which knows none of the newer ones. */
export function putBackActions(places: Places): Action[] {
  const isQuiet = (s: Uint8Array): boolean =>
    places.processes.every((p) => s[p] === At.off || s[p] === At.fenced) &&
    places.late.every((slot) => s[slot] === Kind.none) &&
    (places.operator === null || s[places.operator + OPERATOR.at] === 0);
  return ([0, 1] as const).flatMap((table) =>
    places.snapshots[table].map((target, index): Action => ({
      name: `table ${table} is put back to snapshot ${index + 1}`,
      fault: true,
      step(s) {
        const tag = places.tags[table];
        if (!isQuiet(s) || s[target] === 0 || s[tag] === index + 1 || !spend(s, places.putBacks)) return false;
        // Of one epoch the numbers tell which came later.
        const [epoch, number] = [s[target + SNAPSHOT.epoch]!, s[target + SNAPSHOT.checkpoint]!];
        for (const at of places.snapshots[table]) {
          const isNewer =
            s[at + SNAPSHOT.epoch]! > epoch ||
            (s[at + SNAPSHOT.epoch] === epoch && s[at + SNAPSHOT.checkpoint]! > number);
          if (s[at] !== 0 && isNewer) s[at] = 0;
        }
        s[tag] = index + 1;
        // What is left of its history is not looked at: it had rows, as far as anybody can tell.
        s[places.openings[table]] = 0;
        return true;
      },
    })),
  );
}
