import {
  Broken,
  COMPACTOR,
  FILE,
  FILES,
  Kind,
  keyOf,
  type Places,
  REQUEST,
  REQUEST_SIZE,
  type Removed,
  ROWS,
  WRITER,
} from "./state.ts";

export type Table = ReturnType<typeof tableOf>;

/** The table: its live files with their vectors, and what a request does to them. */
export function tableOf(places: Places, removed: Removed) {
  const { files, head, heads } = places;
  const at = (file: number, field: number): number => files[file - 1]! + field;
  const bit = (file: number): number => 1 << (file - 1);
  const rowCount = (s: Uint8Array, file: number): number =>
    s[at(file, FILE.rows + 1)] === 0 ? (s[at(file, FILE.rows)] === 0 ? 0 : 1) : 2;
  const allRows = (s: Uint8Array, file: number): number => (1 << rowCount(s, file)) - 1;

  /** A file with a number that nobody knows. @throws Error when the state has no room */
  function write(s: Uint8Array, rows: readonly number[]): number {
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.rows)] !== 0) continue;
      for (const [index, row] of rows.entries()) s[at(file, FILE.rows + index)] = row;
      return file;
    }
    throw new Error("no room for a file");
  }

  /** The rows that readers see. */
  function liveRows(s: Uint8Array): { file: number; row: number; value: number }[] {
    const found: { file: number; row: number; value: number }[] = [];
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.live)] === 0) continue;
      for (let row = 0; row < rowCount(s, file); row++) {
        if ((s[at(file, FILE.dead)]! & (1 << row)) === 0)
          found.push({ file, row, value: s[at(file, FILE.rows + row)]! });
      }
    }
    return found;
  }

  /** Each key has the row that it must have, once. */
  function check(s: Uint8Array): void {
    const seen = [0, 0];
    for (const { value } of liveRows(s)) {
      const key = keyOf(value);
      if (s[places.truth[key as 0]] !== (value & 15)) s[0] ||= Broken.deadLives;
      else if (seen[key]!++ > 0) s[0] ||= Broken.doubled;
    }
    for (const key of [0, 1] as const) if (s[places.truth[key]] !== 0 && seen[key] === 0) s[0] ||= Broken.lost;
  }

  function newHead(s: Uint8Array): void {
    s[head] = ++s[heads]!;
  }

  /** What is true of the keys behind further changes. */
  function advanceTruth(s: Uint8Array, from: number, to: number): void {
    for (let number = from + 1; number <= to; number++) {
      const { op, key } = places.changes[number - 1]!;
      s[places.truth[key]] = op === "delete" ? 0 : number;
    }
  }

  function apply(s: Uint8Array, r: number): boolean {
    const isCommit = s[r] === Kind.commit;
    const asserts = isCommit ? !removed.has("the writer asserts main") : !removed.has("compaction asserts main");
    if (asserts && s[r + REQUEST.base] !== s[head]) return false;
    if (s[r + REQUEST.tag] !== s[places.tag]) return false;
    // Set back, main is what a request expects that was overtaken: its number is used up.
    if (s[r + REQUEST.sequence]! <= s[heads]! && asserts && !removed.has("sequence numbers only rise")) return false;
    // Its snapshot is there already.
    if (isCommit && s[places.position]! >= s[r + REQUEST.cut]!) return false;
    for (let file = 1; file <= FILES; file++) {
      if ((s[r + REQUEST.touched]! & bit(file)) !== 0) s[at(file, FILE.dead)] = s[r + REQUEST.dead + file - 1]!;
      if ((s[r + REQUEST.dropped]! & bit(file)) !== 0) s[at(file, FILE.live)] = 0;
    }
    const file = s[r + REQUEST.file]!;
    if (file !== 0) s[at(file, FILE.live)] = 1;
    newHead(s);
    if (isCommit) {
      advanceTruth(s, s[places.position]!, s[r + REQUEST.cut]!);
      s[places.position] = s[r + REQUEST.cut]!;
      s[places.own] = s[head]!;
    }
    return true;
  }

  /** Files that nobody knows make room; a number that the index still has is not given again. */
  function sweep(s: Uint8Array): void {
    let known = 0;
    const requests = [
      places.writer + WRITER.plan,
      ...(places.compactor === null ? [] : [places.compactor + COMPACTOR.left + FILES]),
      ...places.late,
    ];
    for (const r of requests) {
      if (s[r] === Kind.none) continue;
      known |= s[r + REQUEST.dropped]! | s[r + REQUEST.touched]!;
      if (s[r + REQUEST.file] !== 0) known |= bit(s[r + REQUEST.file]!);
    }
    if (s[places.writer + WRITER.file] !== 0) known |= bit(s[places.writer + WRITER.file]!);
    if (places.compactor !== null && s[places.compactor + COMPACTOR.file] !== 0) {
      known |= bit(s[places.compactor + COMPACTOR.file]!) | s[places.compactor + COMPACTOR.inputs]!;
    }
    for (let file = 1; file <= FILES; file++) {
      if (s[at(file, FILE.live)] !== 0 || s[at(file, FILE.known)] !== 0) known |= bit(file);
      if (places.before !== null && s[places.before] !== 0 && s[places.before + 2 + file]! !== 0) known |= bit(file);
    }
    if (!removed.has("file numbers are not used again")) {
      for (const key of [0, 1] as const) if (s[places.memory[key]] !== 0) known |= bit(s[places.memory[key]]! >> 1);
    }
    // Ways through compactions are kept as long as they lead somewhere.
    for (let turn = 0; turn < FILES; turn++) {
      for (let file = 1; file <= FILES; file++) {
        const to = s[at(file, FILE.movedTo)]!;
        if (to !== 0 && (known & bit(to)) !== 0) known |= bit(file);
      }
    }
    for (let file = 1; file <= FILES; file++) {
      if ((known & bit(file)) !== 0) {
        if (s[at(file, FILE.movedTo)] !== 0 && (known & bit(s[at(file, FILE.movedTo)]!)) === 0)
          s.fill(0, at(file, FILE.movedTo), at(file, FILE.left) + 1);
      } else if (s[at(file, FILE.rows)] !== 0) s.fill(0, at(file, 0), at(file, FILE.left) + 1);
    }
  }

  const copyRequest = (s: Uint8Array, from: number, to: number): void => {
    s.copyWithin(to, from, from + REQUEST_SIZE);
  };
  const clearRequest = (s: Uint8Array, request: number): void => {
    s.fill(0, request, request + REQUEST_SIZE);
  };

  return { at, bit, rowCount, allRows, write, liveRows, check, newHead, apply, sweep, copyRequest, clearRequest, ROWS };
}
