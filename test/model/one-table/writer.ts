import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import { At, Broken, breaks, Kind, type Places, PROCESS, REQUEST, SNAPSHOT } from "./state.ts";
import type { Removed, Table } from "./table.ts";

/**
 * One process of the job: takes the table over, reads changes, makes their file durable, commits, acknowledges (`fence.ts`, `commit-group.ts`,
 * `pipeline-committer.ts`). A load, the decision on it and the sending of what was decided are one step: a request carries what it
 * was decided on. After a lost answer the process stands where it stood before the load.
 */
export function writerActions(places: Places, table: Table, removed: Removed, number: number): Action[] {
  const p = places.processes[number]!;
  const request = p + PROCESS.request;
  const at = p + PROCESS.at;
  const { of, isHeld, onMain, draw } = table;
  const { tag, main, acknowledged } = places;
  const name = `p${number}`;
  const needsTag = !removed.has("a lost tag is no new pipeline") && !removed.has("the position is read from the tag");
  const goesOn = removed.has("who has landed behind a take-over stops");
  const checksMain = !removed.has("loads check that main holds the tag");
  const step = (what: string, fault: boolean, run: Action["step"]): Action => ({
    name: `${name}: ${what}`,
    fault,
    step: run,
  });

  const isAlive = (s: Uint8Array, place: number): boolean => s[place]! >= At.fencing && s[place]! <= At.committed;

  function end(s: Uint8Array, how: number): true {
    s.fill(0, p, request + 10);
    s[at] = how;
    return true;
  }

  /** Another process has taken over. */
  function fenced(s: Uint8Array): true {
    const epoch = s[tag] === 0 ? 0 : s[of(s[tag]!, SNAPSHOT.epoch)]!;
    if (s[at]! >= At.running && epoch <= s[p + PROCESS.epoch]!) {
      if (s[places.tampered] === 0) breaks(s, Broken.falseFence);
      return end(s, At.stopped);
    }
    return end(s, At.fenced);
  }

  /** The operator has to say how to go on. */
  function stop(s: Uint8Array): true {
    if (s[places.tampered] === 0) breaks(s, Broken.falseStop);
    return end(s, At.stopped);
  }

  /** Whether the tag may be believed; `main` must hold it. */
  function tagIsOnMain(s: Uint8Array): boolean {
    return !checksMain || onMain(s, s[tag]!) === true;
  }

  /** The table is ours: go on from its position, if the source still has what comes after. */
  function resume(s: Uint8Array, id: number): true {
    const from = of(id, SNAPSHOT.state);
    const position = s[from + SNAPSHOT.position]!;
    const [epoch, checkpoint] = [s[from + SNAPSHOT.epoch]!, s[from + SNAPSHOT.checkpoint]!];
    s.fill(0, p, request + 10);
    s[at] = At.running;
    s[p + PROCESS.epoch] = epoch;
    s[p + PROCESS.checkpoint] = checkpoint;
    s[p + PROCESS.tag] = id;
    s[p + PROCESS.position] = position;
    s[p + PROCESS.schema] = s[places.schema]!;
    if (position >= s[acknowledged]!) return true;
    if (!removed.has("what the source has forgotten is not passed over")) return end(s, At.stopped);
    s[p + PROCESS.position] = s[acknowledged]!;
    return true;
  }

  function send(s: Uint8Array, kind: number, epoch: number, checkpoint: number, position: number, file: number): void {
    s[request + REQUEST.kind] = kind;
    s[request + REQUEST.snapshot] = s[p + PROCESS.snapshot]!;
    s[request + REQUEST.main] = s[main]!;
    s[request + REQUEST.schema] = s[places.schema]!;
    s[request + REQUEST.epoch] = epoch;
    s[request + REQUEST.checkpoint] = checkpoint;
    s[request + REQUEST.position] = position;
    s[request + REQUEST.file] = file;
  }

  const start = step("start", false, (s) => {
    if (s[at] !== At.off && s[at] !== At.fenced) return false;
    if (places.processes.some((other) => isAlive(s, other))) return false;
    s[at] = At.fencing;
    return true;
  });

  const takeOver = step("start beside the other", true, (s) => {
    if (s[at] !== At.off || !places.processes.some((other) => isAlive(s, other)) || !spend(s, places.takeOvers))
      return false;
    s[at] = At.fencing;
    return true;
  });

  /** Where a process would resume that reads the stamps below `main` and not the tag. */
  function newestOnMain(s: Uint8Array): number {
    for (let id = s[main]!; id !== 0 && isHeld(s, id); id = s[of(id, SNAPSHOT.parent)]!) {
      const kind = s[of(id, SNAPSHOT.kind)]!;
      if (kind !== Kind.replace && kind !== Kind.foreign) return id;
    }
    return 0;
  }

  const fence = step("load, fence sent", false, (s) => {
    if (s[at] !== At.fencing) return false;
    const own = s[p + PROCESS.snapshot]!;
    const known = removed.has("the position is read from the tag") ? newestOnMain(s) : s[tag]!;
    if (own !== 0 && isHeld(s, own)) return known === own || goesOn ? resume(s, own) : end(s, At.fenced);
    if (known === 0 && needsTag) return stop(s);
    if (known !== 0 && s[tag] === known && !tagIsOnMain(s)) return stop(s);
    if (own === 0) {
      s[p + PROCESS.snapshot] = draw(s);
    }
    const [epoch, checkpoint, position] =
      known === 0
        ? [0, 0, 0]
        : [s[of(known, SNAPSHOT.epoch)]!, s[of(known, SNAPSHOT.checkpoint)]!, s[of(known, SNAPSHOT.position)]!];
    send(s, Kind.fence, epoch + (removed.has("a start raises the epoch") ? 0 : 1), checkpoint, position, 0);
    s[request + REQUEST.tag] = s[tag]!;
    s[at] = At.fenceSent;
    return true;
  });

  /** Reads changes and writes their file. */
  const prepare = (rows: number): Action =>
    step(rows === 1 ? "prepare" : `prepare ${rows} rows`, false, (s) => {
      const from = s[p + PROCESS.position]!;
      if (s[at] !== At.running || from + rows > places.offsets) return false;
      const cut = from + rows;
      const file = table.write(s, s[p + PROCESS.epoch]!, s[p + PROCESS.checkpoint]! + 1, (1 << cut) - (1 << from));
      s[p + PROCESS.file] = file;
      s[p + PROCESS.cut] = cut;
      s[p + PROCESS.snapshot] = 0;
      s[at] = At.prepared;
      if (removed.has("acknowledged after the commit")) acknowledge(s, cut);
      return true;
    });

  /** Another attempt, or the answer to the last one. */
  const commit = step("load, commit sent", false, (s) => {
    if (s[at] !== At.prepared) return false;
    const own = s[p + PROCESS.snapshot]!;
    if (own !== 0 && isHeld(s, own) && !removed.has("an answer that was lost is looked for"))
      return s[tag] === own || goesOn || removed.has("the tag moves with main") ? committed(s) : fenced(s);
    const [fresh, schema] = removed.has("conflicts are answered with a fresh load")
      ? [true, s[p + PROCESS.schema]!]
      : [s[places.schema] === s[p + PROCESS.schema], s[places.schema]!];
    if (s[tag] === 0 && needsTag) return stop(s);
    if (s[tag] !== 0 && !tagIsOnMain(s)) return stop(s);
    if (removed.has("the expected tag is one's own")) s[p + PROCESS.tag] = s[tag]!;
    else if (s[tag] !== s[p + PROCESS.tag] && s[tag] !== 0 && !removed.has("the tag is asserted")) return fenced(s);
    // The files do not fit: the process ends, and the next one writes them anew.
    if (!fresh) return end(s, At.off);
    if (own === 0 || removed.has("one id over all attempts")) {
      s[p + PROCESS.snapshot] = draw(s);
    }
    send(
      s,
      Kind.checkpoint,
      s[p + PROCESS.epoch]!,
      s[p + PROCESS.checkpoint]! + 1,
      s[p + PROCESS.cut]!,
      s[p + PROCESS.file]!,
    );
    s[request + REQUEST.tag] = s[p + PROCESS.tag]!;
    s[request + REQUEST.schema] = schema;
    s[at] = At.commitSent;
    return true;
  });

  function committed(s: Uint8Array): true {
    if (!removed.has("the tag moves with main")) s[p + PROCESS.tag] = s[p + PROCESS.snapshot]!;
    s[p + PROCESS.position] = s[p + PROCESS.cut]!;
    s[p + PROCESS.checkpoint]!++;
    s[p + PROCESS.snapshot] = s[p + PROCESS.file] = s[p + PROCESS.cut] = 0;
    s[at] = At.committed;
    return true;
  }

  const isSent = (s: Uint8Array): boolean => s[at] === At.fenceSent || s[at] === At.commitSent;

  /** The answer tells what became of the request. */
  function answered(s: Uint8Array, done: boolean): void {
    const fencing = s[at] === At.fenceSent;
    const id = s[request + REQUEST.snapshot]!;
    table.clearRequest(s, request);
    if (!done) s[at] = fencing ? At.fencing : At.prepared;
    else if (fencing) resume(s, id);
    else committed(s);
  }

  /** The process will look for its snapshot. */
  function unknown(s: Uint8Array): void {
    if (s[at] === At.commitSent && removed.has("an answer that was lost is no commit")) return answered(s, true);
    table.clearRequest(s, request);
    const file = s[p + PROCESS.file]!;
    if (s[at] === At.commitSent && removed.has("nothing is deleted on an unknown outcome"))
      s[places.deleted]! |= table.bit(file);
    s[at] = s[at] === At.fenceSent ? At.fencing : At.prepared;
  }

  const applied = step("commit applied or refused", false, (s) => {
    if (!isSent(s)) return false;
    answered(s, table.apply(s, request));
    return true;
  });

  const lost = step("answer lost", true, (s) => {
    if (!isSent(s) || !spend(s, places.lostAnswers)) return false;
    table.apply(s, request);
    unknown(s);
    return true;
  });

  const keepLate = (s: Uint8Array): boolean => {
    const free = places.late.find((slot) => s[slot] === Kind.none);
    if (free === undefined) return false;
    table.copyRequest(s, request, free);
    return true;
  };

  const delayed = step("request delayed", true, (s) => {
    if (!isSent(s) || s[places.delays] === 0 || !keepLate(s)) return false;
    s[places.delays]!--;
    unknown(s);
    return true;
  });

  const repeated = step("commit applied, request repeated", true, (s) => {
    if (!isSent(s) || s[places.repeats] === 0 || !keepLate(s)) return false;
    s[places.repeats]!--;
    answered(s, table.apply(s, request));
    return true;
  });

  function acknowledge(s: Uint8Array, position: number): void {
    if (position <= s[acknowledged]!) return;
    s[acknowledged] = position;
    // A crash now, and nobody has the change any more.
    if (s[places.highestPosition]! < position) breaks(s, Broken.lost);
  }

  const acknowledges = step("acknowledge", false, (s) => {
    if (s[at] !== At.committed) return false;
    acknowledge(s, s[p + PROCESS.position]!);
    s[at] = At.running;
    return true;
  });

  const idle = step("idle: load", false, (s) => {
    if (s[at] !== At.running || removed.has("idle writers look at the refs")) return false;
    if (s[tag] === s[p + PROCESS.tag] && (s[tag] === 0 || tagIsOnMain(s))) return false;
    if (s[tag] === 0) return needsTag && stop(s);
    if (!tagIsOnMain(s)) return stop(s);
    return fenced(s);
  });

  const crash = step("crash", true, (s) => {
    if (!isAlive(s, at) || !spend(s, places.crashes)) return false;
    return end(s, At.off);
  });

  const crashAfterSend = step("crash, the request under way", true, (s) => {
    if (!isSent(s) || s[places.crashes] === 0 || !keepLate(s)) return false;
    s[places.crashes]!--;
    return end(s, At.off);
  });

  return [
    start,
    ...(number === 0 ? [] : [takeOver]),
    fence,
    prepare(1),
    ...(places.offsets > 1 ? [prepare(2)] : []),
    commit,
    applied,
    lost,
    delayed,
    repeated,
    acknowledges,
    idle,
    crash,
    crashAfterSend,
  ];
}
