import { type FileIO, FrazilError, identText, type LoadedTable } from "../../table-format/index.ts";
import {
  checkConsumerName,
  consumerLocation,
  type ConsumerState,
  consumerStateBytes,
  parseConsumerState,
} from "../core/consumer-state.ts";
import { CONSUMER_ATTEMPTS, CONSUMER_REFRESH_MS, CONSUMER_RETRY_MS, CONSUMER_UNCOMMITTED } from "../core/limits.ts";
import { randomUuid, type Runtime } from "../core/runtime.ts";
import { startSnapshot } from "./steps.ts";

/** Where consumers lie, and what their writes need. */
export interface ConsumerPlace {
  readonly io: FileIO;
  /** The warehouse's. */
  readonly location: string;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

interface Written {
  readonly state: ConsumerState;
  readonly etag: string;
}

/**
 * A named reader's position, held by this process until another one claims it: then every write here is refused (`CONSUMER_TAKEN`).
 * Writes go one by one, in the order of the calls.
 */
export class Consumer {
  readonly name: string;
  readonly #place: ConsumerPlace;
  readonly #location: string;
  readonly #table: string;
  #written: Written;
  /** Sent since then and never answered: one of them may be what is stored by now. */
  #unanswered: ConsumerState[] = [];
  #queue: Promise<void> = Promise.resolve();
  /** Of those given out and not committed, the ones without changes. */
  readonly #empty = new Set<bigint>();

  private constructor(place: ConsumerPlace, table: string, name: string, location: string, written: Written) {
    this.name = name;
    this.#place = place;
    this.#location = location;
    this.#table = table;
    this.#written = written;
  }

  /**
   * Takes a consumer over from whoever had it, or makes it.
   *
   * @param from where a new one begins, as `startSnapshot` has it; of one that is there the position counts.
   * @throws FrazilError `config`, code `BAD_CONSUMER`; `data`, codes `TABLE_REPLACED`, `LOST_START`; `unavailable`.
   */
  static async claim(place: ConsumerPlace, table: LoadedTable, name: string, from: string): Promise<Consumer> {
    checkConsumerName(name);
    const location = consumerLocation(place.location, table.ident, name);
    const by = randomUuid(place.runtime.random);
    for (let attempt = 1; ; attempt++) {
      const found = await place.io.readTagged(location);
      const before = found === null ? null : parseConsumerState(found.bytes, location);
      checkSameTable(table, name, before);
      const after = before === null ? (startSnapshot(table, from)?.snapshotId ?? null) : before.after;
      const written = await put(place, location, found?.etag ?? null, {
        tableUuid: table.metadata.tableUuid,
        epoch: (before?.epoch ?? 0n) + 1n,
        after,
        given: before?.given ?? [],
        updatedMs: place.runtime.clock.nowMs(),
        by,
        revision: 1,
      });
      if (written !== null) return new Consumer(place, identText(table.ident), name, location, written);
      if (attempt === CONSUMER_ATTEMPTS) {
        throw new FrazilError("conflict", "CONSUMER_BUSY", `other processes claim the consumer ${name} all the time`);
      }
      await place.runtime.clock.sleep(CONSUMER_RETRY_MS * attempt);
    }
  }

  /** As it was last written. */
  get state(): ConsumerState {
    return this.#written.state;
  }

  /** Notes that changes up to a snapshot are given out now. @throws FrazilError `fenced`; `data`, code `CONSUMER_UNCOMMITTED`. */
  begin(snapshotId: bigint): Promise<void> {
    return this.#write(({ given }) => {
      if (given.includes(snapshotId)) return null;
      if (given.length < CONSUMER_UNCOMMITTED) return { given: [...given, snapshotId] };
      throw new FrazilError(
        "data",
        "CONSUMER_UNCOMMITTED",
        `the changes of ${given.length} commits were read and none committed`,
        { hint: "call commit() on the batches that are handled" },
      );
    });
  }

  /** Notes that all changes up to a snapshot have been handled. One that was committed before is no error. @throws FrazilError `fenced`. */
  commit(snapshotId: bigint): Promise<void> {
    return this.#write(({ given }) => {
      const index = given.indexOf(snapshotId);
      return index < 0 ? null : this.#upTo(given, index);
    });
  }

  /** Notes that a snapshot has turned out to have no changes: it counts as committed with what stands before it. @throws FrazilError `fenced`. */
  foundEmpty(snapshotId: bigint): Promise<void> {
    this.#empty.add(snapshotId);
    return this.#write(({ given }) => (given[0] === snapshotId ? this.#upTo(given, 0) : null));
  }

  /** The position behind one of the snapshots given out, and behind those that have no changes after it. */
  #upTo(given: readonly bigint[], index: number): Pick<ConsumerState, "after" | "given"> {
    let last = index;
    while (last + 1 < given.length && this.#empty.has(given[last + 1] as bigint)) last++;
    for (const id of given.slice(0, last + 1)) this.#empty.delete(id);
    return { after: given[last] as bigint, given: given.slice(last + 1) };
  }

  /** Moves on to a snapshot without changes, when everything given out is committed. @throws FrazilError `fenced`. */
  passOver(snapshotId: bigint): Promise<void> {
    return this.#write(({ after, given }) => (given.length > 0 || after === snapshotId ? null : { after: snapshotId }));
  }

  /** Says now and then that the reader is still there, so that expiry keeps what comes next. @throws FrazilError `fenced`. */
  stay(): Promise<void> {
    const nowMs = this.#place.runtime.clock.nowMs();
    return this.#write(({ updatedMs }) => (nowMs - updatedMs < CONSUMER_REFRESH_MS ? null : {}));
  }

  #write(change: (state: ConsumerState) => Partial<Pick<ConsumerState, "after" | "given">> | null): Promise<void> {
    const write = this.#queue.then(async () => {
      while (!(await this.#writeOnce(change)));
    });
    // A later call meets the same error by itself.
    this.#queue = write.catch(() => undefined);
    return write;
  }

  /** Whether it is done; false where an earlier write turns out to have taken effect, on which the change is to be made. */
  async #writeOnce(change: (state: ConsumerState) => Partial<Pick<ConsumerState, "after" | "given">> | null) {
    const { state, etag } = this.#written;
    const changed = change(state);
    if (changed === null) return true;
    const updatedMs = this.#place.runtime.clock.nowMs();
    const next = { ...state, ...changed, updatedMs, revision: state.revision + 1 };
    let written: Written | null;
    try {
      written = await put(this.#place, this.#location, etag, next);
    } catch (error) {
      this.#unanswered.push(next);
      throw error;
    }
    const own = written ?? (await this.#ownWrite());
    this.#unanswered = [];
    this.#written = own;
    return written !== null;
  }

  /** The write of ours that is stored, though its answer was lost. @throws FrazilError `fenced` where it is another's. */
  async #ownWrite(): Promise<Written> {
    const found = await this.#place.io.readTagged(this.#location);
    const state = this.#unanswered.find(
      (sent) => found !== null && Buffer.compare(consumerStateBytes(sent), found.bytes) === 0,
    );
    if (state !== undefined && found !== null) return { state, etag: found.etag };
    const what = found === null ? "was removed" : "was taken over by another process";
    throw new FrazilError("fenced", "CONSUMER_TAKEN", `the consumer ${this.name} of ${this.#table} ${what}`, {
      hint: "one process reads for a consumer; for several readers give each a name of its own",
    });
  }
}

function checkSameTable(table: LoadedTable, name: string, state: ConsumerState | null): void {
  if (state === null || state.tableUuid === table.metadata.tableUuid) return;
  const text = identText(table.ident);
  throw new FrazilError(
    "data",
    "TABLE_REPLACED",
    `the consumer ${name} has read another table ${text}, which was dropped`,
    { hint: `frazil consumers ${text} --delete ${name} --yes lets it begin anew` },
  );
}

/** Replaces the object that has `etag` (null: makes it); null when it is another one by now. What was lost on the way is asked for. */
async function put(
  { io, runtime }: ConsumerPlace,
  location: string,
  etag: string | null,
  state: ConsumerState,
): Promise<Written | null> {
  const bytes = consumerStateBytes(state);
  for (let attempt = 1; ; attempt++) {
    try {
      const result = etag === null ? await io.create(location, bytes) : await io.replace(location, bytes, etag);
      if (result.outcome === "created" || result.outcome === "replaced") return { state, etag: result.etag };
    } catch (error) {
      if (!(error instanceof FrazilError && error.kind === "unavailable")) throw error;
      if (attempt === CONSUMER_ATTEMPTS) throw error;
    }
    const found = await io.readTagged(location);
    if (found !== null && Buffer.compare(found.bytes, bytes) === 0) return { state, etag: found.etag };
    if ((found?.etag ?? null) !== etag) return null;
    await runtime.clock.sleep(CONSUMER_RETRY_MS * attempt);
    if (attempt === CONSUMER_ATTEMPTS)
      throw new FrazilError("unavailable", "CONSUMER_WRITE", `${location} could not be replaced`);
  }
}
