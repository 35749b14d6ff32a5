import type { Conformance, LoggedPosition, ProtocolEvent, SentChange } from "./events.ts";

/**
 * Replays a log through the transition relation of the models of one table and of two, without their bounds: any process may be slow, crash or
 * start at any time, any request may be applied late, twice or never, any answer may be lost. What is left has to hold at each event.
 */
export function conforms(events: Iterable<ProtocolEvent>): Conformance {
  const replay = new Replay();
  let at = 0;
  for (const event of events) {
    const why = replay.take(event);
    if (why !== null) return { ok: false, at, why: `${event.event}: ${why}` };
    at++;
  }
  return { ok: true };
}

interface Snapshot {
  readonly parent: string | null;
  readonly stamp: SentChange["stamp"] | null;
  /** Files that it holds. */
  readonly files: ReadonlySet<string>;
}

class Table {
  main: string | null = null;
  tag: string | null = null;
  readonly snapshots = new Map<string, Snapshot>();
  /** The highest epoch that any snapshot ever had. */
  highestEpoch = 0;
  /** Epochs of the openings and fences that all of its history consists of; null: it has had rows, or was rolled back. */
  openings: ReadonlySet<number> | null = new Set();

  get tagged(): Snapshot | null {
    return this.tag === null ? null : (this.snapshots.get(this.tag) ?? null);
  }

  isAncestor(wanted: string): boolean {
    for (let id = this.main; id !== null; id = this.snapshots.get(id)?.parent ?? null) if (id === wanted) return true;
    return false;
  }
}

interface Process {
  /** Null until its first fence or creation is sent. */
  epoch: number | null;
  /** Snapshots by which it may know that a tag is its own: those that it has sent. */
  readonly own: Set<string>;
  /** Snapshot ids by table and checkpoint: a retry keeps its id. */
  readonly ids: Map<string, string>;
  ended: boolean;
}

interface Request {
  readonly process: Process;
  readonly changes: readonly SentChange[];
}

class Replay {
  readonly #tables = new Map<string, Table>();
  readonly #processes = new Map<string, Process>();
  readonly #requests = new Map<string, Request>();
  #ledger: Extract<ProtocolEvent, { event: "ledger applied" }> | null = null;

  take(event: ProtocolEvent): string | null {
    switch (event.event) {
      case "start":
        this.#processes.set(event.process, { epoch: null, own: new Set(), ids: new Map(), ended: false });
        return null;
      case "load":
        return this.#load(event);
      case "prepare":
        return this.#alive(event.process);
      case "commit sent":
        return this.#sent(event);
      case "commit applied":
        return this.#applied(event.request);
      case "commit refused":
      case "answer lost":
        return this.#requests.has(event.request) ? null : "no such request was sent";
      case "ledger applied":
        return this.#ledgerApplied(event);
      case "acknowledge":
        return this.#acknowledged(event.position);
      case "delete":
        return this.#deleted(event.table, event.file);
      case "crash":
        return this.#end(event.process);
      case "exit":
        return event.reason === "fenced"
          ? (this.#falseFence(event.process) ?? this.#end(event.process))
          : this.#end(event.process);
    }
  }

  #table(name: string): Table {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const table = new Table();
    this.#tables.set(name, table);
    return table;
  }

  #alive(name: string): string | null {
    const process = this.#processes.get(name);
    return process === undefined || process.ended ? `process ${name} does not run` : null;
  }

  #end(name: string): string | null {
    const why = this.#alive(name);
    const process = this.#processes.get(name);
    if (process !== undefined) process.ended = true;
    return why;
  }

  #load({ process, table: name, main, tag }: Extract<ProtocolEvent, { event: "load" }>): string | null {
    const table = this.#table(name);
    if (table.main !== main) return `main of ${name} is ${table.main}, ${main} was read`;
    if (table.tag !== tag) return `the tag of ${name} is ${table.tag}, ${tag} was read`;
    return this.#alive(process);
  }

  #sent({ request, process: name, changes }: Extract<ProtocolEvent, { event: "commit sent" }>): string | null {
    const process = this.#processes.get(name);
    if (process === undefined || process.ended) return `process ${name} does not run`;
    for (const change of changes) {
      const why = wellFormed(change) ?? sameId(process, this.#table(change.table), change) ?? ownTag(process, change);
      if (why !== null) return `${change.kind} of ${change.table}: ${why}`;
      if (change.snapshot !== null) process.own.add(change.snapshot);
      if (change.stamp !== undefined && ["create", "fence"].includes(change.kind)) process.epoch = change.stamp.epoch;
    }
    this.#requests.set(request, { process, changes });
    return null;
  }

  #applied(request: string): string | null {
    const sent = this.#requests.get(request);
    if (sent === undefined) return "no such request was sent";
    for (const change of sent.changes) {
      const table = this.#table(change.table);
      const why = mayApply(table, change);
      if (why !== null) return `${change.kind} of ${change.table}: ${why}`;
    }
    for (const change of sent.changes) apply(this.#table(change.table), change);
    return null;
  }

  #ledgerApplied(event: Extract<ProtocolEvent, { event: "ledger applied" }>): string | null {
    const before = this.#ledger;
    if (before !== null && before.epoch > event.epoch) return `epoch ${event.epoch} after ${before.epoch}`;
    if (before !== null && !reaches(event.position, before.position)) return "the position of the ledger goes back";
    for (const [name, id] of Object.entries(event.tables)) {
      const snapshot = this.#table(name).snapshots.get(id);
      if (snapshot === undefined) return `snapshot ${id} of ${name} does not exist`;
      // Ahead of the cut, a table holds more than the cut says, unless the cut is an older one of which nothing was said anew.
      const changed = before === null || !samePosition(before.position, event.position);
      if (changed && !reaches(event.position, snapshot.stamp?.position ?? {}))
        return `table ${name} is ahead of the cut`;
    }
    this.#ledger = event;
    return null;
  }

  #acknowledged(position: LoggedPosition): string | null {
    for (const [name, table] of this.#tables) {
      const { tagged } = table;
      if (tagged === null || reaches(tagged.stamp?.position ?? {}, position)) continue;
      const inLedger = this.#ledger !== null && name in this.#ledger.tables && reaches(this.#ledger.position, position);
      const anchored = this.#ledger === null && this.#anyReaches(position);
      if (!inLedger && !anchored && !this.#isLateOpening(name, table)) return `table ${name} has not reached it`;
    }
    return null;
  }

  /** Opened by an overtaken process behind its successor's look at the tables: the next start finishes that at the ledger's position. */
  #isLateOpening(name: string, { openings }: Table): boolean {
    const ledger = this.#ledger;
    if (ledger === null || openings === null || name in ledger.tables || openings.has(ledger.epoch)) return false;
    return [...openings].some((epoch) => epoch < ledger.epoch);
  }

  /** Where one commit spans all tables, the furthest of them, the anchor, tells the position of all. */
  #anyReaches(position: LoggedPosition): boolean {
    return [...this.#tables.values()].some(({ tagged }) => reaches(tagged?.stamp?.position ?? {}, position));
  }

  #deleted(name: string, file: string): string | null {
    for (const [id, { files }] of this.#table(name).snapshots)
      if (files.has(file)) return `snapshot ${id} needs ${file}`;
    return null;
  }

  #falseFence(name: string): string | null {
    const process = this.#processes.get(name);
    const epoch = process?.epoch ?? null;
    if (process === undefined || epoch === null) return null;
    if (this.#ledger !== null && this.#ledger.process !== name && this.#ledger.epoch >= epoch) return null;
    for (const { tag, tagged } of this.#tables.values()) {
      if (tag !== null && !process.own.has(tag) && (tagged?.stamp?.epoch ?? 0) >= epoch) return null;
    }
    return `nobody else has come with epoch ${epoch} or a higher one`;
  }
}

/** What a request has to assert and to move, whatever the state. */
function wellFormed({
  kind,
  snapshot,
  assertMain,
  assertTag,
  setMain,
  setTag,
  stamp,
  parent,
}: SentChange): string | null {
  if (kind === "foreign") return null;
  if (kind === "expire")
    return assertMain === undefined || assertTag === undefined ? "the refs are not asserted" : null;
  if (kind === "evolve") return assertTag === undefined ? "the tag is not asserted" : null;
  if (kind !== "create" && (assertMain === undefined || assertTag === undefined))
    return "main and the tag are not asserted";
  if (snapshot === null || setMain !== snapshot) return "main does not move to the new snapshot";
  if (kind === "replace") return setTag !== undefined || stamp !== undefined ? "the tag moves" : null;
  if (setTag !== snapshot || stamp === undefined) return "the tag does not move to the new snapshot";
  if (kind !== "rollback" && kind !== "create" && parent !== assertMain) return "the parent is not what main has to be";
  return null;
}

/** What was sent and is not there yet may still come: only under its own id it cannot come twice. */
function sameId({ ids }: Process, { snapshots }: Table, { kind, table, snapshot, stamp }: SentChange): string | null {
  if (kind !== "checkpoint" || snapshot === null || stamp === undefined) return null;
  const points = Object.entries(stamp.position).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([table, stamp.checkpoint, points]);
  const known = ids.get(key);
  ids.set(key, snapshot);
  return known === undefined || known === snapshot || snapshots.has(known)
    ? null
    : `snapshot ${known} is tried again as ${snapshot}`;
}

/** A tag is a process's own only by what the process has sent itself. */
function ownTag({ own, epoch }: Process, { kind, assertTag, stamp }: SentChange): string | null {
  if (kind !== "checkpoint" && kind !== "evolve") return null;
  if (assertTag === undefined || assertTag === null || !own.has(assertTag))
    return `the tag ${String(assertTag)} is not its own`;
  return stamp !== undefined && stamp.epoch !== epoch ? `epoch ${String(epoch)} expected, ${stamp.epoch} found` : null;
}

function mayApply(table: Table, change: SentChange): string | null {
  const { kind, snapshot, assertMain, assertTag, stamp } = change;
  if (assertMain !== undefined && assertMain !== table.main) return `main is ${table.main}, ${assertMain} was asserted`;
  if (assertTag !== undefined && assertTag !== table.tag) return `the tag is ${table.tag}, ${assertTag} was asserted`;
  if (snapshot !== null && table.snapshots.has(snapshot)) return `snapshot ${snapshot} is there already`;
  const tagged = table.tagged?.stamp ?? null;
  if (stamp !== undefined && tagged !== null) {
    if (kind === "checkpoint" && stamp.epoch !== tagged.epoch)
      return `a write under epoch ${stamp.epoch}, the tag has ${tagged.epoch}`;
    if (kind !== "checkpoint" && stamp.epoch <= table.highestEpoch)
      return `epoch ${stamp.epoch} is not above ${table.highestEpoch}`;
    if (kind !== "rollback" && !reaches(stamp.position, tagged.position)) return "the position goes back";
    if (kind === "fence" && !samePosition(stamp.position, tagged.position)) return "a fence changes the position";
    if (kind !== "rollback" && table.tag !== null && !table.isAncestor(table.tag)) return "the table was rolled back";
  }
  for (const id of change.expired ?? []) if (id === table.main || id === table.tag) return `snapshot ${id} is needed`;
  return null;
}

function apply(table: Table, change: SentChange): void {
  const { snapshot, parent, stamp = null, setMain, setTag } = change;
  if (snapshot !== null) {
    const files = new Set(parent === null ? [] : table.snapshots.get(parent)?.files);
    for (const file of change.removed ?? []) files.delete(file);
    for (const file of change.added ?? []) files.add(file);
    table.snapshots.set(snapshot, { parent, stamp, files });
  }
  if (stamp !== null) {
    const isOpening = change.kind === "create" || change.kind === "fence";
    table.openings = table.openings === null || !isOpening ? null : new Set([...table.openings, stamp.epoch]);
  }
  if (stamp !== null && stamp.epoch > table.highestEpoch) table.highestEpoch = stamp.epoch;
  if (setMain !== undefined) table.main = setMain;
  if (setTag !== undefined) table.tag = setTag;
  for (const id of change.expired ?? []) table.snapshots.delete(id);
}

/** Whether `position` lies nowhere before `other`. */
function reaches(position: LoggedPosition, other: LoggedPosition): boolean {
  return Object.entries(other).every(([split, point]) => (position[split] ?? -1) >= point);
}

function samePosition(a: LoggedPosition, b: LoggedPosition): boolean {
  return reaches(a, b) && reaches(b, a);
}
