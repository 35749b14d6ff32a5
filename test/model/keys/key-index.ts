import { FILE, FILES, keyOf, Known, type Places, type Removed } from "./state.ts";
import type { Table } from "./table.ts";

export type KeyIndex = ReturnType<typeof keyIndexOf>;

/**
 * The writer's picture of the table (`file-table.ts`, `table-state.ts`, `forwards.ts`, `memory-resolver.ts`, `sidecar-resolver.ts`): live files with
 * their dead rows, and where keys are: in memory the last place known of each, on disk those of whole files.
 */
export function keyIndexOf(places: Places, table: Table, removed: Removed) {
  const { at, bit, rowCount } = table;
  const { memory } = places;

  function isLive(s: Uint8Array, file: number, row: number): boolean {
    return s[at(file, FILE.known)] === 1 && (s[at(file, FILE.mirrored)]! & (1 << row)) === 0;
  }

  /** The live row that a row has become, as file * 2 + row; 0: none. */
  function locate(s: Uint8Array, file: number, row: number): number {
    let [to, place] = [file, row];
    for (let turn = 0; turn < FILES; turn++) {
      if (s[at(to, FILE.known)] === 1) return isLive(s, to, place) ? to * 2 + place : 0;
      const next = s[at(to, FILE.movedTo)]!;
      const left = s[at(to, FILE.left)]!;
      if (next === 0 || (left & (1 << place)) !== 0 || removed.has("rows are followed through compactions")) return 0;
      const rank = removed.has("rank leaves out deleted rows") ? 0 : place === 1 ? left & 1 : 0;
      place = s[at(to, FILE.base)]! + place - rank;
      to = next;
      if (place >= rowCount(s, to)) return 0;
    }
    return 0;
  }

  /** The live rows of a key, as file * 2 + row. */
  function resolve(s: Uint8Array, key: 0 | 1): number[] {
    const known = s[memory[key]]!;
    if (known !== 0) {
      const found = locate(s, known >> 1, known & 1);
      if (found !== 0) return [found];
      if (removed.has("a hit that is not live falls through to the disk")) return [];
    }
    const found = new Set<number>();
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.disk)] === 0) continue;
      for (let row = 0; row < rowCount(s, file); row++) {
        if (keyOf(s[at(file, FILE.rows + row)]!) !== key) continue;
        const live = locate(s, file, row);
        if (live !== 0) found.add(live);
      }
    }
    return [...found];
  }

  /** Whether the keys of a compacted file's live rows are known as rows of the files that it was made of. */
  function isInherited(s: Uint8Array, file: number): boolean {
    let hasInputs = false;
    for (let input = 1; input <= FILES; input++) {
      if (s[at(input, FILE.movedTo)] !== file) continue;
      hasInputs = true;
      if (removed.has("compacted files are indexed unless their inputs were")) continue;
      const isKnown = s[at(input, FILE.disk)] === 1 || s[at(input, FILE.memory)] !== Known.not;
      if (!isKnown && !isInherited(s, input) && !allDead(s, input)) return false;
    }
    return hasInputs;
  }

  function allDead(s: Uint8Array, input: number): boolean {
    return s[at(input, FILE.left)] === table.allRows(s, input);
  }

  /** Learns the keys of every live file that are not known yet. */
  function cover(s: Uint8Array): void {
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.known)] === 0 || s[at(file, FILE.memory)] !== Known.not || s[at(file, FILE.disk)] === 1)
        continue;
      if (isInherited(s, file)) s[at(file, FILE.memory)] = Known.byInputs;
      else if (removed.has("foreign files are indexed")) continue;
      else if (places.memoryIsFull) s[at(file, FILE.disk)] = 1;
      else learn(s, file);
    }
  }

  function learn(s: Uint8Array, file: number): void {
    for (let row = 0; row < rowCount(s, file); row++) {
      if (isLive(s, file, row)) s[memory[keyOf(s[at(file, FILE.rows + row)]!) as 0 | 1]] = file * 2 + row;
    }
    s[at(file, FILE.memory)] = Known.byRows;
  }

  /** Brings the picture to the table's head. */
  function follow(s: Uint8Array, head: number): void {
    if (s[head] === s[places.head]) return;
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.live)] === 0) {
        s[at(file, FILE.known)] = 0;
        continue;
      }
      const dead = s[at(file, FILE.dead)]!;
      if (s[at(file, FILE.known)] === 1) {
        if (removed.has("vectors are read again after a foreign commit")) continue;
        // Rows live again, whose keys may have been given to others meanwhile.
        const revived = (s[at(file, FILE.mirrored)]! & ~dead) !== 0;
        if (revived && !removed.has("rows that live again are learned anew")) s[at(file, FILE.memory)] = Known.not;
      }
      // Under a new number.
      else s[at(file, FILE.memory)] = Known.not;
      s[at(file, FILE.known)] = 1;
      s[at(file, FILE.mirrored)] = dead;
    }
    cover(s);
    s[head] = s[places.head]!;
  }

  /** Keys in memory move to disk: what they are known to be rows of counts as covered there. */
  function spill(s: Uint8Array): void {
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.memory)] === Known.byRows) s[at(file, FILE.disk)] = 1;
      s[at(file, FILE.memory)] = Known.not;
    }
    s[memory[0]] = s[memory[1]] = 0;
  }

  /** A new process knows nothing. */
  function forget(s: Uint8Array): void {
    for (let file = 1; file <= FILES; file++) s.fill(0, at(file, FILE.known), at(file, FILE.left) + 1);
    s[memory[0]] = s[memory[1]] = 0;
  }

  return { isLive, resolve, follow, spill, forget, bit };
}
