import type { Action, Model } from "../explore.ts";
import { cleanerActions, compactorActions, expirerActions, operatorActions, strangerActions } from "./services.ts";
import { At, type Bounds, Held, INVARIANTS, Kind, placesOf, PROCESS, SNAPSHOT } from "./state.ts";
import { type Protection, tableOf } from "./table.ts";
import { writerActions } from "./writer.ts";

/** One append table, its writers and everybody else who touches it. The table is there, under the first process's epoch. */
export function oneTable(name: string, bounds: Bounds, without: readonly Protection[] = []): Model {
  const removed = new Set(without);
  const places = placesOf(bounds);
  const table = tableOf(places, removed);
  const actions: Action[] = [
    ...places.processes.flatMap((_, number) => writerActions(places, table, removed, number)),
    ...compactorActions(places, table, removed),
    ...expirerActions(places, table, removed),
    ...operatorActions(places, table, removed),
    ...((bounds.cleanings ?? 0) > 0 ? cleanerActions(places, table, removed) : []),
    ...strangerActions(places, table),
  ];

  function begin(s: Uint8Array): void {
    s.fill(0);
    const first = places.snapshots[0]!;
    s[first + SNAPSHOT.state] = Held.inTable;
    s[first + SNAPSHOT.kind] = Kind.fence;
    s[first + SNAPSHOT.epoch] = 1;
    s[places.main] = s[places.tag] = s[places.highestEpoch] = 1;
    const [process] = places.processes as [number];
    s[process + PROCESS.at] = At.running;
    s[process + PROCESS.epoch] = s[process + PROCESS.tag] = 1;
    for (const key of BUDGETS) s[places[key]] = bounds[key] ?? 0;
  }

  /** One process holds a table that has everything, and the others have noticed; or the operator is asked. */
  function isDone(s: Uint8Array): boolean {
    let holds = false;
    let asks = false;
    for (const p of places.processes) {
      const at = s[p]!;
      if (at === At.stopped) asks = true;
      else if (at !== At.off && at !== At.fenced) {
        if (at !== At.running || s[p + PROCESS.tag] !== s[places.tag] || s[p + PROCESS.position] !== places.offsets)
          return false;
        holds = true;
      }
    }
    if (!holds) return asks;
    return s[places.tag] !== 0 && table.onMain(s, s[places.tag]!) === true;
  }

  return {
    name,
    sizeBytes: places.sizeBytes,
    begin,
    actions,
    check: table.check,
    invariants: INVARIANTS,
    isDone,
    canonical: table.sweep,
  };
}

const BUDGETS = [
  "lostAnswers",
  "delays",
  "repeats",
  "crashes",
  "takeOvers",
  "foreignAppends",
  "undos",
  "rollbacks",
  "tagDrops",
  "schemaChanges",
  "compactions",
  "expiries",
  "cleanings",
] as const;
