import {
  type FileIO,
  FrazilError,
  type LoadedTable,
  snapshotById,
  type TableIdent,
} from "../../../table-format/index.ts";
import { consumerLocation, type ConsumerState, consumerStateBytes } from "../../core/consumer-state.ts";
import { CONSUMER_REFRESH_MS, READ_HOLD_EVERY_MS } from "../../core/limits.ts";
import { randomUuid, type Runtime } from "../../core/runtime.ts";
import type { TablePoint } from "./point.ts";

/**
 * Keeps what a job has yet to read of a table from being expired, as a consumer of the table does: it writes how far the job's own commits
 * have come beside the table. It is a hint to expiry alone, and trails the job's position: nothing is ever read from it, and a warehouse
 * that takes no writes costs a warning.
 */
export class ReadHold {
  readonly #location: string;
  readonly #io: FileIO;
  readonly #runtime: Pick<Runtime, "clock" | "log" | "random">;
  readonly #by: string;
  #point: TablePoint | null = null;
  #written: { readonly key: string; readonly atMs: number } | null = null;
  #revision = 0;
  #hasFailed = false;

  /** @param name as `jobConsumerName` makes it */
  constructor(
    { io, location }: { readonly io: FileIO; readonly location: string },
    ident: TableIdent,
    name: string,
    runtime: Pick<Runtime, "clock" | "log" | "random">,
  ) {
    this.#io = io;
    this.#location = consumerLocation(location, ident, name);
    this.#runtime = runtime;
    this.#by = randomUuid(runtime.random);
  }

  /** Takes note of what is committed. It is written with the next `write`. */
  reached(point: TablePoint): void {
    this.#point = point;
  }

  /** Writes the position when it has moved, not too often, or when it has been written long ago. @param now also when it is too soon */
  async write({ metadata }: LoadedTable, now: boolean): Promise<void> {
    const after = this.#point === null ? null : neededFrom(metadata, this.#point);
    if (after === null) return;
    const nowMs = this.#runtime.clock.nowMs();
    const key = `${metadata.tableUuid} ${after}`;
    const ageMs = this.#written === null ? Infinity : nowMs - this.#written.atMs;
    if (key === this.#written?.key ? ageMs < CONSUMER_REFRESH_MS : !now && ageMs < READ_HOLD_EVERY_MS) return;
    let taken = false;
    try {
      taken = await this.#put({
        tableUuid: metadata.tableUuid,
        epoch: 1n,
        after,
        given: [],
        updatedMs: nowMs,
        by: this.#by,
        revision: ++this.#revision,
      });
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (!this.#hasFailed) {
        const fields = { location: this.#location, cause: error.message };
        this.#runtime.log.warn("expiry of the table that is read is not told how far this job has come", fields);
      }
      this.#hasFailed = true;
    }
    this.#written = { key: taken ? key : "", atMs: nowMs };
  }

  /** Of two processes of a job, the tables that they write end one: here the last one may write. False when the other one was faster. */
  async #put(state: ConsumerState): Promise<boolean> {
    const bytes = consumerStateBytes(state);
    const found = await this.#io.stat(this.#location);
    const { outcome } =
      found === null
        ? await this.#io.create(this.#location, bytes)
        : await this.#io.replace(this.#location, bytes, found.etag);
    return outcome === "created" || outcome === "replaced";
  }
}

/** The snapshot from which on all must be kept; null: none in particular. */
function neededFrom(metadata: LoadedTable["metadata"], { snapshotId, part }: TablePoint): bigint | null {
  if (snapshotId === null || part?.of !== "changes") return snapshotId;
  // Half of its changes are to come: they follow from it and its parent.
  return snapshotById(metadata, snapshotId)?.parentSnapshotId ?? snapshotId;
}
