import {
  type Catalog,
  FrazilError,
  identText,
  type LoadedTable,
  type TableIdent,
} from "../../../table-format/index.ts";
import { TABLE_OUTAGE_LIMIT_MS } from "../../core/limits.ts";
import type { Runtime } from "../../core/runtime.ts";

/** The table as it is now. @throws FrazilError `data` when it is gone or of format version 1; as of the catalog */
export async function loadTable(catalog: Catalog, ident: TableIdent): Promise<LoadedTable> {
  const loaded = await catalog.loadTable(ident);
  const name = identText(ident);
  if (loaded === null) {
    throw new FrazilError("data", "TABLE_DROPPED", `table ${name}, which is read, does not exist`, {
      hint: "start the job that writes it first, or correct source.table",
    });
  }
  if (loaded.metadata.formatVersion > 1) return loaded;
  // Its snapshots have no sequence numbers, which order the points.
  throw new FrazilError("unsupported", "FORMAT_VERSION", `table ${name} has format version 1: expected 2 or 3`, {
    hint: "upgrade it with the engine that writes it",
  });
}

/** Waits out a store or a catalog that is gone, and says so once. */
export class Outage {
  readonly #runtime: Pick<Runtime, "clock" | "log">;
  #sinceMs: number | null = null;

  constructor(runtime: Pick<Runtime, "clock" | "log">) {
    this.#runtime = runtime;
  }

  /** Takes note that something has worked. */
  over(): void {
    this.#sinceMs = null;
  }

  /** Takes a failure. @throws it when it is no outage, or lasts for too long. */
  begins(error: unknown): void {
    if (!(error instanceof FrazilError) || error.kind !== "unavailable") throw error;
    const nowMs = this.#runtime.clock.monotonicMs();
    if (this.#sinceMs === null) {
      this.#sinceMs = nowMs;
      this.#runtime.log.warn("the table that is read cannot be reached; waiting", { cause: error.message });
    }
    if (nowMs - this.#sinceMs > TABLE_OUTAGE_LIMIT_MS) throw error;
  }
}
