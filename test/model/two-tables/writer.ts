import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import type { Tables } from "./catalog.ts";
import { notesOf } from "./put-back.ts";
import {
  ANCHOR,
  At,
  Broken,
  breaks,
  Kind,
  OTHER,
  type Places,
  PROCESS,
  REQUEST,
  REQUEST_SIZE,
  type Removed,
  SNAPSHOT,
} from "./state.ts";

/**
 * One process of the job on a catalog that commits one table at a time (`find-pipeline.ts`, `pipeline-committer.ts`, `ledger.ts`). A load, the
 * decision on it and the sending of what was decided are one step.
 */
export function writerActions(places: Places, tables: Tables, removed: Removed, number: number): Action[] {
  const p = places.processes[number]!;
  const request = p + PROCESS.request;
  const at = p + PROCESS.at;
  const step = (what: string, fault: boolean, run: Action["step"]): Action => ({
    name: `p${number}: ${what}`,
    fault,
    step: run,
  });
  const last = places.changes.length;
  const isAlive = (s: Uint8Array, place: number): boolean => s[place] !== At.off && s[place] !== At.fenced;
  const { isBack, allAreBack, notedPosition, numberFor, checkpointFor } = notesOf(places, tables, removed);
  const tagOf = (table: number): number => p + PROCESS.tags + table;
  const positionOf = (table: number): number => p + PROCESS.positions + table;

  function end(s: Uint8Array, how: number): true {
    s.fill(0, p, request + REQUEST_SIZE);
    s[at] = how;
    return true;
  }

  function fenced(s: Uint8Array, epoch: number): true {
    if (epoch < s[p + PROCESS.epoch]!) breaks(s, Broken.falseFence);
    return end(s, At.fenced);
  }

  function send(s: Uint8Array, kind: number, table: number, position: number, rows: number): true {
    if (s[p + PROCESS.snapshot] === 0) s[p + PROCESS.snapshot] = tables.draw(s, table);
    s[request + REQUEST.kind] = kind;
    s[request + REQUEST.table] = table;
    s[request + REQUEST.snapshot] = s[p + PROCESS.snapshot]!;
    s[request + REQUEST.epoch] = s[p + PROCESS.epoch]!;
    s[request + REQUEST.position] = position;
    s[request + REQUEST.rows] = rows;
    if (places.countsCheckpoints) s[request + REQUEST.checkpoint] = checkpointFor(s, p, kind, table);
    s[p + PROCESS.waits] = 1;
    return true;
  }

  const start = step("start", false, (s) => {
    if (isAlive(s, at) || places.processes.some((other) => isAlive(s, other))) return false;
    return end(s, At.readLedger);
  });

  const takeOver = step("start beside the other", true, (s) => {
    if (s[at] !== At.off || !places.processes.some((other) => isAlive(s, other)) || !spend(s, places.takeOvers))
      return false;
    return end(s, At.readLedger);
  });

  const readLedger = step("ledger read", false, (s) => {
    if (s[at] !== At.readLedger) return false;
    s[p + PROCESS.ledger] = s[places.ledgerVersion]!;
    s[p + PROCESS.epoch] = removed.has("a start is above the ledger's epoch") ? 1 : s[places.ledgerEpoch]! + 1;
    s[p + PROCESS.seesOther] = s[places.tags[OTHER]] === 0 ? 0 : 1;
    if (!removed.has("numbers go on above the ledger's")) s[p + PROCESS.checkpoint] = s[places.ledgerNumber]!;
    // Nothing has been made yet, or the anchor was named and a crash came before it was made.
    const begun =
      s[places.ledgerVersion] !== 0 && (s[places.ledgerTables[ANCHOR]] !== 0 || s[places.tags[ANCHOR]] !== 0);
    if (!begun && s[places.ledgerVersion] === 0) s[p + PROCESS.epoch] = 1;
    s[at] = begun ? At.fenceAnchor : At.running;
    return true;
  });

  /** The table is under our epoch. */
  function hold(s: Uint8Array, table: number, id: number): void {
    s[tagOf(table)] = id;
    s[positionOf(table)] = s[tables.of(table, id, SNAPSHOT.position)]!;
    s[p + PROCESS.snapshot] = 0;
    const number = s[tables.of(table, id, SNAPSHOT.checkpoint)]!;
    if (number > s[p + PROCESS.checkpoint]!) s[p + PROCESS.checkpoint] = number;
  }

  function fence(s: Uint8Array, table: number): boolean {
    const own = s[p + PROCESS.snapshot]!;
    const tag = s[places.tags[table]!]!;
    const epoch = tables.epochOf(s, table);
    if (own !== 0 && s[tables.of(table, own, SNAPSHOT.held)] === 1) {
      if (tag !== own) return fenced(s, epoch);
      fencedIn(s, table, own);
      return true;
    }
    if (table === ANCHOR) {
      if (epoch + 1 > s[p + PROCESS.epoch]!) s[p + PROCESS.epoch] = epoch + 1;
    } else if (epoch >= s[p + PROCESS.epoch]! && !removed.has("a table under one's epoch is somebody else's")) {
      return fenced(s, epoch);
    }
    s[request + REQUEST.tag] = tag;
    return send(s, Kind.fence, table, tables.positionOf(s, table), 0);
  }

  function fencedIn(s: Uint8Array, table: number, id: number): void {
    hold(s, table, id);
    s[p + PROCESS.waits] = 0;
    if (table === OTHER) s[at] = At.takeLedger;
    else {
      const seen = removed.has("tables are listed after the anchor is fenced")
        ? s[p + PROCESS.seesOther] !== 0
        : s[places.tags[OTHER]] !== 0;
      s[at] = seen ? At.fenceOther : At.takeLedger;
    }
  }

  const fenceAnchor = step(
    "load, fence of the anchor sent",
    false,
    (s) => s[at] === At.fenceAnchor && s[p + PROCESS.waits] === 0 && fence(s, ANCHOR),
  );
  const fenceOther = step(
    "load, fence of the other table sent",
    false,
    (s) => s[at] === At.fenceOther && s[p + PROCESS.waits] === 0 && fence(s, OTHER),
  );

  const agree = (s: Uint8Array): boolean => s[tagOf(OTHER)] === 0 || s[positionOf(ANCHOR)] === s[positionOf(OTHER)];

  /** Sends the ledger on the version that is there, unless it is somebody else's by now. */
  function sendLedger(s: Uint8Array, position: number, names: readonly [number, number]): boolean {
    s[request + REQUEST.kind] = Kind.ledger;
    s[request + REQUEST.table] = s[places.ledgerVersion]!;
    s[request + REQUEST.epoch] = s[p + PROCESS.epoch]!;
    s[request + REQUEST.position] = position;
    s[request + REQUEST.snapshot] = names[0];
    s[request + REQUEST.tag] = names[1];
    if (places.countsCheckpoints)
      for (const table of [ANCHOR, OTHER] as const)
        s[request + REQUEST.checkpoint + table] = numberFor(s, table, names[table]);
    s[p + PROCESS.waits] = 1;
    return true;
  }

  const takeLedger = step("ledger read, taken over", false, (s) => {
    if (s[at] !== At.takeLedger || s[p + PROCESS.waits] !== 0) return false;
    const epoch = s[places.ledgerEpoch]!;
    if (epoch >= s[p + PROCESS.epoch]! && !removed.has("a ledger under one's epoch is somebody else's"))
      return fenced(s, epoch);
    takePositions(s);
    if (removed.has("the ledger is taken over")) return resume(s);
    const isSame = s[positionOf(ANCHOR)] === notedPosition(s);
    const isLeft = isSame && removed.has("tables that have come to the ledger's position are named again");
    if (agree(s) && !isLeft && !removed.has("the ledger is rewritten when positions agree")) {
      return sendLedger(s, s[positionOf(ANCHOR)]!, [s[tagOf(ANCHOR)]!, s[tagOf(OTHER)]!]);
    }
    return sendLedger(s, notedPosition(s), [noted(s, ANCHOR), noted(s, OTHER)]);
  });

  /** What the ledger names of a table; of one whose opening is finished its snapshot. */
  function noted(s: Uint8Array, table: 0 | 1): number {
    if (isBack(s, table) && !allAreBack(s)) return 0;
    return finishes(s, table) ? s[tagOf(table)]! : s[places.ledgerTables[table]]!;
  }

  const finishes = (s: Uint8Array, table: number): boolean =>
    s[tagOf(table)] !== 0 && tables.isLateOpening(s, table) && notedPosition(s) >= s[positionOf(table)]!;

  function takePositions(s: Uint8Array): void {
    if (removed.has("idle tables have the ledger's position")) return;
    for (const table of [ANCHOR, OTHER] as const) {
      if (s[tagOf(table)] === 0 || isBack(s, table)) continue;
      if (s[places.ledgerTables[table]] === 0 && !finishes(s, table)) continue;
      if (notedPosition(s) > s[positionOf(table)]!) s[positionOf(table)] = notedPosition(s);
    }
  }

  function resume(s: Uint8Array): true {
    s[p + PROCESS.opening] = s[p + PROCESS.waits] = 0;
    s[p + PROCESS.ledger] = s[places.ledgerVersion]!;
    const [anchor, other] = [s[positionOf(ANCHOR)]!, s[positionOf(OTHER)]!];
    const both = removed.has("reading resumes at the lowest position")
      ? Math.max(anchor, other)
      : Math.min(anchor, other);
    const from = s[tagOf(OTHER)] === 0 ? anchor : both;
    for (let table = 0; table < 2; table++) {
      if (s[tagOf(table)] !== 0 && tables.changesOf(table, s[positionOf(table)]!, s[places.acknowledged]!) !== 0)
        breaks(s, Broken.lost);
    }
    if (from < s[places.acknowledged]!) breaks(s, Broken.askedAgain);
    s[p + PROCESS.reached] = s[p + PROCESS.acknowledged] = from;
    s[at] = At.running;
    return true;
  }

  const prepare = (count: number): Action =>
    step(count === 1 ? "prepare" : `prepare ${count} changes`, false, (s) => {
      const from = s[p + PROCESS.reached]!;
      if (s[at] !== At.running || from + count > last) return false;
      const cut = from + count;
      let left = 0;
      for (let table = 0; table < 2; table++) {
        // What a table has is left out as it is read, as far as the table is known by then.
        let skip = s[tagOf(table)] === 0 ? from : Math.max(from, s[positionOf(table)]!);
        if (removed.has("changes up to the position are skipped")) skip = from;
        if (removed.has("no change beyond the position is skipped") && skip > from) skip++;
        const rows = tables.changesOf(table, skip, cut);
        s[p + PROCESS.rows + table] = rows;
        if (rows !== 0) left |= 1 << table;
      }
      s[p + PROCESS.cut] = cut;
      s[p + PROCESS.left] = left;
      return next(s);
    });

  /** What the checkpoint needs next: a table that is not held, the commits in their order, the ledger. */
  function next(s: Uint8Array): true {
    const left = s[p + PROCESS.left]!;
    s[p + PROCESS.snapshot] = 0;
    if (s[tagOf(ANCHOR)] === 0) {
      s[at] = At.claim;
      return true;
    }
    const late = removed.has("new tables are made before the commit") && (left & 1) !== 0;
    if ((left & 2) !== 0 && s[tagOf(OTHER)] === 0 && !late) {
      s[at] = At.open;
      s[p + PROCESS.opening] = OTHER;
      return true;
    }
    if (!removed.has("the anchor commits when idle")) s[p + PROCESS.left]! |= 1;
    s[at] = s[p + PROCESS.left] === 0 ? At.noteCut : At.commit;
    return true;
  }

  /** The anchor's name is recorded before the anchor is made. */
  const claim = step("ledger sent, with the anchor's name", false, (s) => {
    if (s[at] !== At.claim || s[p + PROCESS.waits] !== 0) return false;
    if (s[places.ledgerVersion] !== s[p + PROCESS.ledger]) {
      const known = s[places.ledgerEpoch] === s[p + PROCESS.epoch]! - 1 && s[places.ledgerTables[ANCHOR]] === 0;
      if (!known) return fenced(s, s[places.ledgerEpoch]! + 1);
      // The same name in the same words: as good as ours, as only one can make the table.
      return claimed(s);
    }
    sendLedger(s, 0, [0, 0]);
    s[request + REQUEST.epoch] = s[p + PROCESS.epoch]! - 1;
    return true;
  });

  function claimed(s: Uint8Array): true {
    s[p + PROCESS.waits] = 0;
    s[p + PROCESS.ledger] = s[places.ledgerVersion]!;
    s[p + PROCESS.opening] = ANCHOR;
    s[at] = At.open;
    return true;
  }

  const open = step("load, create sent", false, (s) => {
    if (s[at] !== At.open || s[p + PROCESS.waits] !== 0) return false;
    const table = s[p + PROCESS.opening]!;
    const own = s[p + PROCESS.snapshot]!;
    const tag = s[places.tags[table]!]!;
    if (own !== 0 && s[tables.of(table, own, SNAPSHOT.held)] === 1) return opened(s, table, own);
    const epoch = tables.epochOf(s, table);
    if (tag !== 0 && epoch >= s[p + PROCESS.epoch]!) return fenced(s, epoch);
    const reached = removed.has("new tables are stamped with the position before")
      ? s[p + PROCESS.cut]!
      : s[p + PROCESS.reached]!;
    const position = Math.max(tag === 0 ? 0 : tables.positionOf(s, table), reached);
    s[request + REQUEST.tag] = tag;
    return send(s, tag === 0 ? Kind.create : Kind.fence, table, position, 0);
  });

  function opened(s: Uint8Array, table: number, id: number): true {
    hold(s, table, id);
    s[p + PROCESS.waits] = 0;
    s[at] = At.noteOpened;
    return true;
  }

  const noteOpened = step("ledger sent, with the new table", false, (s) => {
    if (s[at] !== At.noteOpened || s[p + PROCESS.waits] !== 0) return false;
    // One that is beyond, as a rollback leaves behind, says of rows that they are in the table which are yet to come.
    const agrees = s[places.ledgerPosition]! <= s[p + PROCESS.reached]!;
    return writeLedger(s, agrees ? s[places.ledgerPosition]! : 0, [
      s[p + PROCESS.opening] === ANCHOR ? s[tagOf(ANCHOR)]! : s[places.ledgerTables[ANCHOR]]!,
      s[p + PROCESS.opening] === OTHER ? s[tagOf(OTHER)]! : s[places.ledgerTables[OTHER]]!,
    ]);
  });

  /** Looks first when the version is not the one that is known: a request of ours may have landed late. */
  function writeLedger(s: Uint8Array, position: number, names: readonly [number, number]): boolean {
    const known = s[p + PROCESS.ledger] === s[places.ledgerVersion];
    if (!known && s[places.ledgerEpoch]! > s[p + PROCESS.epoch]!) return fenced(s, s[places.ledgerEpoch]!);
    sendLedger(s, position, names);
    if (!known && tables.isWritten(s, request)) return ledgerAnswered(s);
    return true;
  }

  const commit = step("load, commit sent", false, (s) => {
    if (s[at] !== At.commit || s[p + PROCESS.waits] !== 0) return false;
    const table = turn(s);
    if (s[tagOf(table)] === 0) {
      // Only of those that make a table at its turn.
      s[p + PROCESS.opening] = table;
      s[at] = At.open;
      return true;
    }
    const own = s[p + PROCESS.snapshot]!;
    const tag = s[places.tags[table]!]!;
    if (own !== 0 && s[tables.of(table, own, SNAPSHOT.held)] === 1) {
      return tag === own ? committed(s, table) : fenced(s, tables.epochOf(s, table));
    }
    if (tag !== s[tagOf(table)] && !removed.has("the tag is asserted")) return fenced(s, tables.epochOf(s, table));
    const cut = s[p + PROCESS.cut]!;
    const position = removed.has("a table that is ahead keeps its position")
      ? cut
      : Math.max(cut, s[positionOf(table)]!);
    s[request + REQUEST.tag] = s[tagOf(table)]!;
    return send(s, Kind.commit, table, position, s[p + PROCESS.rows + table]!);
  });

  function turn(s: Uint8Array): number {
    const left = s[p + PROCESS.left]!;
    if (removed.has("the anchor goes first")) return (left & 2) !== 0 ? OTHER : ANCHOR;
    return (left & 1) !== 0 ? ANCHOR : OTHER;
  }

  function committed(s: Uint8Array, table: number): true {
    s[tagOf(table)] = s[p + PROCESS.snapshot]!;
    s[positionOf(table)] = s[tables.of(table, s[tagOf(table)]!, SNAPSHOT.position)]!;
    s[p + PROCESS.rows + table] = s[p + PROCESS.snapshot] = s[p + PROCESS.waits] = 0;
    s[p + PROCESS.left]! &= ~(1 << table);
    if (removed.has("acknowledged when all tables have it")) acknowledge(s, s[p + PROCESS.cut]!);
    if (s[p + PROCESS.left] === 0) {
      s[at] = At.noteCut;
      if (places.countsCheckpoints) s[p + PROCESS.checkpoint]!++;
    }
    return true;
  }

  const noteCut = step("ledger sent", false, (s) => {
    if (s[at] !== At.noteCut || s[p + PROCESS.waits] !== 0) return false;
    const cut = s[p + PROCESS.cut]!;
    const ahead = s[positionOf(ANCHOR)]! > cut || s[positionOf(OTHER)]! > cut;
    if (ahead && !removed.has("the ledger waits until all tables agree")) {
      s[at] = At.acknowledge;
      return true;
    }
    return writeLedger(s, cut, [s[tagOf(ANCHOR)]!, s[tagOf(OTHER)]!]);
  });

  function ledgerAnswered(s: Uint8Array): true {
    s.fill(0, request, request + REQUEST_SIZE);
    s[p + PROCESS.waits] = 0;
    s[p + PROCESS.ledger] = s[places.ledgerVersion]!;
    if (s[at] === At.takeLedger) return resume(s);
    if (s[at] === At.claim) return claimed(s);
    if (s[at] === At.noteOpened) {
      s[p + PROCESS.opening] = 0;
      return next(s);
    }
    const cut = s[p + PROCESS.cut]!;
    for (let table = 0; table < 2; table++)
      if (s[tagOf(table)] !== 0 && s[positionOf(table)]! < cut) s[positionOf(table)] = cut;
    s[p + PROCESS.acknowledged] = cut;
    s[at] = At.acknowledge;
    return true;
  }

  function acknowledge(s: Uint8Array, position: number): void {
    // Where tables may go back, the source keeps what it has.
    if (places.operator !== null || places.countsCheckpoints || position <= s[places.acknowledged]!) return;
    s[places.acknowledged] = position;
    for (let table = 0; table < 2; table++) {
      const recorded = s[places.tags[table]!] === 0 ? 0 : tables.recorded(s, table);
      // A crash now, and nobody has these changes any more.
      if (tables.changesOf(table, recorded, position) !== 0) breaks(s, Broken.lost);
    }
  }

  const acknowledges = step("acknowledge", false, (s) => {
    if (s[at] !== At.acknowledge) return false;
    if (!removed.has("idle tables have the ledger's position")) acknowledge(s, s[p + PROCESS.acknowledged]!);
    else if (s[tagOf(OTHER)] !== 0) acknowledge(s, Math.min(tables.positionOf(s, ANCHOR), tables.positionOf(s, OTHER)));
    s[p + PROCESS.reached] = s[p + PROCESS.cut]!;
    s[p + PROCESS.cut] = s[p + PROCESS.left] = 0;
    s[at] = At.running;
    return true;
  });

  /** An idle process that finds another's tag on one of its tables. */
  const idle = step("idle: load", false, (s) => {
    if (s[at] !== At.running || s[tagOf(ANCHOR)] === 0) return false;
    for (let table = 0; table < 2; table++) {
      if (s[tagOf(table)] !== 0 && s[tagOf(table)] !== s[places.tags[table]!])
        return fenced(s, tables.epochOf(s, table));
    }
    return false;
  });

  /** The answer tells what became of the request. */
  function answered(s: Uint8Array, done: boolean): void {
    const kind = s[request]!;
    const table = s[request + REQUEST.table]!;
    const id = s[request + REQUEST.snapshot]!;
    if (kind === Kind.ledger) {
      const isBack = !removed.has("a refused ledger is read back") && tables.isWritten(s, request);
      if (done || isBack) ledgerAnswered(s);
      else unknown(s);
      return;
    }
    unknown(s);
    if (!done) return;
    if (s[at] === At.open) opened(s, table, id);
    else if (s[at] === At.commit) committed(s, table);
    else fencedIn(s, table, id);
  }

  /** The process will look what became of it; of the ledger's take-over at once, and when that is open it begins anew. */
  function unknown(s: Uint8Array): void {
    if (s[at] === At.takeLedger && tables.isWritten(s, request)) return void ledgerAnswered(s);
    if (s[at] === At.takeLedger && s[places.ledgerVersion] === s[request + REQUEST.table]) return void end(s, At.off);
    s.fill(0, request, request + REQUEST_SIZE);
    s[p + PROCESS.waits] = 0;
  }

  const waits = (s: Uint8Array): boolean => s[p + PROCESS.waits] === 1;

  const applied = step("request applied or refused", false, (s) => {
    if (!waits(s)) return false;
    answered(s, tables.apply(s, request));
    return true;
  });

  const lost = step("answer lost", true, (s) => {
    if (!waits(s) || !spend(s, places.lostAnswers)) return false;
    tables.apply(s, request);
    unknown(s);
    return true;
  });

  const keepLate = (s: Uint8Array): boolean => {
    const free = places.late.find((slot) => s[slot] === Kind.none);
    if (free === undefined) return false;
    s.copyWithin(free, request, request + REQUEST_SIZE);
    return true;
  };

  const delayed = step("request delayed", true, (s) => {
    if (!waits(s) || s[places.delays] === 0 || !keepLate(s)) return false;
    s[places.delays]!--;
    unknown(s);
    return true;
  });

  const crash = step("crash", true, (s) => isAlive(s, at) && spend(s, places.crashes) && end(s, At.off));

  const crashAfterSend = step("crash, the request under way", true, (s) => {
    if (!waits(s) || s[places.crashes] === 0 || !keepLate(s)) return false;
    s[places.crashes]!--;
    return end(s, At.off);
  });

  return [
    start,
    ...(number === 0 ? [] : [takeOver]),
    readLedger,
    fenceAnchor,
    fenceOther,
    takeLedger,
    prepare(1),
    ...(last > 1 ? [prepare(2)] : []),
    claim,
    open,
    noteOpened,
    commit,
    noteCut,
    acknowledges,
    idle,
    applied,
    lost,
    delayed,
    crash,
    crashAfterSend,
  ];
}
