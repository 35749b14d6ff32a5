import type { Action, Model } from "../explore.ts";
import { each, spend } from "../layout.ts";
import { tablesOf } from "./catalog.ts";
import {
  At,
  type Bounds,
  INVARIANTS,
  Kind,
  type Places,
  placesOf,
  PROCESS,
  type Protection,
  type Removed,
  REQUEST_SIZE,
  SNAPSHOT,
  SNAPSHOT_SIZE,
  SNAPSHOTS,
} from "./state.ts";
import { operatorActions } from "./operator.ts";
import { putBackActions } from "./put-back.ts";
import { writerActions } from "./writer.ts";

/** Two tables of one job on a catalog that commits one at a time, with the ledger, an expirer, and tables that are made on the way. */
export function twoTables(name: string, bounds: Bounds, without: readonly Protection[] = []): Model {
  const removed = new Set(without);
  const places = placesOf(bounds);
  const tables = tablesOf(places, removed);
  const last = bounds.changes.length;
  const actions: Action[] = [
    ...places.processes.flatMap((_, number) => writerActions(places, tables, removed, number)),
    ...operatorActions(places, tables, removed),
    ...(bounds.expiries === undefined ? [] : [expirer(places, removed)]),
    ...(bounds.putBacks === undefined ? [] : putBackActions(places)),
    ...places.late.map((slot, index): Action => ({
      name: `late request ${index + 1}: applied or refused`,
      fault: true,
      step(s) {
        if (s[slot] === Kind.none) return false;
        tables.apply(s, slot);
        s.fill(0, slot, slot + REQUEST_SIZE);
        return true;
      },
    })),
  ];

  function begin(s: Uint8Array): void {
    s.fill(0);
    for (const key of ["lostAnswers", "delays", "crashes", "takeOvers", "expiries", "rollbacks", "putBacks"] as const)
      s[places[key]] = bounds[key] ?? 0;
    const [p] = places.processes as [number];
    s[p] = bounds.present === 0 ? At.readLedger : At.running;
    if (bounds.present === 0) return;
    for (const table of each(2, (index) => index)) {
      if ((bounds.present & (1 << table)) === 0) continue;
      s[tables.of(table, 1, SNAPSHOT.held)] = s[tables.of(table, 1, SNAPSHOT.epoch)] = 1;
      s[places.openings[table]!] = 1 << 1;
      s[places.tags[table]!] = s[places.ledgerTables[table]!] = s[p + PROCESS.tags + table] = 1;
    }
    s[places.ledgerVersion] = s[places.ledgerEpoch] = s[p + PROCESS.epoch] = s[p + PROCESS.ledger] = 1;
  }

  /** All is in the tables, the ledger says so, the source was told, and nobody has anything left to do. */
  function isDone(s: Uint8Array): boolean {
    // What was acknowledged by nobody before a crash is acknowledged with the next change.
    const undisturbed =
      bounds.crashes === undefined &&
      bounds.takeOvers === undefined &&
      bounds.rollbacks === undefined &&
      bounds.putBacks === undefined;
    if (s[places.acknowledged] !== last && undisturbed) return false;
    if (s[places.ledgerPosition] !== last) return false;
    // Readers of the cut find all tables. A rollback that died has to be done again for that.
    const isNamed = (table: 0 | 1): boolean => s[places.tags[table]] === 0 || s[places.ledgerTables[table]] !== 0;
    if (bounds.rollbacks === undefined && !(isNamed(0) && isNamed(1))) return false;
    return places.processes.every((p) => {
      const at = s[p]!;
      if (at === At.off || at === At.fenced) return true;
      if (at !== At.running || s[p + PROCESS.reached] !== last) return false;
      return [0, 1].every((table) => s[p + PROCESS.tags + table] === s[places.tags[table]!]);
    });
  }

  const check = tables.check;
  return {
    name,
    sizeBytes: places.sizeBytes,
    begin,
    actions,
    check,
    invariants: INVARIANTS,
    isDone,
    canonical: forgetDead,
  };

  /** Nobody expires snapshots or goes back to one. */
  function isForgotten(s: Uint8Array): boolean {
    return bounds.expiries === undefined && s[places.putBacks] === 0;
  }

  /** A tag's number that a dead process knew is not kept. */
  function forgetDead(s: Uint8Array): void {
    for (let table = 0; table < 2; table++) {
      for (let id = 1; id <= SNAPSHOTS; id++) {
        const at = tables.of(table, id, SNAPSHOT.held);
        if (s[at] === 0) s.fill(0, at, at + SNAPSHOT_SIZE);
        // What neither a ref nor the ledger names, nor anybody will name, is as good as expired.
        else if (isForgotten(s) && s[places.tags[table]!] !== id && !tables.isKnown(s, table, id))
          s.fill(0, at, at + SNAPSHOT_SIZE);
      }
    }
  }
}

/** Takes out all snapshots but those that the tags and the newest ledger name (`expire.ts`). */
function expirer(places: Places, removed: Removed): Action {
  const keepsCut = !removed.has("expiry keeps what the ledger names");
  const keepsOlder = !removed.has("expiry keeps what a ledger under way may name");
  const keepsOpenings = !removed.has("expiry keeps what tells of a late opening");
  const isLastOfEpoch = (s: Uint8Array, table: number, at: number): boolean =>
    places.snapshots[table]!.every(
      (other) =>
        s[other] === 0 ||
        s[other + SNAPSHOT.epoch] !== s[at + SNAPSHOT.epoch] ||
        s[other + SNAPSHOT.position]! <= s[at + SNAPSHOT.position]!,
    );
  return {
    name: "expire",
    fault: true,
    step(s) {
      let gone = 0;
      for (let table = 0; table < 2; table++) {
        for (let id = 1; id <= SNAPSHOTS; id++) {
          const at = places.snapshots[table]![id - 1]!;
          const tag = s[places.tags[table]!]!;
          if (s[at] === 0 || tag === id || (keepsCut && s[places.ledgerTables[table]!] === id)) continue;
          // A take-over has come to the table and not yet to the ledger, which the older process may be about to write.
          const taken = s[places.ledgerEpoch] === s[places.snapshots[table]![tag - 1]! + SNAPSHOT.epoch];
          const mayCount = s[at + SNAPSHOT.epoch]! >= s[places.ledgerEpoch]! && keepsOlder;
          // Of a table that the ledger does not name, what tells whether it ought to.
          const tells = s[places.ledgerTables[table]!] === 0 && keepsOpenings;
          if (!taken && (mayCount || tells) && isLastOfEpoch(s, table, at)) continue;
          if (gone === 0 && !spend(s, places.expiries)) return false;
          s[at] = 0;
          s[places.openings[table]!] = 0;
          gone++;
        }
      }
      return gone > 0;
    },
  };
}
