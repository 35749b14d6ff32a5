import {
  Broken,
  breaks,
  Kind,
  OPERATOR,
  type Places,
  PROCESS,
  REQUEST,
  type Removed,
  SNAPSHOT,
  SNAPSHOTS,
} from "./state.ts";

export type Tables = ReturnType<typeof tablesOf>;

/** What the catalog does with requests about one table, and the store with those about the ledger. */
export function tablesOf(places: Places, removed: Removed) {
  const { tags, snapshots, changes } = places;
  const asserts = !removed.has("the tag is asserted");
  const matches = !removed.has("the ledger is replaced if it matches");

  const of = (table: number, id: number, field: number): number => snapshots[table]![id - 1]! + field;
  const epochOf = (s: Uint8Array, table: number): number =>
    s[tags[table]!] === 0 ? 0 : s[of(table, s[tags[table]!]!, SNAPSHOT.epoch)]!;
  const checkpointOf = (s: Uint8Array, table: number): number =>
    s[tags[table]!] === 0 ? 0 : s[of(table, s[tags[table]!]!, SNAPSHOT.checkpoint)]!;
  const positionOf = (s: Uint8Array, table: number): number =>
    s[tags[table]!] === 0 ? 0 : s[of(table, s[tags[table]!]!, SNAPSHOT.position)]!;

  /** The changes of a table behind `from`, up to `to`, as bits. */
  function changesOf(table: number, from: number, to: number): number {
    let rows = 0;
    for (let offset = from + 1; offset <= to; offset++)
      if ((changes[offset - 1]! & (1 << table)) !== 0) rows |= 1 << (offset - 1);
    return rows;
  }

  /** A free number for a snapshot; ids that nobody knows any more are given again. @throws Error when the state has no room */
  function draw(s: Uint8Array, table: number): number {
    for (let id = 1; id <= SNAPSHOTS; id++)
      if (s[of(table, id, SNAPSHOT.held)] === 0 && !isKnown(s, table, id)) return id;
    throw new Error("no room for a snapshot");
  }

  function isKnown(s: Uint8Array, table: number, id: number): boolean {
    if (s[places.ledgerTables[table]!] === id) return true;
    for (const p of places.processes) {
      if (s[p + PROCESS.tags + table] === id || knows(s, p + PROCESS.request, table, id)) return true;
      if (s[p + PROCESS.snapshot] === id) return true;
    }
    const { operator } = places;
    if (
      operator !== null &&
      (s[operator + OPERATOR.snapshot] === id || knows(s, operator + OPERATOR.request, table, id))
    )
      return true;
    return places.late.some((r) => knows(s, r, table, id));
  }

  function knows(s: Uint8Array, r: number, table: number, id: number): boolean {
    if (s[r] === Kind.none) return false;
    if (s[r] === Kind.ledger) return s[r + REQUEST.snapshot + table] === id;
    return s[r + REQUEST.table] === table && (s[r + REQUEST.snapshot] === id || s[r + REQUEST.tag] === id);
  }

  function apply(s: Uint8Array, r: number): boolean {
    if (s[r] === Kind.ledger) return replaceLedger(s, r);
    const table = s[r + REQUEST.table]!;
    const id = s[r + REQUEST.snapshot]!;
    const tag = s[tags[table]!]!;
    if (s[of(table, id, SNAPSHOT.held)] === 1) return false;
    const isBack = s[r] === Kind.rollback;
    const moves = asserts && !(isBack && removed.has("a rollback asserts the tag"));
    if (s[r] === Kind.create ? tag !== 0 : moves && tag !== s[r + REQUEST.tag]) return false;
    const before = tag === 0 || isBack ? 0 : s[of(table, tag, SNAPSHOT.rows)]!;
    const position = s[r + REQUEST.position]!;
    const rows = before | s[r + REQUEST.rows]!;
    if ((before & s[r + REQUEST.rows]!) !== 0) breaks(s, Broken.doubled);
    const wanted = changesOf(table, 0, position);
    if ((rows & ~wanted) !== 0) breaks(s, Broken.doubled);
    else if (rows !== wanted) breaks(s, Broken.lost);
    if (s[r + REQUEST.epoch]! < epochOf(s, table)) breaks(s, Broken.fencedWrite);
    if (position < positionOf(s, table) && !isBack) breaks(s, Broken.positionBack);
    s[of(table, id, SNAPSHOT.held)] = 1;
    s[of(table, id, SNAPSHOT.epoch)] = s[r + REQUEST.epoch]!;
    s[of(table, id, SNAPSHOT.position)] = position;
    s[of(table, id, SNAPSHOT.rows)] = rows;
    s[of(table, id, SNAPSHOT.checkpoint)] = s[r + REQUEST.checkpoint]!;
    note(s, r, table);
    s[tags[table]!] = id;
    return true;
  }

  /** @throws Error when the state has no room for the epoch */
  function note(s: Uint8Array, r: number, table: number): void {
    const at = places.openings[table]!;
    const epoch = s[r + REQUEST.epoch]!;
    if (epoch > 7) throw new Error("no room for an epoch");
    if (s[r] === Kind.create) s[at] = 1 << epoch;
    else if (s[r] !== Kind.fence) s[at] = 0;
    else if (s[at] !== 0) s[at]! |= 1 << epoch;
  }

  /**
   * Whether a process that had been overtaken opened the table behind the look that the process of the ledger has had at the tables
   * (`late-opening.ts`): nobody of the ledger's epoch has fenced it, nobody has noted it, and all that it ever had are openings and fences.
   */
  function isLateOpening(s: Uint8Array, table: number): boolean {
    if (removed.has("an opening that came too late is finished")) return false;
    if (s[tags[table]!] === 0 || s[places.ledgerTables[table]!] !== 0) return false;
    if (removed.has("an opening that came too late is told by its history")) return true;
    const epochs = s[places.openings[table]!]!;
    const ledger = 1 << s[places.ledgerEpoch]!;
    return (epochs & ledger) === 0 && (epochs & (ledger - 1)) !== 0;
  }

  function replaceLedger(s: Uint8Array, r: number): boolean {
    if (matches && s[r + REQUEST.table] !== s[places.ledgerVersion]) return false;
    s[places.ledgerVersion]!++;
    s[places.ledgerEpoch] = s[r + REQUEST.epoch]!;
    s[places.ledgerPosition] = s[r + REQUEST.position]!;
    s[places.ledgerTables[0]] = s[r + REQUEST.snapshot]!;
    s[places.ledgerTables[1]] = s[r + REQUEST.tag]!;
    for (const table of [0, 1] as const) {
      const number = s[r + REQUEST.checkpoint + table]!;
      s[places.ledgerCheckpoints[table]] = number;
      if (number > s[places.ledgerNumber]!) s[places.ledgerNumber] = number;
    }
    return true;
  }

  /** Whether the ledger is what a request wants it to be. */
  function isWritten(s: Uint8Array, r: number): boolean {
    return (
      s[places.ledgerVersion] !== 0 &&
      s[places.ledgerEpoch] === s[r + REQUEST.epoch] &&
      s[places.ledgerPosition] === s[r + REQUEST.position] &&
      s[places.ledgerTables[0]] === s[r + REQUEST.snapshot] &&
      s[places.ledgerTables[1]] === s[r + REQUEST.tag]
    );
  }

  /** What a process would find that takes the pipeline over now. */
  function recorded(s: Uint8Array, table: number): number {
    const own = positionOf(s, table);
    const isNoted = s[places.ledgerTables[table]!] !== 0 || isLateOpening(s, table);
    const noted = isNoted ? s[places.ledgerPosition]! : 0;
    return own > noted ? own : noted;
  }

  /** Readers of the cut find its snapshots, and in them what the cut says. */
  function check(s: Uint8Array): void {
    for (let table = 0; table < 2; table++) {
      const id = s[places.ledgerTables[table]!]!;
      if (id === 0) continue;
      if (s[of(table, id, SNAPSHOT.held)] === 0) {
        // By hand, and readers are told.
        if (places.countsCheckpoints) continue;
        return breaks(s, Broken.ledgerDangles);
      }
      const position = s[places.ledgerPosition]!;
      if (s[of(table, id, SNAPSHOT.rows)] !== changesOf(table, 0, position)) breaks(s, Broken.inconsistentCut);
    }
  }

  /** Whether a table lacks what the ledger knows that it had (`put-back.ts`). */
  function isPutBack(s: Uint8Array, table: number): boolean {
    if (s[tags[table]!] === 0 || s[places.ledgerTables[table]!] === 0) return false;
    if (removed.has("a table that was put back goes on from its own position")) return false;
    return checkpointOf(s, table) < s[places.ledgerCheckpoints[table]!]!;
  }

  return {
    of,
    epochOf,
    checkpointOf,
    isPutBack,
    positionOf,
    changesOf,
    draw,
    isKnown,
    apply,
    isLateOpening,
    isWritten,
    recorded,
    check,
  };
}
