import type { Action, Model } from "../explore.ts";
import { each, spend } from "../layout.ts";
import { clientActions } from "./client.ts";
import {
  At,
  type Bounds,
  Broken,
  CLIENT,
  FILE,
  FILES,
  INVARIANTS,
  placesOf,
  type Protection,
  REQUEST,
  Stored,
} from "./state.ts";

/** The object-store catalog's pointer of one table, `version-hint.text`, between two clients (`object-store.ts`, `commit-file.ts`). */
export function hintOfTable(name: string, bounds: Bounds, without: readonly Protection[] = []): Model {
  const removed = new Set(without);
  const places = placesOf(bounds);
  const { hint, files, clients } = places;
  const of = (file: number, field: number): number => files[file - 1]! + field;
  const actions: Action[] = [
    ...each(2, (client) => clientActions(places, removed, client)).flat(),
    ...places.late.map((slot, index): Action => ({
      name: `late request ${index + 1}: applied or refused`,
      fault: true,
      step(s) {
        if (s[slot] === 0) return false;
        if (s[hint] === s[slot + REQUEST.base]) s[hint] = s[slot]!;
        s[slot] = s[slot + REQUEST.base] = 0;
        return true;
      },
    })),
    {
      name: "cleaner: list, load",
      fault: true,
      step(s) {
        const found = garbage(s);
        if (s[places.garbage] !== 0 || found === 0 || !spend(s, places.cleanings)) return false;
        s[places.garbage] = found;
        return true;
      },
    },
    {
      name: "cleaner: delete",
      fault: true,
      step(s) {
        if (s[places.garbage] === 0) return false;
        for (let file = 1; file <= FILES; file++) {
          if ((s[places.garbage]! & (1 << (file - 1))) !== 0) s[of(file, FILE.state)] = Stored.deleted;
        }
        s[places.garbage] = 0;
        return true;
      },
    },
  ];

  /** Files that the present one does not remember and that no request may yet name, as bits. */
  function garbage(s: Uint8Array): number {
    const present = s[hint]!;
    const version = s[of(present, FILE.version)]! + (removed.has("metadata files of later versions stay") ? 1 : 0);
    let mask = 0;
    for (let file = 1; file <= FILES; file++) {
      if (s[of(file, FILE.state)] !== Stored.stored || file === present) continue;
      if (each(places.logged, (index) => s[of(present, FILE.log + index)]).includes(file)) continue;
      const byVersion = s[of(file, FILE.version)]! <= version;
      if (byVersion || removed.has("metadata files up to the present version go")) mask |= 1 << (file - 1);
    }
    return mask;
  }

  function begin(s: Uint8Array): void {
    s.fill(0);
    s[hint] = 1;
    s[of(1, FILE.state)] = Stored.stored;
    for (const key of ["lostAnswers", "delays", "repeats", "crashes", "cleanings", "undos"] as const)
      s[places[key]] = bounds[key] ?? 0;
    for (const [client, at] of clients.entries()) s[at + CLIENT.left] = bounds.commits[client]!;
  }

  function check(s: Uint8Array): void {
    const present = s[hint]!;
    if (s[of(present, FILE.state)] !== Stored.stored) s[0] = Broken.dangles;
    for (let client = 0; client < 2; client++) {
      const held = s[of(present, FILE.commits + client)]!;
      const at = clients[client]!;
      if (held < s[at + CLIENT.committed]!) s[0] ||= Broken.lost;
      if (held > s[at + CLIENT.committed]! + (s[at + CLIENT.left]! > 0 ? 1 : 0)) s[0] ||= Broken.twice;
    }
  }

  /** Files that nobody knows make room. */
  function sweep(s: Uint8Array): void {
    let known = 1 << (s[hint]! - 1);
    const know = (file: number): void => {
      if (file === 0) return;
      known |= 1 << (file - 1);
      for (let index = 0; index < places.logged; index++) {
        const logged = s[of(file, FILE.log + index)]!;
        if (logged !== 0) known |= 1 << (logged - 1);
      }
    };
    know(s[hint]!);
    for (const at of clients) {
      know(s[at + CLIENT.base]!);
      know(s[at + CLIENT.file]!);
    }
    for (const slot of places.late) {
      know(s[slot]!);
      know(s[slot + REQUEST.base]!);
    }
    for (let file = 1; file <= FILES; file++) {
      if ((known & (1 << (file - 1))) !== 0) continue;
      s.fill(0, of(file, 0), of(file, FILE.log + places.logged));
      s[places.garbage]! &= ~(1 << (file - 1));
    }
  }

  /** All commits are in, and known to be. */
  function isDone(s: Uint8Array): boolean {
    return clients.every((at) => s[at] === At.gone || (s[at] === At.idle && s[at + CLIENT.left] === 0));
  }

  return { name, sizeBytes: places.sizeBytes, begin, actions, check, invariants: INVARIANTS, isDone, canonical: sweep };
}
