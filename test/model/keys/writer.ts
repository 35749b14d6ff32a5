import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import type { KeyIndex } from "./key-index.ts";
import {
  At,
  FILE,
  FILES,
  Kind,
  keyOf,
  Known,
  type Places,
  REQUEST,
  REQUEST_SIZE,
  type Removed,
  rowOf,
  WRITER,
} from "./state.ts";
import type { Table } from "./table.ts";

/** The writer of an upsert table (`keyed-checkpoint.ts`, `deletions.ts`): the last change of each key, and vectors for the rows that they replace. */
export function writerActions(places: Places, table: Table, index: KeyIndex, removed: Removed): Action[] {
  const w = places.writer;
  const plan = w + WRITER.plan;
  const { at, bit } = table;
  const { changes } = places;
  const step = (what: string, fault: boolean, run: Action["step"]): Action => ({
    name: `writer: ${what}`,
    fault,
    step: run,
  });

  const start = step("start, fence", false, (s) => {
    if (s[w] !== At.off) return false;
    s[places.tag]!++;
    table.newHead(s);
    s[places.own] = s[places.head]!;
    s[w] = At.running;
    s[w + WRITER.position] = s[places.position]!;
    index.follow(s, w + WRITER.head);
    return true;
  });

  const prepare = (count: number): Action =>
    step(count === 1 ? "prepare" : `prepare ${count} changes`, false, (s) => {
      const from = s[w + WRITER.position]!;
      if (s[w] !== At.running || from + count > changes.length) return false;
      const rows = lastRows(from, from + count);
      s[w + WRITER.cut] = from + count;
      s[w + WRITER.file] = rows.length === 0 ? 0 : table.write(s, rows);
      s[w] = At.prepared;
      if (removed.has("the index changes after the commit")) place(s);
      return true;
    });

  /** The row that is left of each key's changes. */
  function lastRows(from: number, to: number): number[] {
    const rows: number[] = [];
    for (const key of [0, 1]) {
      const last = changes.findLastIndex((change, number) => number >= from && number < to && change.key === key);
      if (last >= 0 && changes[last]!.op !== "delete") rows.push(rowOf(key, last + 1));
    }
    return rows;
  }

  /** The keys of the checkpoint that are looked up: all. */
  function wantedKeys(s: Uint8Array): (0 | 1)[] {
    const part = changes.slice(s[w + WRITER.position], s[w + WRITER.cut]);
    return ([0, 1] as const).filter((key) => {
      const last = part.findLast((change) => change.key === key);
      if (last === undefined) return false;
      return last.op !== "insert" || !removed.has("every key of a checkpoint is resolved");
    });
  }

  function resolve(s: Uint8Array): void {
    table.clearRequest(s, plan);
    s[plan] = Kind.commit;
    s[plan + REQUEST.file] = s[w + WRITER.file]!;
    s[plan + REQUEST.cut] = s[w + WRITER.cut]!;
    for (const key of wantedKeys(s)) {
      for (const place of index.resolve(s, key)) {
        const file = place >> 1;
        const dead = plan + REQUEST.dead + file - 1;
        if ((s[plan + REQUEST.touched]! & bit(file)) === 0 && !removed.has("vectors are merged"))
          s[dead] = s[at(file, FILE.mirrored)]!;
        s[plan + REQUEST.touched]! |= bit(file);
        s[dead]! |= 1 << (place & 1);
        if (s[dead] === table.allRows(s, file)) s[plan + REQUEST.dropped]! |= bit(file);
      }
    }
    s[w + WRITER.resolved] = s[w + WRITER.head]!;
  }

  const commit = step("load, commit sent", false, (s) => {
    if (s[w] !== At.prepared) return false;
    if (s[places.position] === s[w + WRITER.cut]) return committed(s);
    index.follow(s, w + WRITER.head);
    const resolved = s[plan] !== Kind.none;
    if (
      !resolved ||
      (s[w + WRITER.resolved] !== s[w + WRITER.head] && !removed.has("keys are resolved anew on another base"))
    )
      resolve(s);
    if (!resolved || !removed.has("conflicts are answered with a fresh load")) s[plan + REQUEST.base] = s[places.head]!;
    s[plan + REQUEST.tag] = s[places.tag]!;
    s[plan + REQUEST.sequence] = s[places.heads]! + 1;
    s[w] = At.sent;
    return true;
  });

  function place(s: Uint8Array): void {
    const file = s[w + WRITER.file]!;
    for (const key of wantedKeys(s)) s[places.memory[key]] = 0;
    for (let row = 0; file !== 0 && row < table.rowCount(s, file); row++) {
      s[places.memory[keyOf(s[at(file, FILE.rows + row)]!) as 0 | 1]] = file * 2 + row;
    }
  }

  /** The committed files and vectors become part of the picture. */
  function committed(s: Uint8Array): true {
    const file = s[w + WRITER.file]!;
    for (let each = 1; each <= FILES; each++) {
      if ((s[plan + REQUEST.touched]! & bit(each)) !== 0)
        s[at(each, FILE.mirrored)] = s[plan + REQUEST.dead + each - 1]!;
      if ((s[plan + REQUEST.dropped]! & bit(each)) !== 0) s[at(each, FILE.known)] = 0;
    }
    if (!removed.has("the index changes after the commit")) place(s);
    if (file !== 0) {
      s[at(file, FILE.known)] = s[at(file, FILE.memory)] = Known.byRows;
      s[at(file, FILE.mirrored)] = 0;
    }
    s[w + WRITER.head] = s[places.own]!;
    s[w + WRITER.position] = s[w + WRITER.cut]!;
    s[w + WRITER.file] = s[w + WRITER.cut] = s[w + WRITER.resolved] = 0;
    table.clearRequest(s, plan);
    s[w] = At.running;
    return true;
  }

  function end(s: Uint8Array): true {
    index.forget(s);
    s.fill(0, w, plan + REQUEST_SIZE);
    return true;
  }

  const applied = step("commit applied or refused", false, (s) => {
    if (s[w] !== At.sent) return false;
    if (table.apply(s, plan)) return committed(s);
    s[w] = At.prepared;
    return true;
  });

  const lost = step("answer lost", true, (s) => {
    if (s[w] !== At.sent || !spend(s, places.lostAnswers)) return false;
    table.apply(s, plan);
    s[w] = At.prepared;
    return true;
  });

  const keepLate = (s: Uint8Array): boolean => {
    const free = places.late.find((slot) => s[slot] === Kind.none);
    if (free === undefined) return false;
    table.copyRequest(s, plan, free);
    return true;
  };

  const delayed = step("request delayed", true, (s) => {
    if (s[w] !== At.sent || s[places.delays] === 0 || !keepLate(s)) return false;
    s[places.delays]!--;
    s[w] = At.prepared;
    return true;
  });

  const spills = step("keys move to disk", true, (s) => {
    if (s[w] !== At.running || s[places.memory[0]] === s[places.memory[1]] || !spend(s, places.spills)) return false;
    index.spill(s);
    return true;
  });

  const crash = step("crash", true, (s) => s[w] !== At.off && spend(s, places.crashes) && end(s));

  const crashAfterSend = step("crash, the request under way", true, (s) => {
    if (s[w] !== At.sent || s[places.crashes] === 0 || !keepLate(s)) return false;
    s[places.crashes]!--;
    return end(s);
  });

  return [start, prepare(1), prepare(2), commit, applied, lost, delayed, spills, crash, crashAfterSend];
}
