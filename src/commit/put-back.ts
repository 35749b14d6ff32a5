import { identText, type LoadedTable, snapshotById } from "../../table-format/index.ts";
import type { Ledger } from "./ledger.ts";
import { newestStamp } from "./rollback-plan.ts";
import { readStamp } from "./stamp.ts";

/** A table that lacks what its pipeline has committed to it. */
export interface PutBack {
  /** `namespace.table`. */
  readonly table: string;
  /** The last checkpoint that it is known to have had a commit of. */
  readonly noted: bigint;
  /** The last one that it has. */
  readonly found: bigint;
}

/**
 * Whether somebody has put a table back behind what the ledger knows of it: its older metadata, as from a backup, or `main` and tag in what it
 * has. The numbers of a table's checkpoints only rise: commits, openings and rollbacks take higher ones, and a fence keeps the last one, so
 * that a start which dies behind its fence hides nothing; neither does what other engines commit on top. Null: it has what it had.
 */
export function putBack(table: LoadedTable, pipeline: string, ledger: Ledger): PutBack | null {
  const name = identText(table.ident);
  const noted = notedCheckpoint(table, pipeline, ledger);
  const found = newestStamp(table, pipeline)?.checkpoint;
  return noted === null || found === undefined || found >= noted ? null : { table: name, noted, found };
}

/** Of a ledger by an older version, which has no such numbers, the noted snapshot tells, as long as the table holds it. */
function notedCheckpoint({ ident, metadata }: LoadedTable, pipeline: string, ledger: Ledger): bigint | null {
  const name = identText(ident);
  const id = ledger.tables.get(name);
  if (id === undefined) return null;
  const noted = ledger.checkpoints.get(name);
  if (noted !== undefined) return noted;
  const snapshot = snapshotById(metadata, id);
  const stamp = snapshot === null ? null : readStamp(snapshot);
  return stamp?.pipeline === pipeline ? stamp.checkpoint : null;
}

/**
 * The ledger without tables that were put back: its position says of rows that they are there which are not any more. Each goes on from its
 * own stamp then. That has to be written before anything is committed to them, which would raise their numbers again.
 */
export function withoutPutBack(ledger: Ledger, tables: readonly PutBack[]): Ledger {
  if (tables.length === 0) return ledger;
  const gone = new Set(tables.map(({ table }) => table));
  // Its names tell what has to be there: where all go they stay, and the position goes.
  if (gone.size === ledger.tables.size) return { ...ledger, position: new Map() };
  return { ...ledger, tables: new Map([...ledger.tables].filter(([name]) => !gone.has(name))) };
}
