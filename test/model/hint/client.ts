import type { Action } from "../explore.ts";
import { spend } from "../layout.ts";
import { At, CLIENT, FILE, type Places, REQUEST, type Removed, Stored } from "./state.ts";

/**
 * A client that commits: it reads the hint, writes the next metadata file and replaces the hint if it is still what was read. Told of a conflict it
 * commits anew without a look, as the catalog promises that nothing has happened; told that the outcome is unknown it looks for its mark.
 */
export function clientActions(places: Places, removed: Removed, number: number): Action[] {
  const c = places.clients[number]!;
  const { hint, files } = places;
  const of = (file: number, field: number): number => files[file - 1]! + field;
  const step = (what: string, fault: boolean, run: Action["step"]): Action => ({
    name: `c${number}: ${what}`,
    fault,
    step: run,
  });

  const logs = (s: Uint8Array, file: number, wanted: number): boolean => {
    for (let index = 0; index < places.logged; index++) if (s[of(file, FILE.log + index)] === wanted) return true;
    return false;
  };
  /** Whether a metadata file holds the commit that is under way. */
  const holdsMark = (s: Uint8Array, file: number): boolean =>
    s[of(file, FILE.commits + number)]! > s[c + CLIENT.committed]!;

  /** The next metadata file, with more or fewer commits of ours. */
  function write(s: Uint8Array, base: number, more: number): number {
    const free = files.findIndex((at) => s[at] === Stored.free);
    if (free < 0) throw new Error("no room for a metadata file");
    const at = files[free]!;
    s[at] = Stored.stored;
    s[at + FILE.version] = s[of(base, FILE.version)]! + 1;
    s[at + FILE.commits] = s[of(base, FILE.commits)]!;
    s[at + FILE.commits + 1] = s[of(base, FILE.commits + 1)]!;
    s[at + FILE.commits + number]! += more;
    for (let index = places.logged - 1; index > 0; index--)
      s[at + FILE.log + index] = s[of(base, FILE.log + index - 1)]!;
    s[at + FILE.log] = base;
    return free + 1;
  }

  const prepare = step("load, prepare", false, (s) => {
    if ((s[c] !== At.idle && s[c] !== At.unsure) || s[c + CLIENT.left] === 0) return false;
    const base = s[hint]!;
    if (s[c] === At.unsure && holdsMark(s, base)) return committed(s);
    s[c + CLIENT.base] = base;
    s[c + CLIENT.file] = write(s, base, 1);
    s[c] = At.prepared;
    return true;
  });

  const send = step("hint sent", false, (s) => {
    if (s[c] !== At.prepared) return false;
    s[c] = At.sent;
    return true;
  });

  function apply(s: Uint8Array): boolean {
    if (s[hint] !== s[c + CLIENT.base] && !removed.has("the hint is replaced if it matches")) return false;
    s[hint] = s[c + CLIENT.file]!;
    return true;
  }

  function committed(s: Uint8Array): true {
    s[c + CLIENT.committed]!++;
    s[c + CLIENT.left]!--;
    return rest(s, At.idle);
  }

  function rest(s: Uint8Array, at: number): true {
    s[c + CLIENT.base] = s[c + CLIENT.file] = 0;
    s[c] = at;
    return true;
  }

  /** Files that the table no longer remembers go after a commit that is known to be in effect. */
  function deleteForgotten(s: Uint8Array): void {
    const [base, file] = [s[c + CLIENT.base]!, s[c + CLIENT.file]!];
    for (let index = 0; index < places.logged; index++) {
      const logged = s[of(base, FILE.log + index)]!;
      if (logged !== 0 && !logs(s, file, logged)) s[of(logged, FILE.state)] = Stored.deleted;
    }
  }

  /** Looks whether the change is part of the table: by the hint, the log and the mark. */
  function isInEffect(s: Uint8Array): "yes" | "never" | "open" {
    const present = s[hint]!;
    const [base, file] = [s[c + CLIENT.base]!, s[c + CLIENT.file]!];
    if (present === base) return "open";
    if (present === file) return "yes";
    if (removed.has("commits on top do not hide one's own")) return "never";
    if (logs(s, present, file)) return "yes";
    if (removed.has("beyond the log only the mark counts")) return "never";
    if (holdsMark(s, present)) return "yes";
    return logs(s, present, base) ? "never" : "open";
  }

  function resolve(s: Uint8Array): true {
    const state = isInEffect(s);
    if (state === "yes") return committed(s);
    // A conflict: the caller commits anew.
    if (state === "never") return rest(s, At.idle);
    if (removed.has("nothing is deleted on an unknown outcome"))
      s[of(s[c + CLIENT.file]!, FILE.state)] = Stored.deleted;
    return rest(s, At.unsure);
  }

  const refused = (s: Uint8Array): true => {
    if (!removed.has("a refusal is looked into") && isInEffect(s) === "yes") return committed(s);
    if (!removed.has("conflicts are answered with a fresh load")) return rest(s, At.idle);
    s[c] = At.prepared;
    return true;
  };

  const applied = step("hint applied or refused", false, (s) => {
    if (s[c] !== At.sent) return false;
    if (!apply(s)) return refused(s);
    deleteForgotten(s);
    return committed(s);
  });

  const repeated = step("hint applied, repeated by the store", true, (s) => {
    if (s[c] !== At.sent || !spend(s, places.repeats)) return false;
    if (apply(s) && removed.has("the hint is replaced if it matches")) return committed(s);
    return refused(s);
  });

  const lost = step("answer lost", true, (s) => {
    if (s[c] !== At.sent || !spend(s, places.lostAnswers)) return false;
    apply(s);
    // It looks when it can: until then others may commit.
    s[c] = At.looking;
    return true;
  });

  const keepLate = (s: Uint8Array): boolean => {
    const free = places.late.find((slot) => s[slot] === 0);
    if (free === undefined) return false;
    s[free + REQUEST.file] = s[c + CLIENT.file]!;
    s[free + REQUEST.base] = s[c + CLIENT.base]!;
    return true;
  };

  const delayed = step("request delayed", true, (s) => {
    if (s[c] !== At.sent || s[places.delays] === 0 || !keepLate(s)) return false;
    s[places.delays]!--;
    s[c] = At.looking;
    return true;
  });

  const look = step("load, look", false, (s) => s[c] === At.looking && resolve(s));

  const crash = step("crash, the request under way", true, (s) => {
    if (s[c] !== At.sent || s[places.crashes] === 0 || !keepLate(s)) return false;
    s[places.crashes]!--;
    return rest(s, At.gone);
  });

  /** Taken back by new metadata: under its old bytes the hint would be what a late request expects. */
  const undo = step("last commit taken back", true, (s) => {
    const present = s[hint]!;
    const before = s[of(present, FILE.log)]!;
    if (s[c] !== At.idle || s[c + CLIENT.left] !== 0 || before === 0) return false;
    if (s[of(before, FILE.commits + number)]! + 1 !== s[of(present, FILE.commits + number)]!) return false;
    if (!spend(s, places.undos)) return false;
    s[c + CLIENT.committed]!--;
    s[hint] = removed.has("the old hint is never restored") ? before : write(s, present, -1);
    return true;
  });

  return [undo, prepare, send, applied, repeated, lost, delayed, look, crash];
}
