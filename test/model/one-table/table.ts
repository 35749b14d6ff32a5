import {
  Broken,
  breaks,
  FILE,
  Held,
  JOB,
  Kind,
  type Places,
  PROCESS,
  REQUEST,
  REQUEST_SIZE,
  SERVICE,
  SNAPSHOT,
} from "./state.ts";

/** What a mutant may lack. */
export const PROTECTIONS = [
  "the tag is asserted",
  "the tag moves with main",
  "the expected tag is one's own",
  "the position is read from the tag",
  "the tag does not expire",
  "acknowledged after the commit",
  "nothing is deleted on an unknown outcome",
  "one id over all attempts",
  "loads check that main holds the tag",
  "idle writers look at the refs",
  "rollbacks make new snapshots",
  "what the source has forgotten is not passed over",
  "a lost tag is no new pipeline",
  "snapshots between tag and main stay",
  "conflicts are answered with a fresh load",
  "names of jobs are random",
  "a job with an unknown outcome is not over",
  "compaction compares epochs",
  "compaction asserts the tag",
  "expiry asserts the refs",
  "what expiry deletes is decided by reloaded metadata",
  "garbage ends at the tag's checkpoint",
  "garbage is decided by name",
  "garbage of jobs is of older epochs",
  "a rollback needs its target",
  "a rollback raises the epoch",
  "a rollback has its target's position",
  "a rollback asserts the tag",
  "a rollback asserts main",
  "a rollback stops under a newer epoch",
  "a start raises the epoch",
  "an answer that was lost is looked for",
  "an answer that was lost is no commit",
  "who has landed behind a take-over stops",
  "main is asserted",
  "the schema is asserted",
  "a snapshot id is taken once",
] as const;

export type Protection = (typeof PROTECTIONS)[number];

export type Removed = ReadonlySet<Protection>;

export type Table = ReturnType<typeof tableOf>;

/** The catalog's side of a table: what the refs name, what snapshots hold, and what becomes of a request. */
export function tableOf(places: Places, removed: Removed) {
  const { main, tag, snapshots, files, deleted } = places;
  const withTag = !removed.has("the tag is asserted");
  const withMain = !removed.has("main is asserted");
  const withSchema = !removed.has("the schema is asserted");
  const takenOnce = !removed.has("a snapshot id is taken once");
  const movesTag = !removed.has("the tag moves with main");
  const newOnRollback = !removed.has("rollbacks make new snapshots");
  const needsTarget = !removed.has("a rollback needs its target");
  const expiryAsserts = !removed.has("expiry asserts the refs");
  const compactionAsserts = !removed.has("compaction asserts the tag");
  const tagMayGo = removed.has("the tag does not expire") || removed.has("the position is read from the tag");
  const readsTag = !removed.has("the position is read from the tag");

  const of = (id: number, field: number): number => snapshots[id - 1]! + field;
  const isHeld = (s: Uint8Array, id: number): boolean => id !== 0 && s[of(id, SNAPSHOT.state)] === Held.inTable;

  /** Whether `wanted` is `main` or below it; null when a snapshot on the way has been expired. */
  function onMain(s: Uint8Array, wanted: number): boolean | null {
    for (let id = s[main]!; id !== 0; id = s[of(id, SNAPSHOT.parent)]!) {
      if (id === wanted) return true;
      if (!isHeld(s, id)) return null;
    }
    return false;
  }

  /** A new id. @throws Error when the bounds leave too little room, so that nothing is cut off unseen. */
  function draw(s: Uint8Array): number {
    const index = snapshots.findIndex((at) => s[at] === Held.free);
    if (index < 0) throw new Error("no room for a snapshot");
    s[snapshots[index]!] = Held.drawn;
    return index + 1;
  }

  /** A new file under a name. @throws Error as `draw` */
  function write(s: Uint8Array, epoch: number, checkpoint: number, rows: number): number {
    const index = files.findIndex((at) => s[at + FILE.rows] === 0);
    if (index < 0) throw new Error("no room for a file");
    const at = files[index]!;
    s[at + FILE.epoch] = epoch;
    s[at + FILE.checkpoint] = checkpoint;
    s[at + FILE.rows] = rows;
    return index + 1;
  }

  const requests = [
    ...places.processes.map((p) => p + PROCESS.request),
    ...[places.compactor, places.expirer, places.operator].flatMap((at) => (at === null ? [] : [at + SERVICE.request])),
    ...places.late,
  ];

  /** Makes room: ids that nobody can send any more, snapshots and files that nobody knows. States that differ in them alone become the same. */
  function sweep(s: Uint8Array): void {
    let known = bit(s[main]!) | bit(s[tag]!);
    let needed = 0;
    for (const p of places.processes) {
      known |= bit(s[p + PROCESS.snapshot]!) | bit(s[p + PROCESS.tag]!);
      needed |= bit(s[p + PROCESS.file]!);
    }
    for (const r of requests) {
      if (s[r] === Kind.none) continue;
      known |= bit(s[r + REQUEST.snapshot]!) | bit(s[r + REQUEST.main]!) | bit(s[r + REQUEST.tag]!);
      if (s[r] === Kind.expire) known |= s[r + REQUEST.removed]!;
      if (s[r] === Kind.rollback) known |= bit(s[r + REQUEST.removed]!);
      if (s[r] === Kind.replace) needed |= s[r + REQUEST.removed]!;
      needed |= bit(s[r + REQUEST.file]!);
    }
    const { compactor, expirer, operator } = places;
    if (compactor !== null) {
      known |= bit(s[compactor + SERVICE.snapshot]!);
      needed |= bit(s[compactor + SERVICE.file]!) | s[compactor + SERVICE.chosen]!;
    }
    if (expirer !== null) known |= s[expirer + SERVICE.chosen]!;
    if (operator !== null) known |= bit(s[operator + SERVICE.snapshot]!) | bit(s[operator + SERVICE.chosen]!);
    for (let id = 1; id <= snapshots.length; id++) {
      if (!isHeld(s, id)) continue;
      known |= bit(id) | bit(s[of(id, SNAPSHOT.parent)]!);
      needed |= s[of(id, SNAPSHOT.files)]!;
    }
    for (let id = 1; id <= snapshots.length; id++) {
      if ((known & bit(id)) === 0 && s[of(id, SNAPSHOT.state)] !== Held.free) s.fill(0, of(id, 0), of(id, 7));
    }
    for (let file = 1; file <= files.length; file++) {
      if ((needed & bit(file)) !== 0 || s[files[file - 1]! + FILE.rows] === 0) continue;
      const at = files[file - 1] ?? 0;
      s.fill(0, at, at + 3);
      s[deleted]! &= ~bit(file);
      s[places.garbage]! &= ~bit(file);
      if (expirer !== null) s[expirer + SERVICE.files]! &= ~bit(file);
    }
  }

  const bit = (file: number): number => (file === 0 ? 0 : 1 << (file - 1));

  /** The files of all snapshots that are held. */
  function referenced(s: Uint8Array): number {
    let mask = 0;
    for (let id = 1; id <= snapshots.length; id++) if (isHeld(s, id)) mask |= s[of(id, SNAPSHOT.files)]!;
    return mask;
  }

  const ownRows = (1 << places.offsets) - 1;

  /** The rows of some files, and whether one of ours is there twice. */
  function rowsOf(s: Uint8Array, mask: number): { rows: number; doubled: boolean } {
    let rows = 0;
    let doubled = false;
    for (let file = 1; file <= files.length; file++) {
      if ((mask & bit(file)) === 0) continue;
      const more = s[files[file - 1]! + FILE.rows]!;
      if ((rows & more & ownRows) !== 0) doubled = true;
      rows |= more;
    }
    return { rows, doubled };
  }

  /** The position of a snapshot: its stamp's or that of the nearest one below that has one. */
  function positionOf(s: Uint8Array, id: number): number {
    for (let at = id; at !== 0; at = s[of(at, SNAPSHOT.parent)]!) {
      const kind = s[of(at, SNAPSHOT.kind)]!;
      if (kind !== Kind.replace && kind !== Kind.foreign) return s[of(at, SNAPSHOT.position)]!;
    }
    return 0;
  }

  /** Each change up to the position, and none beyond, is there once. */
  function checkRows(s: Uint8Array, id: number): void {
    const { rows, doubled } = rowsOf(s, s[of(id, SNAPSHOT.files)]!);
    const wanted = (1 << positionOf(s, id)) - 1;
    const own = rows & ownRows;
    if (doubled || (own & ~wanted) !== 0) breaks(s, Broken.doubled);
    else if (own !== wanted) breaks(s, Broken.lost);
  }

  function assertionsHold(s: Uint8Array, r: number): boolean {
    const kind = s[r + REQUEST.kind]!;
    if (kind === Kind.expire)
      return !expiryAsserts || (s[r + REQUEST.main] === s[main] && s[r + REQUEST.tag] === s[tag]);
    const id = s[r + REQUEST.snapshot]!;
    // A snapshot that is there is refused, whatever else the request says.
    if (isHeld(s, id) && takenOnce) return false;
    const assertsMain = withMain && (kind !== Kind.rollback || !removed.has("a rollback asserts main"));
    if (assertsMain && s[r + REQUEST.main] !== s[main]) return false;
    const asserts =
      kind === Kind.replace
        ? compactionAsserts
        : withTag && readsTag && (kind !== Kind.rollback || !removed.has("a rollback asserts the tag"));
    if (asserts && s[r + REQUEST.tag] !== s[tag]) return false;
    if (withSchema && s[r + REQUEST.schema] !== s[places.schema]) return false;
    return kind !== Kind.rollback || !needsTarget || isHeld(s, s[r + REQUEST.removed]!);
  }

  /** What a request does to the table, if it may. */
  function apply(s: Uint8Array, r: number): boolean {
    if (!assertionsHold(s, r)) return false;
    const kind = s[r + REQUEST.kind]!;
    if (kind === Kind.expire) return expire(s, s[r + REQUEST.removed]!);
    const before = s[tag]!;
    const beforeEpoch = before === 0 ? 0 : s[of(before, SNAPSHOT.epoch)]!;
    const beforePosition = before === 0 ? 0 : s[of(before, SNAPSHOT.position)]!;
    const tagWasOnMain = before !== 0 && onMain(s, before) === true;
    if (kind === Kind.rollback && !newOnRollback) return moveBack(s, s[r + REQUEST.removed]!);
    const parent = kind === Kind.rollback ? s[r + REQUEST.removed]! : s[r + REQUEST.main]!;
    const id = s[r + REQUEST.snapshot]!;
    const at = of(id, SNAPSHOT.state);
    s[at] = Held.inTable;
    s[at + SNAPSHOT.kind] = kind;
    s[at + SNAPSHOT.parent] = parent;
    s[at + SNAPSHOT.epoch] = s[r + REQUEST.epoch]!;
    s[at + SNAPSHOT.checkpoint] = s[r + REQUEST.checkpoint]!;
    s[at + SNAPSHOT.position] = s[r + REQUEST.position]!;
    let held = parent === 0 ? 0 : s[of(parent, SNAPSHOT.files)]!;
    if (kind === Kind.replace) held &= ~s[r + REQUEST.removed]!;
    s[at + SNAPSHOT.files] = held | bit(s[r + REQUEST.file]!);
    const lostRows = rowsOf(s, s[of(s[main]!, SNAPSHOT.files)]!).rows & ~rowsOf(s, s[at + SNAPSHOT.files]!).rows;
    if (kind !== Kind.rollback && lostRows >> places.offsets !== 0) breaks(s, Broken.othersLost);
    s[main] = id;
    if (kind !== Kind.replace && (movesTag || kind !== Kind.checkpoint)) s[tag] = id;
    if (kind === Kind.checkpoint && s[r + REQUEST.schema] !== s[places.schema]) breaks(s, Broken.misfit);
    if (kind === Kind.checkpoint && s[at + SNAPSHOT.epoch]! < s[places.highestEpoch]!) breaks(s, Broken.fencedWrite);
    // Stamped with the epoch that it was planned under.
    if (kind === Kind.replace && s[at + SNAPSHOT.epoch]! !== beforeEpoch && before !== 0) breaks(s, Broken.fencedWrite);
    if (kind !== Kind.replace && kind !== Kind.rollback && s[at + SNAPSHOT.position]! < beforePosition)
      breaks(s, Broken.positionBack);
    if (kind !== Kind.replace || tagWasOnMain) checkRows(s, id);
    if (s[at + SNAPSHOT.epoch]! > s[places.highestEpoch]! && kind !== Kind.replace)
      s[places.highestEpoch] = s[at + SNAPSHOT.epoch]!;
    const checkpoint = s[at + SNAPSHOT.checkpoint]!;
    if (s[at + SNAPSHOT.position]! > s[places.highestPosition]!) s[places.highestPosition] = s[at + SNAPSHOT.position]!;
    if (kind !== Kind.replace && checkpoint > s[places.highestCheckpoint]!) s[places.highestCheckpoint] = checkpoint;
    return true;
  }

  /** The refs go back to old snapshots. */
  function moveBack(s: Uint8Array, target: number): boolean {
    s[main] = target;
    for (let id = target; id !== 0; id = s[of(id, SNAPSHOT.parent)]!) {
      const kind = s[of(id, SNAPSHOT.kind)]!;
      if (kind === Kind.replace || kind === Kind.foreign) continue;
      s[tag] = id;
      return true;
    }
    return true;
  }

  function expire(s: Uint8Array, mask: number): boolean {
    // Catalogs refuse to let a ref dangle; without the assertions that is not relied on either.
    if (expiryAsserts && (mask & (bit(s[main]!) | (tagMayGo ? 0 : bit(s[tag]!)))) !== 0) return false;
    for (let id = 1; id <= snapshots.length; id++) if ((mask & bit(id)) !== 0 && isHeld(s, id)) forget(s, id);
    return true;
  }

  function forget(s: Uint8Array, id: number): void {
    const at = of(id, SNAPSHOT.state);
    s.fill(0, at + 1, at + 7);
    s[at] = Held.expired;
    if (s[tag] === id && tagMayGo) s[tag] = 0;
  }

  /** Files that nothing reaches and whose names say that nothing ever will, as bits. */
  function garbage(s: Uint8Array, jobMayCome: boolean): number {
    const at = s[tag] === 0 ? null : of(s[tag]!, SNAPSHOT.state);
    if (at === null) return 0;
    const epoch = s[at + SNAPSHOT.epoch]!;
    const checkpoint = s[at + SNAPSHOT.checkpoint]! + (removed.has("garbage ends at the tag's checkpoint") ? 1 : 0);
    let mask = 0;
    for (let file = 1; file <= files.length; file++) {
      const own = files[file - 1]!;
      const isJob = s[own + FILE.checkpoint] === JOB;
      // Of others, or no file.
      if (s[own + FILE.epoch] === 0) continue;
      const ended = isJob
        ? s[own + FILE.epoch]! < epoch ||
          (s[own + FILE.epoch] === epoch && !jobMayCome) ||
          (removed.has("garbage of jobs is of older epochs") && s[own + FILE.epoch]! <= epoch)
        : s[own + FILE.epoch]! < epoch || (s[own + FILE.epoch] === epoch && s[own + FILE.checkpoint]! <= checkpoint);
      if (ended || removed.has("garbage is decided by name")) mask |= bit(file);
    }
    return mask & ~referenced(s) & ~s[deleted]!;
  }

  /** Refs name snapshots that are held, and snapshots hold files that are there. */
  function check(s: Uint8Array): void {
    if (s[main] !== 0 && !isHeld(s, s[main]!)) breaks(s, Broken.refDangles);
    if (s[tag] !== 0 && !isHeld(s, s[tag]!)) breaks(s, Broken.refDangles);
    if (s[deleted] !== 0 && (referenced(s) & s[deleted]!) !== 0) breaks(s, Broken.missingFile);
    if (removed.has("names of jobs are random")) checkRows(s, s[main]!);
  }

  function copyRequest(s: Uint8Array, from: number, to: number): void {
    s.copyWithin(to, from, from + REQUEST_SIZE);
  }

  function clearRequest(s: Uint8Array, at: number): void {
    s.fill(0, at, at + REQUEST_SIZE);
  }

  return {
    of,
    isHeld,
    onMain,
    draw,
    write,
    bit,
    referenced,
    rowsOf,
    positionOf,
    apply,
    garbage,
    check,
    sweep,
    copyRequest,
    clearRequest,
  };
}
