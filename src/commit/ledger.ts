import type { FileIO } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { parsePosition, type Position, positionText } from "../core/position.ts";
import { ledgerLocation } from "./names.ts";
import { lastStamp, type TrackedTable } from "./tracked-table.ts";

/**
 * One object per pipeline for catalogs that commit one table at a time (`<warehouse>/_ingest/<pipeline>/ledger.json`). It records the
 * anchor table's name once, gives tables without changes their position, and names a consistent cut over all tables for readers.
 * It is replaced only with If-Match, so a writer of an older epoch cannot write it once a newer one has taken it over.
 */
export interface Ledger {
  readonly anchor: string;
  readonly epoch: bigint;
  readonly checkpoint: bigint;
  /** All tables in `tables` hold every change at or below it; empty until the first consistent cut, and behind a rollback until the next. */
  readonly position: Position;
  /** The snapshot of each table (`namespace.table`) at that cut; without a position only the names count. */
  readonly tables: ReadonlyMap<string, bigint>;
  /**
   * The number of the last checkpoint that each table has had a commit of: one that has a lower one was put back (`put-back.ts`). Ledgers of
   * older versions have none.
   */
  readonly checkpoints: ReadonlyMap<string, bigint>;
}

export interface TaggedLedger {
  readonly ledger: Ledger;
  readonly etag: string;
}

/** A ledger that also names these tables, as they stand. */
export function naming(ledger: Ledger, tables: readonly TrackedTable[]): Ledger {
  const checkpoints = tables.flatMap((table) => {
    const stamp = lastStamp(table);
    return stamp === null ? [] : [[table.name, stamp.checkpoint] as const];
  });
  return {
    ...ledger,
    tables: new Map([...ledger.tables, ...tables.map(({ name, tagSnapshotId }) => [name, tagSnapshotId] as const)]),
    checkpoints: new Map([...ledger.checkpoints, ...checkpoints]),
  };
}

/** The ledger of a cut: it names these tables, as they stand, and no others. */
export function cutLedger(cut: Omit<Ledger, "tables" | "checkpoints">, tables: readonly TrackedTable[]): Ledger {
  return naming({ ...cut, tables: new Map(), checkpoints: new Map() }, tables);
}

/**
 * The ledger without tables of which its position says too much: that rows are there which are not any more. Its names tell what has to be
 * there; where all would go they stay, and the position goes.
 */
export function forgetting(ledger: Ledger, names: ReadonlySet<string>): Ledger {
  if ([...ledger.tables.keys()].every((name) => names.has(name))) return { ...ledger, position: new Map() };
  return { ...ledger, tables: new Map([...ledger.tables].filter(([name]) => !names.has(name))) };
}

/** Reads and swaps a pipeline's ledger. */
export class LedgerStore {
  readonly #io: FileIO;
  readonly #location: string;

  constructor(io: FileIO, warehouseLocation: string, pipeline: string) {
    this.#io = io;
    this.#location = ledgerLocation(warehouseLocation, pipeline);
  }

  async read(): Promise<TaggedLedger | null> {
    const found = await this.#io.readTagged(this.#location);
    return found === null ? null : { ledger: parseLedger(found.bytes, this.#location), etag: found.etag };
  }

  /**
   * Puts the ledger if it is absent (`etag` null) or still the one read under `etag`. Null when another write came first.
   * @throws FrazilError `unavailable` when it is certain only that nobody else has written meanwhile.
   * An ambiguous answer is resolved by reading back: only this process writes its epoch's bytes.
   */
  async swap(ledger: Ledger, etag: string | null): Promise<TaggedLedger | null> {
    const bytes = ledgerBytes(ledger);
    try {
      const result =
        etag === null
          ? await this.#io.create(this.#location, bytes)
          : await this.#io.replace(this.#location, bytes, etag);
      if (result.outcome === "created" || result.outcome === "replaced") return { ledger, etag: result.etag };
    } catch (error) {
      if (!(error instanceof FrazilError && error.kind === "unavailable")) throw error;
    }
    const found = await this.#io.readTagged(this.#location);
    if (found !== null && Buffer.compare(found.bytes, bytes) === 0) return { ledger, etag: found.etag };
    if ((found?.etag ?? null) === etag) {
      throw new FrazilError("unavailable", "LEDGER_WRITE", `the ledger ${this.#location} could not be replaced`);
    }
    return null;
  }
}

function ledgerBytes(ledger: Ledger): Uint8Array {
  const named = [...ledger.checkpoints].filter(([name]) => ledger.tables.has(name));
  return Buffer.from(
    JSON.stringify({
      version: 1,
      anchor: ledger.anchor,
      epoch: String(ledger.epoch),
      checkpoint: String(ledger.checkpoint),
      position: positionText(ledger.position),
      tables: numbersJson(ledger.tables),
      checkpoints: numbersJson(named),
    }),
  );
}

/** Numbers by name as JSON: texts, as numbers of JSON end at 2^53. */
export function numbersJson(numbers: Iterable<readonly [string, bigint]>): Record<string, string> {
  return Object.fromEntries([...numbers].map(([name, number]) => [name, String(number)]));
}

function parseLedger(bytes: Uint8Array, location: string): Ledger {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
      version: number;
      anchor: string;
      epoch: string;
      checkpoint: string;
      position: string;
      tables: Record<string, string>;
      checkpoints?: Record<string, string>;
    };
    if (json.version !== 1) throw new Error(`version 1 expected, ${json.version} found`);
    return {
      anchor: json.anchor,
      epoch: BigInt(json.epoch),
      checkpoint: BigInt(json.checkpoint),
      position: parsePosition(json.position),
      tables: numbersOf(json.tables),
      checkpoints: numbersOf(json.checkpoints ?? {}),
    };
  } catch (cause) {
    throw new FrazilError("corrupt", "LEDGER_CORRUPT", `the ledger ${location} cannot be read: ${String(cause)}`, {
      cause,
    });
  }
}

/** Reads `numbersJson` back. @throws SyntaxError for what is no number. */
export function numbersOf(json: Readonly<Record<string, string>>): Map<string, bigint> {
  return new Map(Object.entries(json).map(([name, number]) => [name, BigInt(number)]));
}
