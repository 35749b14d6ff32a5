import { type Claim, identText, type LoadedTable, parseIdent, type TableIdent } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import type { CommitContext } from "./context.ts";
import { exactEpoch, fenceTables, nextEpoch } from "./fence.ts";
import { cutLedger, type Ledger, LedgerStore, naming, type TaggedLedger } from "./ledger.ts";
import { isLateOpening } from "./late-opening.ts";
import { laterOf, samePosition, withinCut } from "./merge-position.ts";
import { anchorKey } from "./names.ts";
import { type PutBack, putBackBehindAnchor, putBackBehindLedger, putBackError, withoutPutBack } from "./put-back.ts";
import { fencedError, readPipelineTag, type TrackedTable } from "./tracked-table.ts";

export interface FoundPipeline {
  readonly anchor: string | null;
  readonly tables: readonly TrackedTable[];
  readonly epoch: bigint;
  /** The highest checkpoint number in use. */
  readonly checkpoint: bigint;
  readonly ledger: TaggedLedger | null;
}

/** Finds what the pipeline has left in the warehouse and puts it under a new epoch: anchor first, then the other tables, then the ledger. */
export async function findPipeline(
  context: CommitContext,
  mayWrite: (table: TableIdent) => boolean,
): Promise<FoundPipeline> {
  return context.catalog.atomicAcrossTables ? findAtomic(context, mayWrite) : findOneByOne(context, mayWrite);
}

async function findAtomic(context: CommitContext, mayWrite: (table: TableIdent) => boolean): Promise<FoundPipeline> {
  const anchor = await context.catalog.readClaim(anchorKey(context.pipeline));
  if (anchor === null) return { anchor, tables: [], epoch: 1n, checkpoint: 0n, ledger: null };
  // The anchor before the others: what it notes of them they have.
  const anchorTable = await requireAnchor(context, anchor);
  const recorded = await context.catalog.listClaims(tableKey(context.pipeline, ""));
  await requireTables(
    context,
    recorded.map(({ value }) => value),
    mayWrite,
  );
  const owned = await ownedTables(context, mayWrite);
  const others = owned.filter((table) => identText(table.ident) !== anchor);
  const [back] = putBackBehindAnchor(anchorTable, others, context.pipeline);
  if (back !== undefined) throw putBackError(back, context.pipeline);
  const idents = [anchorTable, ...others].map((table) => table.ident);
  const { tables, epoch, checkpoint } = await fenceTables(context, idents, nextEpoch);
  return { anchor, tables, epoch, checkpoint, ledger: null };
}

async function findOneByOne(context: CommitContext, mayWrite: (table: TableIdent) => boolean): Promise<FoundPipeline> {
  const store = new LedgerStore(context.io, context.warehouseLocation, context.pipeline);
  let ledger = await store.read();
  if (ledger === null) {
    const [left] = await ownedTables(context, mayWrite);
    if (left === undefined) return { anchor: null, tables: [], epoch: 1n, checkpoint: 0n, ledger };
    // The ledger comes before the first table: another process may have opened that one since.
    ledger = await store.read();
    if (ledger === null) throw ledgerLost(context, identText(left.ident));
  }
  const { anchor } = ledger.ledger;
  const anchorIdent = parseIdent(anchor);
  if (ledger.ledger.tables.size === 0 && !(await isOurs(context, anchorIdent))) {
    // The anchor was named but a crash came before it was created or adopted: nothing has been committed yet.
    return { anchor: null, tables: [], epoch: ledger.ledger.epoch + 1n, checkpoint: 0n, ledger };
  }
  await requireAnchor(context, anchor);
  await requireTables(context, [...ledger.ledger.tables.keys()], mayWrite);
  const first = await fenceTables(context, [anchorIdent], (highest) =>
    nextEpoch(highest > ledger.ledger.epoch ? highest : ledger.ledger.epoch),
  );
  const { epoch } = first;
  const tables = [...first.tables];
  let checkpoint = first.checkpoint > ledger.ledger.checkpoint ? first.checkpoint : ledger.ledger.checkpoint;
  // Listed after the anchor is fenced: an older process can open no table from here on that it did not open before.
  for (const other of await ownedTables(context, mayWrite)) {
    if (identText(other.ident) === anchor) continue;
    const fenced = await fenceTables(
      context,
      [other.ident],
      exactEpoch(context, epoch, `table ${identText(other.ident)}`),
    );
    tables.push(...fenced.tables);
    if (fenced.checkpoint > checkpoint) checkpoint = fenced.checkpoint;
  }
  const taken = await takeLedger(context, store, { anchor, tables, epoch, checkpoint });
  for (const table of tables) table.position = positionWith(context, table, taken.ledger);
  return { anchor, tables, epoch, checkpoint, ledger: taken };
}

/** A table's position: its stamp's, or the ledger's where that names the table. */
function positionWith({ comparePoints }: CommitContext, { name, position }: TrackedTable, ledger: Ledger): Position {
  return ledger.tables.has(name) ? laterOf(position, ledger.position, comparePoints) : position;
}

/** Puts the ledger under this epoch, so that an older process's next write of it fails. */
async function takeLedger(
  context: CommitContext,
  store: LedgerStore,
  found: Omit<FoundPipeline, "ledger" | "anchor"> & { readonly anchor: string },
): Promise<TaggedLedger> {
  const { epoch } = found;
  for (;;) {
    const current = await store.read();
    if (current === null) {
      throw ledgerLost(context, found.anchor);
    }
    if (current.ledger.epoch >= epoch) {
      throw fencedError(context.pipeline, epoch, "the ledger", current.ledger.epoch);
    }
    const back = putBackBehindLedger(current.ledger, found.tables, context.pipeline);
    const held = withLateOpenings(context, found.tables, withoutPutBack(current.ledger, back), current.ledger);
    const next = cutOf(context, found, held) ?? { ...held, epoch };
    const taken = await store.swap(next, current.etag);
    if (taken === null) continue;
    for (const each of back) warnOf(context, each);
    return taken;
  }
}

/**
 * A ledger with the tables that an overtaken process opened too late, and so failed to note. At the position of that process they would
 * hold reading back to before what the source was told to forget. Their names there are as good as the opening's own note.
 */
function withLateOpenings(
  { pipeline, comparePoints }: CommitContext,
  tables: readonly TrackedTable[],
  held: Ledger,
  noted: Ledger,
): Ledger {
  const late = tables.filter(
    ({ loaded, position }) =>
      !withinCut(held.position, position, comparePoints) && isLateOpening(loaded, pipeline, noted),
  );
  if (late.length === 0) return held;
  return naming(held, late);
}

function warnOf({ runtime }: CommitContext, { table, noted, found }: PutBack): void {
  runtime.log.warn("a table was put back to older metadata; what it lacks since is read again", {
    table,
    lastCheckpoint: String(noted),
    foundCheckpoint: String(found),
  });
}

function ledgerLost({ pipeline }: CommitContext, table: string): FrazilError {
  return new FrazilError("data", "LEDGER_LOST", `the ledger of the job ${pipeline} is gone`, {
    hint: `frazil repair ${table} writes it anew from the tables' tags`,
  });
}

/**
 * The ledger of a cut that all tables stand at and that nobody has written down: a crash came after the last table's commit. Left as it is, the
 * ledger would name the cut before for as long as no change comes. Null where there is none.
 */
function cutOf(
  context: CommitContext,
  { anchor, tables, epoch, checkpoint }: Parameters<typeof takeLedger>[2],
  noted: Ledger,
): Ledger | null {
  const [position, ...others] = tables.map((table) => positionWith(context, table, noted));
  if (position === undefined) return null;
  // A ledger at this position may still have forgotten tables that had to come there again.
  if (samePosition(position, noted.position) && tables.every(({ name }) => noted.tables.has(name))) return null;
  if (others.some((other) => !samePosition(other, position))) return null;
  return cutLedger({ anchor, epoch, checkpoint, position }, tables);
}

async function isOurs(context: CommitContext, ident: TableIdent): Promise<boolean> {
  const loaded = await context.catalog.loadTable(ident);
  return loaded !== null && readPipelineTag(loaded, context.pipeline) !== null;
}

/** The pipeline's tables that the job may write to. */
async function ownedTables(
  context: CommitContext,
  mayWrite: (table: TableIdent) => boolean,
): Promise<readonly LoadedTable[]> {
  const { catalog, pipeline } = context;
  const owned: LoadedTable[] = [];
  for (const namespace of await catalog.listNamespaces()) {
    for (const ident of await catalog.listTables(namespace)) {
      if (!mayWrite(ident)) continue;
      const loaded = await catalog.loadTable(ident);
      if (loaded !== null && readPipelineTag(loaded, pipeline) !== null) owned.push(loaded);
    }
  }
  return owned;
}

async function requireAnchor(context: CommitContext, anchor: string): Promise<LoadedTable> {
  const loaded = await context.catalog.loadTable(parseIdent(anchor));
  if (loaded !== null) return loaded;
  throw new FrazilError(
    "data",
    "ANCHOR_DROPPED",
    `table ${anchor}, which holds the position of the job ${context.pipeline}, no longer exists`,
    { hint: "restore the table, or start the job under another name to load everything anew" },
  );
}

/**
 * Checks that every table that the pipeline has opened is there, with the pipeline's tag. Opened anew, a table would begin at the
 * pipeline's present position, and silently lack all rows before it.
 */
async function requireTables(
  context: CommitContext,
  recorded: readonly string[],
  mayWrite: (table: TableIdent) => boolean,
): Promise<void> {
  const { catalog, pipeline } = context;
  for (const name of recorded) {
    const ident = parseIdent(name);
    if (!mayWrite(ident)) continue;
    const loaded = await catalog.loadTable(ident);
    if (loaded !== null && readPipelineTag(loaded, pipeline) !== null) continue;
    const hint = `restore the table; or give its rows up by taking it out of tables:; or start the job under another name to load everything anew`;
    if (loaded === null) {
      const message = `table ${name}, which the job ${pipeline} wrote to, no longer exists`;
      throw new FrazilError("data", "TABLE_DROPPED", message, { hint });
    }
    throw new FrazilError(
      "data",
      "TABLE_REPLACED",
      `table ${name} (uuid ${loaded.metadata.tableUuid}) is not the one that the job ${pipeline} wrote to: it has neither the job's tag nor its mark`,
      { hint },
    );
  }
}

/**
 * Records the pipeline's first table as its anchor, once and for all: in the creating transaction where the catalog records claims,
 * else in the ledger. A name that an earlier start recorded without getting to create the table is replaced under a higher epoch.
 */
export async function claimAnchor(
  context: CommitContext,
  store: LedgerStore,
  ledger: TaggedLedger | null,
  name: string,
): Promise<{ ledger: TaggedLedger | null; epoch: bigint; claim: Claim | null }> {
  if (context.catalog.claims) {
    return { ledger: null, epoch: 1n, claim: { key: anchorKey(context.pipeline), value: name } };
  }
  const epoch = ledger === null ? 0n : ledger.ledger.anchor === name ? ledger.ledger.epoch : ledger.ledger.epoch + 1n;
  const named = await store.swap(
    { anchor: name, epoch, checkpoint: 0n, position: new Map(), tables: new Map(), checkpoints: new Map() },
    ledger?.etag ?? null,
  );
  if (named === null) {
    const current = await store.read();
    throw fencedError(context.pipeline, epoch + 1n, "the ledger", current?.ledger.epoch ?? 0n);
  }
  return { ledger: named, epoch: epoch + 1n, claim: null };
}

/** Recorded with the opening of each table but the anchor, whose name has a record of its own. */
export function tableKey(pipeline: string, name: string): string {
  return `ingest.${pipeline}.table.${name}`;
}
