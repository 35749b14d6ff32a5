import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import {
  At,
  Compacting,
  COMPACTOR,
  FILE,
  FILES,
  Kind,
  keyOf,
  type Places,
  REQUEST,
  REQUEST_SIZE,
  type Removed,
  rowOf,
  WRITER,
} from "./state.ts";
import type { Table } from "./table.ts";

/** The version of rows that somebody else writes. */
const FOREIGN = 15;

/** Joins all files, in order; rows that die meanwhile are dead in the new file by the same commit (`compact.ts`, `remap.ts`). */
export function compactorActions(places: Places, table: Table, removed: Removed): Action[] {
  const c = places.compactor;
  if (c === null) return [];
  const request = c + COMPACTOR.left + FILES;
  const { at, bit } = table;
  const rest = (s: Uint8Array): true => {
    s.fill(0, c, request + REQUEST_SIZE);
    return true;
  };

  const write: Action = {
    name: "compactor: load, write",
    fault: true,
    step(s) {
      const rows = table.liveRows(s).map(({ value }) => value);
      if (s[c] !== Compacting.idle || rows.length === 0 || !spend(s, places.compactions)) return false;
      s[c] = Compacting.written;
      for (let file = 1; file <= FILES; file++) {
        if (s[at(file, FILE.live)] === 0) continue;
        s[c + COMPACTOR.inputs]! |= bit(file);
        s[c + COMPACTOR.left + file - 1] = s[at(file, FILE.dead)]!;
      }
      s[c + COMPACTOR.file] = table.write(s, rows);
      return true;
    },
  };

  const commit: Action = {
    name: "compactor: load, commit sent",
    fault: false,
    step(s) {
      if (s[c] !== Compacting.written) return false;
      const output = s[c + COMPACTOR.file]!;
      const inputs = s[c + COMPACTOR.inputs]!;
      let live = 0;
      let dead = 0;
      let base = 0;
      for (let file = 1; file <= FILES; file++) {
        if ((inputs & bit(file)) === 0) continue;
        const left = s[c + COMPACTOR.left + file - 1]!;
        const isPresent = s[at(file, FILE.live)] === 1;
        if (isPresent) live |= bit(file);
        const now =
          isPresent || removed.has("compaction looks whether its inputs are live")
            ? s[at(file, FILE.dead)]!
            : table.allRows(s, file);
        // Deleted rows live again: somebody has rolled the table back.
        if (isPresent && (left & ~now) !== 0) return rest(s);
        for (let row = 0; row < table.rowCount(s, file); row++) {
          if ((left & (1 << row)) !== 0) continue;
          if ((now & (1 << row)) !== 0) dead |= 1 << base;
          base++;
        }
      }
      if (live === 0 && !removed.has("compaction looks whether its inputs are live")) return rest(s);
      if (removed.has("deaths are carried over to new files")) dead = 0;
      table.clearRequest(s, request);
      s[request] = Kind.replace;
      s[request + REQUEST.base] = s[places.head]!;
      s[request + REQUEST.tag] = s[places.tag]!;
      s[request + REQUEST.sequence] = s[places.heads]! + 1;
      s[request + REQUEST.file] = dead === table.allRows(s, output) ? 0 : output;
      s[request + REQUEST.dropped] = live;
      s[request + REQUEST.touched] = bit(output);
      s[request + REQUEST.dead + output - 1] = dead;
      s[c] = Compacting.sent;
      return true;
    },
  };

  /** The writer of the same process hears of it before it has a turn at the table. */
  function tellWriter(s: Uint8Array): void {
    const output = s[c! + COMPACTOR.file]!;
    if (s[request + REQUEST.file] === 0) return;
    let base = 0;
    for (let file = 1; file <= FILES; file++) {
      if ((s[c! + COMPACTOR.inputs]! & bit(file)) === 0) continue;
      const left = s[c! + COMPACTOR.left + file - 1]!;
      s[at(file, FILE.movedTo)] = output;
      s[at(file, FILE.base)] = base;
      s[at(file, FILE.left)] = left;
      for (let row = 0; row < table.rowCount(s, file); row++) if ((left & (1 << row)) === 0) base++;
    }
  }

  const applied: Action = {
    name: "compactor: commit applied or refused",
    fault: false,
    step(s) {
      if (s[c] !== Compacting.sent) return false;
      if (!table.apply(s, request)) {
        table.clearRequest(s, request);
        s[c] = Compacting.written;
        return true;
      }
      if (s[places.writer + WRITER.at] !== At.off) tellWriter(s);
      return rest(s);
    },
  };

  return [write, commit, applied];
}

/** Others commit on `main` in one step each; the tag stays. */
export function strangerActions(places: Places, table: Table): Action[] {
  const { at } = table;
  const { before, truth } = places;

  /** What `main` is set back to by `undo`. */
  function remember(s: Uint8Array): void {
    if (before === null) return;
    s[before] = s[places.head]!;
    s[before + 1] = s[truth[0]]!;
    s[before + 2] = s[truth[1]]!;
    for (let file = 1; file <= FILES; file++) {
      s[before + 2 + file] = s[at(file, FILE.live)] === 0 ? 0 : s[at(file, FILE.dead)]! + 1;
    }
  }

  const rewrite: Action = {
    name: "stranger: rewrite",
    fault: true,
    step(s) {
      const rows = table.liveRows(s).map(({ value }) => value);
      if (rows.length === 0 || !spend(s, places.foreignRewrites)) return false;
      remember(s);
      const output = table.write(s, rows);
      for (let file = 1; file <= FILES; file++) s[at(file, FILE.live)] = 0;
      s[at(output, FILE.live)] = 1;
      table.newHead(s);
      return true;
    },
  };

  const remove: Action = {
    name: "stranger: delete",
    fault: true,
    step(s) {
      const [first] = table.liveRows(s);
      if (first === undefined || !spend(s, places.foreignDeletes)) return false;
      remember(s);
      s[at(first.file, FILE.dead)]! |= 1 << first.row;
      if (s[at(first.file, FILE.dead)] === table.allRows(s, first.file)) s[at(first.file, FILE.live)] = 0;
      s[truth[keyOf(first.value) as 0 | 1]] = 0;
      table.newHead(s);
      return true;
    },
  };

  const upsert: Action = {
    name: "stranger: upsert",
    fault: true,
    step(s) {
      if (s[truth[0]] === FOREIGN || !spend(s, places.foreignUpserts)) return false;
      remember(s);
      const old = table.liveRows(s).find(({ value }) => keyOf(value) === 0);
      if (old !== undefined) {
        s[at(old.file, FILE.dead)]! |= 1 << old.row;
        if (s[at(old.file, FILE.dead)] === table.allRows(s, old.file)) s[at(old.file, FILE.live)] = 0;
      }
      s[at(table.write(s, [rowOf(0, FOREIGN)]), FILE.live)] = 1;
      s[truth[0]] = FOREIGN;
      table.newHead(s);
      return true;
    },
  };

  /** Only as long as nothing of ours lies above, which would be lost with it: then the process stops. */
  const undo: Action = {
    name: "stranger: main set back",
    fault: true,
    step(s) {
      if (before === null || s[before] === 0 || s[before]! < s[places.own]! || !spend(s, places.undos)) return false;
      s[places.head] = s[before]!;
      s[truth[0]] = s[before + 1]!;
      s[truth[1]] = s[before + 2]!;
      for (let file = 1; file <= FILES; file++) {
        const held = s[before + 2 + file]!;
        s[at(file, FILE.live)] = held === 0 ? 0 : 1;
        s[at(file, FILE.dead)] = held === 0 ? 0 : held - 1;
      }
      s.fill(0, before, before + 3 + FILES);
      return true;
    },
  };

  return [rewrite, remove, upsert, undo];
}
