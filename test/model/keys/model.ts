import type { Action, Model } from "../explore.ts";
import { keyIndexOf } from "./key-index.ts";
import { compactorActions, strangerActions } from "./neighbours.ts";
import { At, type Bounds, INVARIANTS, Kind, placesOf, type Protection, REQUEST_SIZE, WRITER } from "./state.ts";
import { tableOf } from "./table.ts";
import { writerActions } from "./writer.ts";

/** An upsert table of two keys, the writer's index of them, and those who move and delete rows beneath it. */
export function keyedTable(name: string, bounds: Bounds, without: readonly Protection[] = []): Model {
  const removed = new Set(without);
  const places = placesOf(bounds);
  const table = tableOf(places, removed);
  const index = keyIndexOf(places, table, removed);
  const actions: Action[] = [
    ...writerActions(places, table, index, removed),
    ...compactorActions(places, table, removed),
    ...strangerActions(places, table),
    ...places.late.map((slot): Action => ({
      name: "late request: commit applied or refused",
      fault: true,
      step(s) {
        if (s[slot] === Kind.none) return false;
        table.apply(s, slot);
        s.fill(0, slot, slot + REQUEST_SIZE);
        return true;
      },
    })),
  ];

  function begin(s: Uint8Array): void {
    s.fill(0);
    for (const key of BUDGETS) s[places[key]] = bounds[key] ?? 0;
    s[places.head] = s[places.heads] = s[places.own] = 1;
    s[places.writer] = At.running;
    s[places.writer + WRITER.head] = 1;
  }

  const isDone = (s: Uint8Array): boolean =>
    s[places.writer] === At.running && s[places.writer + WRITER.position] === bounds.changes.length;

  const { check, sweep } = table;
  return { name, sizeBytes: places.sizeBytes, begin, actions, check, invariants: INVARIANTS, isDone, canonical: sweep };
}

const BUDGETS = [
  "lostAnswers",
  "delays",
  "crashes",
  "compactions",
  "foreignRewrites",
  "foreignDeletes",
  "foreignUpserts",
  "undos",
  "spills",
] as const;
