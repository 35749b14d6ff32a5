import { identText, type LoadedTable, snapshotById, type TableUpdate } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { forgetting, type Ledger, numbersJson, numbersOf } from "./ledger.ts";
import { tagName } from "./names.ts";
import type { PipelineState } from "./read-pipeline.ts";
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
  /** The snapshot that it is at. */
  readonly at: bigint | null;
}

/**
 * Whether somebody has put a table back behind what the ledger knows of it: its older metadata, as from a backup, or `main` and tag in what it
 * has. The numbers of a table's checkpoints only rise: commits, openings and rollbacks take higher ones, and a fence keeps the last one, so
 * that a start which dies behind its fence hides nothing; neither does what other engines commit on top. Null: it has what it had.
 *
 * @param table looked at after the ledger, or its last commits would seem to be missing
 */
export function putBack(table: LoadedTable, pipeline: string, ledger: Ledger): PutBack | null {
  return behind(table, pipeline, notedCheckpoint(table, pipeline, ledger));
}

/**
 * Those of a pipeline's tables that were put back behind what the ledger knows of them.
 *
 * @param tables looked at after the ledger
 */
export function putBackBehindLedger(
  ledger: Ledger,
  tables: readonly { readonly loaded: LoadedTable }[],
  pipeline: string,
): readonly PutBack[] {
  return tables.map(({ loaded }) => putBack(loaded, pipeline, ledger)).filter((each) => each !== null);
}

function behind(table: LoadedTable, pipeline: string, noted: bigint | null): PutBack | null {
  const { metadata } = table;
  const found = newestStamp(table, pipeline)?.checkpoint;
  if (noted === null || found === undefined || found >= noted) return null;
  const at = metadata.refs.get(tagName(pipeline))?.snapshotId ?? metadata.currentSnapshotId;
  return { table: identText(table.ident), noted, found, at };
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
  return tables.length === 0 ? ledger : forgetting(ledger, new Set(tables.map(({ table }) => table)));
}

/**
 * The property of the anchor, where one commit spans several tables, that holds the number of the last checkpoint that each of the others has
 * had a commit of: JSON of names and numbers. It is no `ingest.…`, as what begins so names a pipeline.
 */
function notesProperty(pipeline: string): string {
  return `frazil.checkpoints.${pipeline}`;
}

function notesOf({ ident, metadata }: LoadedTable, pipeline: string): ReadonlyMap<string, bigint> {
  const property = notesProperty(pipeline);
  try {
    return numbersOf(JSON.parse(metadata.properties.get(property) ?? "{}") as Record<string, string>);
  } catch (cause) {
    const message = `table ${identText(ident)}: the property ${property} cannot be read: ${String(cause)}`;
    throw new FrazilError("corrupt", "NOTES_CORRUPT", message, {
      hint: "remove it: the job writes it anew, table by table with their next commits, and until then does not notice one that is put back to older metadata",
      cause,
    });
  }
}

/** How the anchor notes a checkpoint in the commit that spans these other tables as well; empty where there are none. */
export function noteOnAnchor(
  anchor: LoadedTable,
  pipeline: string,
  others: readonly string[],
  checkpoint: bigint,
): readonly TableUpdate[] {
  if (others.length === 0) return [];
  const noted = new Map([...notesOf(anchor, pipeline), ...others.map((name) => [name, checkpoint] as const)]);
  const text = JSON.stringify(numbersJson(noted));
  return [{ action: "set-properties", updates: new Map([[notesProperty(pipeline), text]]) }];
}

/**
 * The tables that lack what the anchor knows of, where one commit spans all of them.
 *
 * @param anchor looked at before the others
 */
export function putBackBehindAnchor(
  anchor: LoadedTable,
  tables: readonly LoadedTable[],
  pipeline: string,
): readonly PutBack[] {
  const notes = notesOf(anchor, pipeline);
  return tables
    .map((table) => behind(table, pipeline, notes.get(identText(table.ident)) ?? null))
    .filter((each) => each !== null);
}

/** As `putBackBehindAnchor`, of a pipeline as it was found; none where tables are committed one by one. */
export function putBackAlone({ anchor, tables, ledger }: PipelineState, pipeline: string): readonly PutBack[] {
  const first = tables.find(({ name }) => name === anchor);
  if (ledger !== null || first === undefined) return [];
  const others = tables.filter((table) => table !== first).map(({ loaded }) => loaded);
  return putBackBehindAnchor(first.loaded, others, pipeline);
}

/**
 * Why a job does not go on with such a table where one commit spans several: the anchor's position is that of all, and reading again from
 * before it would bring the others changes twice.
 */
export function putBackError({ table, noted, found, at }: PutBack, pipeline: string): FrazilError {
  const message = `table ${table} lacks what the job ${pipeline} has committed to it: its last checkpoint was ${noted} and is ${found}. Somebody put it back to older metadata, or moved main and its tag back`;
  return new FrazilError("data", "TABLE_PUT_BACK", message, { hint: waysOut(table, pipeline, at) });
}

/** What an operator can do about a table that was put back where one commit spans several. */
export function waysOut(table: string, pipeline: string, at: bigint | null): string {
  return `put its newer metadata back; or have all tables go back to that checkpoint, and the job reads on from there: frazil rollback --pipeline ${pipeline} --to ${at}; or go on without what it lacks: frazil rollback ${table} --to ${at} --keep-position`;
}
