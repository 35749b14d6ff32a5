import type { Catalog, Snapshot, TableChange, TableMetadata } from "../../../table-format/index.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import type { LoggedPosition, ProtocolEvent, SentChange } from "../../model/events.ts";

interface Sent {
  readonly request: string;
  readonly changes: readonly SentChange[];
  /** Manifest lists of its snapshots: no two requests share one. */
  readonly lists: readonly string[];
}

/**
 * Writes down what happens at the catalogs in the words of the model (`test/model`): what each process sent, and what took effect, in
 * its order. Left out are changes that move no ref of the pipeline and no snapshot: new schemas, statistics, tags of readers.
 */
export class ProtocolLog {
  readonly events: ProtocolEvent[] = [];
  readonly #tag: string;
  readonly #line: string;
  readonly #metadataOf: (table: string) => TableMetadata | null;
  readonly #byList = new Map<string, Sent>();
  /** Of each snapshot that was sent: a process that was suspended may assert one that has expired since. */
  readonly #stamps = new Map<bigint, Stamp>();
  readonly #expiries: Sent[] = [];
  readonly #applied = new Set<string>();
  #requests = 0;

  /** @param line the branch that the pipeline writes to: what the model calls `main` */
  constructor(pipeline: string, metadataOf: (table: string) => TableMetadata | null, line: string) {
    this.#tag = `ingest.${pipeline}`;
    this.#line = line;
    this.#metadataOf = metadataOf;
  }

  /** The catalog as a process uses it, which tells of each request. */
  watch(catalog: Catalog, process: string): Catalog {
    const commit: Catalog["commit"] = (changes, claim) => {
      this.#send(process, changes);
      return catalog.commit(changes, claim);
    };
    return new Proxy(catalog, {
      get(target, property) {
        if (property === "commit") return commit;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** A table has got new metadata, and these snapshots with it. */
  swapped(table: string, before: TableMetadata | null, after: TableMetadata, fresh: readonly Snapshot[]): void {
    for (const { manifestList } of fresh) this.#apply(this.#byList.get(manifestList));
    const had = before?.snapshots ?? [];
    if (had.length + fresh.length === after.snapshots.length) return;
    const left = new Set(after.snapshots.map(({ snapshotId }) => snapshotId));
    const gone = had.filter(({ snapshotId }) => !left.has(snapshotId)).map(({ snapshotId }) => String(snapshotId));
    if (gone.length === 0) return;
    const isIt = ({ changes: [change] }: Sent): boolean =>
      change?.table === table &&
      change.expired?.length === gone.length &&
      gone.every((id) => change.expired?.includes(id));
    this.#apply(this.#expiries.findLast(isIt));
  }

  #apply(sent: Sent | undefined): void {
    if (sent === undefined || this.#applied.has(sent.request)) return;
    this.#applied.add(sent.request);
    this.events.push({ event: "commit applied", request: sent.request });
  }

  #send(process: string, changes: readonly TableChange[]): void {
    const request = `r${++this.#requests}`;
    const described = changes.map((change) => this.#describe(change));
    const known = described.filter((change) => change !== null);
    if (known.length === 0) return;
    const lists = changes.flatMap(({ updates }) =>
      updates.flatMap((update) => (update.action === "add-snapshot" ? [update.snapshot.manifestList] : [])),
    );
    const sent: Sent = { request, changes: known, lists };
    for (const list of lists) this.#byList.set(list, sent);
    if (known.some(({ kind }) => kind === "expire")) this.#expiries.push(sent);
    this.events.push({ event: "commit sent", request, process, changes: known });
  }

  #describe({ ident, requirements, updates }: TableChange): SentChange | null {
    const refs = (ref: string) => {
      const asserted = requirements.find((each) => each.type === "assert-ref-snapshot-id" && each.ref === ref);
      if (asserted?.type === "assert-ref-snapshot-id") return { id: text(asserted.snapshotId) };
      return requirements.some(({ type }) => type === "assert-create") ? { id: null } : null;
    };
    const moves = (ref: string): string | undefined => {
      const set = updates.findLast((each) => each.action === "set-snapshot-ref" && each.name === ref);
      return set?.action === "set-snapshot-ref" ? String(set.ref.snapshotId) : undefined;
    };
    const added = updates.find((each) => each.action === "add-snapshot");
    // A branch that has nothing of its own is shown with `main`'s head, which is then what a snapshot is planned on; the branch is asserted
    // besides, as it was looked at last.
    const followed = added === undefined ? null : refs("main");
    const [main, tag] = [followed ?? refs(this.#line), refs(this.#tag)];
    const [setMain, setTag] = [moves(this.#line), moves(this.#tag)];
    const removed = updates.find((each) => each.action === "remove-snapshots");
    const common = {
      table: ident.name,
      ...(main === null ? {} : { assertMain: main.id }),
      ...(tag === null ? {} : { assertTag: tag.id }),
      ...(setMain === undefined ? {} : { setMain }),
      ...(setTag === undefined ? {} : { setTag }),
    };
    if (added?.action !== "add-snapshot") {
      if (removed?.action !== "remove-snapshots") return null;
      return { ...common, kind: "expire", snapshot: null, parent: null, expired: removed.snapshotIds.map(String) };
    }
    const { snapshot } = added;
    const stamp = stampOf(snapshot);
    if (stamp !== null) this.#stamps.set(snapshot.snapshotId, stamp);
    return {
      ...common,
      kind: this.#kindOf(ident.name, snapshot, tag?.id ?? null),
      snapshot: String(snapshot.snapshotId),
      parent: text(snapshot.parentSnapshotId),
      ...(stamp === null ? {} : { stamp }),
    };
  }

  #kindOf(table: string, snapshot: Snapshot, assertedTag: string | null): SentChange["kind"] {
    const stamp = stampOf(snapshot);
    if (stamp === null) {
      return snapshot.manifestList.includes("/foreign-") ? "foreign" : "replace";
    }
    if (snapshot.summary.has("ingest.rollback-to")) return "rollback";
    if (assertedTag === null) return "create";
    const id = BigInt(assertedTag);
    const tagged = this.#metadataOf(table)?.snapshots.findLast(({ snapshotId }) => snapshotId === id);
    const before = tagged === undefined ? this.#stamps.get(id) : stampOf(tagged);
    if (before == null || before.epoch === stamp.epoch) return "checkpoint";
    return JSON.stringify(before.position) === JSON.stringify(stamp.position) ? "fence" : "create";
  }
}

interface Stamp {
  readonly epoch: number;
  readonly checkpoint: number;
  readonly position: LoggedPosition;
}

function stampOf(snapshot: Snapshot): Stamp | null {
  const stamp = readStamp(snapshot);
  if (stamp === null) return null;
  const position = Object.fromEntries([...stamp.position].map(([split, point]) => [split, Number(point)]));
  return { epoch: Number(stamp.epoch), checkpoint: Number(stamp.checkpoint), position };
}

function text(id: bigint | null): string | null {
  return id === null ? null : String(id);
}
