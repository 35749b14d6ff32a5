import type { FileIO } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Log } from "../../core/runtime.ts";
import { stateLocation } from "./names.ts";
import type { RunOutcome } from "./run-record.ts";

/** How a task of a table stands. */
export interface LastRun {
  /** The point of the schedule that was last seen to, milliseconds since 1970 UTC. */
  readonly pointMs: number;
  readonly outcome: RunOutcome;
  readonly reason: string | null;
}

type Tables = Record<string, Record<string, LastRun>>;

/**
 * What was last done to each table, kept in the warehouse: whoever comes next, after a restart or as the new leader, goes on from there.
 * Losing it costs no more than a look at every table.
 */
export class LastRuns {
  readonly #io: FileIO;
  readonly #location: string;
  readonly #log: Log;
  #tables: Tables = {};
  #etag: string | null = null;
  #changed = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(io: FileIO, warehouseLocation: string, by: string, log: Log) {
    this.#io = io;
    this.#location = stateLocation(warehouseLocation, by);
    this.#log = log;
  }

  /** Reads what is stored; of each task the later of that and what is known here counts. @throws FrazilError `unavailable`. */
  async load(): Promise<void> {
    const found = await this.#io.readTagged(this.#location);
    this.#etag = found?.etag ?? null;
    if (found === null) return;
    for (const [table, tasks] of Object.entries(parseTables(found.bytes))) {
      for (const [task, stored] of Object.entries(tasks)) {
        const known = this.#tables[table]?.[task];
        if (known === undefined || known.pointMs < stored.pointMs) (this.#tables[table] ??= {})[task] = stored;
      }
    }
  }

  get(table: string, task: string): LastRun | null {
    return this.#tables[table]?.[task] ?? null;
  }

  set(table: string, task: string, run: LastRun): void {
    (this.#tables[table] ??= {})[task] = run;
    this.#changed = true;
  }

  /** Forgets tables that are gone. */
  keepOnly(tables: ReadonlySet<string>): void {
    for (const table of Object.keys(this.#tables)) {
      if (tables.has(table)) continue;
      delete this.#tables[table];
      this.#changed = true;
    }
  }

  /** Makes it durable. Never rejects: it is tried again with the next change. */
  save(): Promise<void> {
    return (this.#saving = this.#saving.then(() => this.#saveNow()));
  }

  async #saveNow(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    try {
      for (let attempt = 0; attempt < 2; attempt++) {
        const bytes = Buffer.from(JSON.stringify({ version: 1, tables: this.#tables }));
        const put =
          this.#etag === null
            ? await this.#io.create(this.#location, bytes)
            : await this.#io.replace(this.#location, bytes, this.#etag);
        if (put.outcome === "created" || put.outcome === "replaced") {
          this.#etag = put.etag;
          return;
        }
        // Another leader, or an answer that was lost.
        await this.load();
      }
      this.#changed = true;
    } catch (error) {
      this.#changed = true;
      this.#log.warn("the state of maintenance cannot be written; trying again later", { cause: String(error) });
    }
  }
}

function parseTables(bytes: Uint8Array): Tables {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString("utf8")) as { version: number; tables: Tables };
    return json.version === 1 ? json.tables : {};
  } catch (cause) {
    if (cause instanceof FrazilError) throw cause;
    return {};
  }
}
