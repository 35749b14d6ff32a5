import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import { FILE, JOB, Kind, type Places, REQUEST, SERVICE, Serving, SNAPSHOT } from "./state.ts";
import type { Removed, Table } from "./table.ts";

/** A service's way to the catalog: it sends, and after a lost answer it looks for what it wanted. */
function requests(
  places: Places,
  table: Table,
  name: string,
  service: number,
  ends: (s: Uint8Array, done: boolean | null) => void,
): Action[] {
  const request = service + SERVICE.request;
  const at = service + SERVICE.at;
  const keepLate = (s: Uint8Array): boolean => {
    const free = places.late.find((slot) => s[slot] === Kind.none);
    if (free === undefined) return false;
    table.copyRequest(s, request, free);
    return true;
  };
  const finish = (s: Uint8Array, done: boolean | null): true => {
    table.clearRequest(s, request);
    s[at] = Serving.ready;
    ends(s, done);
    return true;
  };
  return [
    {
      name: `${name}: commit applied or refused`,
      fault: false,
      step: (s) => s[at] === Serving.sent && finish(s, table.apply(s, request)),
    },
    {
      name: `${name}: answer lost`,
      fault: true,
      step(s) {
        if (s[at] !== Serving.sent || !spend(s, places.lostAnswers)) return false;
        table.apply(s, request);
        return finish(s, null);
      },
    },
    {
      name: `${name}: request delayed`,
      fault: true,
      step(s) {
        if (s[at] !== Serving.sent || s[places.delays] === 0 || !keepLate(s)) return false;
        s[places.delays]!--;
        return finish(s, null);
      },
    },
  ];
}

function rest(s: Uint8Array, service: number): true {
  s.fill(0, service, service + SERVICE.request + 10);
  return true;
}

/** Rewrites all files of the table into one (`compact.ts`, `maintenance-commit.ts`). */
export function compactorActions(places: Places, table: Table, removed: Removed): Action[] {
  const c = places.compactor;
  if (c === null) return [];
  const { main, tag } = places;
  const { of, isHeld, draw } = table;
  const request = c + SERVICE.request;
  const compares = !removed.has("compaction compares epochs");
  const epochNow = (s: Uint8Array): number => (s[tag] === 0 ? 0 : s[of(s[tag]!, SNAPSHOT.epoch)]!);

  /** Under the name of an earlier job, where names are not random. */
  function sameName(s: Uint8Array, epoch: number): number {
    if (!removed.has("names of jobs are random")) return 0;
    for (let file = 1; file <= places.files.length; file++) {
      const at = places.files[file - 1]!;
      if (s[at + FILE.checkpoint] === JOB && s[at + FILE.epoch] === epoch) return file;
    }
    return 0;
  }

  const write: Action = {
    name: "compactor: load, write",
    fault: true,
    step(s) {
      if (s[c + SERVICE.at] !== Serving.idle || s[main] === 0 || s[places.compactions] === 0) return false;
      const inputs = s[of(s[main]!, SNAPSHOT.files)]!;
      if (inputs === 0) return false;
      const { rows } = table.rowsOf(s, inputs);
      const epoch = epochNow(s);
      const overwritten = sameName(s, epoch);
      const file = overwritten === 0 ? table.write(s, epoch, JOB, rows) : overwritten;
      s[places.compactions]!--;
      s[places.files[file - 1]! + FILE.rows] = rows;
      s[places.deleted]! &= ~table.bit(file);
      s[c + SERVICE.at] = Serving.ready;
      s[c + SERVICE.snapshot] = 0;
      s[c + SERVICE.epoch] = epoch;
      s[c + SERVICE.file] = file;
      s[c + SERVICE.chosen] = inputs;
      return true;
    },
  };

  const commit: Action = {
    name: "compactor: load, commit sent",
    fault: false,
    step(s) {
      if (s[c + SERVICE.at] !== Serving.ready) return false;
      const own = s[c + SERVICE.snapshot]!;
      if (own !== 0 && isHeld(s, own)) return rest(s, c);
      if (s[main] === 0 || (compares && epochNow(s) !== s[c + SERVICE.epoch])) return rest(s, c);
      // Files that are gone, by a rollback: nothing is left to do.
      if ((s[of(s[main]!, SNAPSHOT.files)]! & s[c + SERVICE.chosen]!) !== s[c + SERVICE.chosen]) return rest(s, c);
      if (own === 0) {
        s[c + SERVICE.snapshot] = draw(s);
      }
      s[request + REQUEST.kind] = Kind.replace;
      s[request + REQUEST.snapshot] = s[c + SERVICE.snapshot]!;
      s[request + REQUEST.main] = s[main]!;
      s[request + REQUEST.tag] = s[tag]!;
      s[request + REQUEST.schema] = s[places.schema]!;
      s[request + REQUEST.epoch] = s[c + SERVICE.epoch]!;
      s[request + REQUEST.file] = s[c + SERVICE.file]!;
      s[request + REQUEST.removed] = s[c + SERVICE.chosen]!;
      s[c + SERVICE.at] = Serving.sent;
      return true;
    },
  };

  const ends = (s: Uint8Array, done: boolean | null): void => {
    if (done === true || (done === null && removed.has("a job with an unknown outcome is not over"))) rest(s, c);
  };
  return [write, commit, ...requests(places, table, "compactor", c, ends)];
}

/** Takes snapshots out of the table, then deletes what nothing reaches any more (`expire.ts`, `expire-commit.ts`). */
export function expirerActions(places: Places, table: Table, removed: Removed): Action[] {
  const e = places.expirer;
  if (e === null) return [];
  const { main, tag } = places;
  const { of, isHeld, bit } = table;
  const request = e + SERVICE.request;

  /** Snapshots that the policy lets go: all but those that refs name and those between a tag and `main`. */
  function gone(s: Uint8Array): number {
    let kept = bit(s[main]!);
    const tagMayGo = removed.has("the tag does not expire") || removed.has("the position is read from the tag");
    if (s[tag] !== 0 && !tagMayGo) kept |= bit(s[tag]!);
    if (s[tag] !== 0 && !tagMayGo && !removed.has("snapshots between tag and main stay")) {
      let between = 0;
      for (let id = s[main]!; isHeld(s, id); id = s[of(id, SNAPSHOT.parent)]!) {
        between |= bit(id);
        if (id === s[tag]) kept |= between;
      }
    }
    let mask = 0;
    for (let id = 1; id <= places.snapshots.length; id++) if (isHeld(s, id)) mask |= bit(id);
    return mask & ~kept;
  }

  function filesOf(s: Uint8Array, snapshots: number): number {
    let mask = 0;
    for (let id = 1; id <= places.snapshots.length; id++) {
      if ((snapshots & bit(id)) !== 0 && isHeld(s, id)) mask |= s[of(id, SNAPSHOT.files)]!;
    }
    return mask;
  }

  const plan: Action = {
    name: "expirer: plan",
    fault: true,
    step(s) {
      if (s[e + SERVICE.at] !== Serving.idle || s[main] === 0 || s[places.expiries] === 0 || gone(s) === 0)
        return false;
      s[places.expiries]!--;
      s[e + SERVICE.at] = Serving.ready;
      s[e + SERVICE.chosen] = gone(s);
      return true;
    },
  };

  const commit: Action = {
    name: "expirer: load, commit sent",
    fault: false,
    step(s) {
      if (s[e + SERVICE.at] !== Serving.ready) return false;
      const chosen = s[e + SERVICE.chosen]! & gone(s);
      if (chosen === 0) {
        // Nothing left: perhaps an earlier request of ours took effect.
        s[e + SERVICE.at] = s[e + SERVICE.files] === 0 ? Serving.idle : Serving.done;
        return s[e + SERVICE.at] === Serving.idle ? rest(s, e) : true;
      }
      s[e + SERVICE.files]! |= filesOf(s, chosen);
      s[request + REQUEST.kind] = Kind.expire;
      s[request + REQUEST.main] = s[main]!;
      s[request + REQUEST.tag] = s[tag]!;
      s[request + REQUEST.removed] = chosen;
      s[e + SERVICE.at] = Serving.sent;
      return true;
    },
  };

  const remove: Action = {
    name: "expirer: load, delete",
    fault: false,
    step(s) {
      if (s[e + SERVICE.at] !== Serving.done) return false;
      s[places.deleted]! |= s[e + SERVICE.files]! & ~table.referenced(s);
      return rest(s, e);
    },
  };

  /** Of what was planned: all that no other snapshot of the plan's metadata reached. */
  function deletePlanned(s: Uint8Array): void {
    const kept = filesOf(s, 255 & ~s[e! + SERVICE.chosen]!);
    s[places.deleted]! |= s[e! + SERVICE.files]! & ~kept;
    rest(s, e!);
  }

  const ends = (s: Uint8Array, done: boolean | null): void => {
    if (done === null && removed.has("what expiry deletes is decided by reloaded metadata")) return deletePlanned(s);
    if (done === true) s[e + SERVICE.at] = Serving.done;
  };
  return [plan, commit, remove, ...requests(places, table, "expirer", e, ends)];
}

/** Rolls the table back to any snapshot that it holds (`rollback.ts`). */
export function operatorActions(places: Places, table: Table, removed: Removed): Action[] {
  const o = places.operator;
  if (o === null) return [];
  const { main, tag } = places;
  const { of, isHeld, draw } = table;
  const request = o + SERVICE.request;
  const plans = places.snapshots.map((_, index): Action => ({
    name: `operator: plan rollback to ${index + 1}`,
    fault: true,
    step(s) {
      const target = index + 1;
      if (s[o + SERVICE.at] !== Serving.idle || !isHeld(s, target) || s[main] === target || s[places.rollbacks] === 0)
        return false;
      s[places.rollbacks]!--;
      s[o + SERVICE.at] = Serving.ready;
      s[o + SERVICE.chosen] = target;
      s[o + SERVICE.epoch] = s[places.highestEpoch]! + (removed.has("a rollback raises the epoch") ? 0 : 1);
      s[o + SERVICE.file] = removed.has("a rollback has its target's position")
        ? s[places.highestPosition]!
        : table.positionOf(s, target);
      s[o + SERVICE.files] = s[places.highestCheckpoint]! + 1;
      return true;
    },
  }));
  const commit: Action = {
    name: "operator: load, rollback sent",
    fault: false,
    step(s) {
      if (s[o + SERVICE.at] !== Serving.ready) return false;
      const own = s[o + SERVICE.snapshot]!;
      const target = s[o + SERVICE.chosen]!;
      if (own !== 0 && isHeld(s, own)) return rest(s, o);
      const stops = !removed.has("a rollback stops under a newer epoch") && !removed.has("a rollback raises the epoch");
      // Somebody has started meanwhile, or the target is gone.
      const tagEpoch = s[tag] === 0 ? 0 : s[of(s[tag]!, SNAPSHOT.epoch)]!;
      const isTaken = tagEpoch >= s[o + SERVICE.epoch]! && stops;
      if (isTaken || !isHeld(s, target)) return rest(s, o);
      if (own === 0) {
        s[o + SERVICE.snapshot] = draw(s);
      }
      if (removed.has("rollbacks make new snapshots")) s[places.tampered] = 1;
      s[request + REQUEST.kind] = Kind.rollback;
      s[request + REQUEST.snapshot] = s[o + SERVICE.snapshot]!;
      s[request + REQUEST.main] = s[main]!;
      s[request + REQUEST.tag] = s[tag]!;
      s[request + REQUEST.schema] = s[places.schema]!;
      s[request + REQUEST.epoch] = s[o + SERVICE.epoch]!;
      s[request + REQUEST.checkpoint] = s[o + SERVICE.files]!;
      s[request + REQUEST.position] = s[o + SERVICE.file]!;
      s[request + REQUEST.removed] = target;
      s[o + SERVICE.at] = Serving.sent;
      return true;
    },
  };
  const ends = (s: Uint8Array, done: boolean | null): void => {
    if (done === true) rest(s, o);
  };
  return [...plans, commit, ...requests(places, table, "operator", o, ends)];
}

/** Deletes what no name may yet come to be needed (`clean-orphans/plan.ts`), in two steps, between which anything may happen. */
export function cleanerActions(places: Places, table: Table, removed: Removed): Action[] {
  /**
   * Files of a job under the present epoch are deleted when they are a day old: by then the job has given up (`MAINTENANCE_COMMIT_MS`), and no
   * request of it is under way any more.
   */
  const jobMayCome = (s: Uint8Array): boolean =>
    (places.compactor !== null && s[places.compactor + SERVICE.at] !== Serving.idle) ||
    (!removed.has("a job with an unknown outcome is not over") && places.late.some((slot) => s[slot] === Kind.replace));
  return [
    {
      name: "cleaner: list, load",
      fault: true,
      step(s) {
        if (s[places.garbage] !== 0) return false;
        const found = table.garbage(s, jobMayCome(s));
        if (found === 0 || !spend(s, places.cleanings)) return false;
        s[places.garbage] = found;
        return true;
      },
    },
    {
      name: "cleaner: delete",
      fault: true,
      step(s) {
        if (s[places.garbage] === 0) return false;
        s[places.deleted]! |= s[places.garbage]!;
        s[places.garbage] = 0;
        return true;
      },
    },
  ];
}

/** Others: they append, set `main` back, drop the tag and change the schema. Each in one step, by their own catalog's care. */
export function strangerActions(places: Places, table: Table): Action[] {
  const { main, tag, tampered } = places;
  const { of, isHeld, draw } = table;
  const append: Action = {
    name: "stranger: append",
    fault: true,
    step(s) {
      if (s[main] === 0 || s[places.foreignAppends] === 0) return false;
      const file = table.write(s, 0, 0, 1 << places.offsets);
      const id = draw(s);
      s[places.foreignAppends]!--;
      const at = of(id, SNAPSHOT.state);
      s[at] = 2;
      s[at + SNAPSHOT.kind] = Kind.foreign;
      s[at + SNAPSHOT.parent] = s[main]!;
      s[at + SNAPSHOT.files] = s[of(s[main]!, SNAPSHOT.files)]! | table.bit(file);
      s[main] = id;
      return true;
    },
  };
  const undo: Action = {
    name: "stranger: main set back",
    fault: true,
    step(s) {
      if (s[main] === 0) return false;
      const parent = s[of(s[main]!, SNAPSHOT.parent)]!;
      if (!isHeld(s, parent) || !spend(s, places.undos)) return false;
      s[main] = parent;
      s[tampered] = 1;
      return true;
    },
  };
  const dropTag: Action = {
    name: "stranger: tag dropped",
    fault: true,
    step(s) {
      if (s[tag] === 0 || !spend(s, places.tagDrops)) return false;
      s[tag] = 0;
      s[tampered] = 1;
      return true;
    },
  };
  const changeSchema: Action = {
    name: "stranger: schema changed",
    fault: true,
    step(s) {
      if (!spend(s, places.schemaChanges)) return false;
      s[places.schema]!++;
      return true;
    },
  };
  const late = places.late.map((slot, index): Action => ({
    name: `late request ${index + 1}: commit applied or refused`,
    fault: true,
    step(s) {
      if (s[slot] === Kind.none) return false;
      table.apply(s, slot);
      table.clearRequest(s, slot);
      return true;
    },
  }));
  return [append, undo, dropTag, changeSchema, ...late];
}
