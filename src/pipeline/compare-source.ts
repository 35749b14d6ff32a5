import {
  currentSchema,
  currentSnapshot,
  deletedPositions,
  type FileIO,
  type LoadedTable,
  planSnapshot,
} from "../../table-format/index.ts";
import { type ChangeBatch, Op } from "../core/change-batch.ts";
import { COMPARED_KEYS, COMPARED_RANGES } from "../core/limits.ts";
import type { Position } from "../core/position.ts";
import type { Source } from "../core/source.ts";
import type { TableRule } from "../core/table-rule.ts";
import { firstNewRow } from "../sink/changes/buffered-changes.ts";
import { KEY_WORDS, keyWords } from "../sink/keys/key-words.ts";
import type { RuleRouter } from "../sink/layout/router.ts";
import { fileKeys, identifierNames, keyFields } from "../sink/keys/table-state.ts";
import { hasReached } from "./start-points.ts";

/** A table and how far it has come. */
export interface ComparedTable {
  /** `namespace.table`. */
  readonly name: string;
  readonly loaded: LoadedTable;
  readonly rule: TableRule;
  readonly position: Position;
}

/** Keys of one range of their hashes: how many, and the sum of their hashes. */
export interface KeyRange {
  readonly count: number;
  readonly hash: bigint;
}

export interface Comparison {
  readonly table: ComparedTable;
  /** By number of the range; one for a table without a key, whose rows are only counted. */
  readonly source: readonly KeyRange[];
  readonly found: readonly KeyRange[];
}

/** Why a table cannot be compared with its source; null: it can. */
export function reasonAgainst({ loaded, rule }: Pick<ComparedTable, "loaded" | "rule">): string | null {
  if (rule.mode === "history") return "a history table holds changes, not rows";
  if (rule.softDelete !== undefined) return "soft_delete keeps rows that the source has no longer";
  if (rule.ignoreDeletes === true) return "ignore_deletes keeps rows that the source has no longer";
  if (rule.orderBy !== undefined) return "order_by leaves changes out by what they hold";
  if (rule.dedupe !== undefined) return "dedupe leaves rows out";
  if (rule.mode === "upsert" && identifierNames(currentSchema(loaded.metadata)).length === 0) return "it has no key";
  return null;
}

/**
 * Reads the source from its beginning up to the position of each table, and compares what is left of it with what is in the table: by key,
 * per range of the keys' hashes, or by the number of rows where there is no key. What both hold at a time is bounded: with more keys the
 * source is read several times, each time for some of the ranges.
 *
 * @param open gives the source anew, from its beginning @param keysHeld at a time; by default the limit of the engine
 */
export async function compareWithSource(
  io: FileIO,
  tables: readonly ComparedTable[],
  open: <T>(run: (source: Source, router: RuleRouter) => Promise<T>) => Promise<T>,
  keysHeld = COMPARED_KEYS,
): Promise<Comparison[]> {
  for (let passes = 1; ; passes *= 2) {
    const folds = await foldSource(tables, { passes, keysHeld }, open);
    if (folds === null) continue;
    return Promise.all(
      tables.map(async (table, index) => ({
        table,
        source: folds[index]?.map(({ count, hash }) => ({ count, hash })) ?? [],
        found: await tableRanges(io, table),
      })),
    );
  }
}

interface Range {
  count: number;
  hash: bigint;
}

const emptyRanges = (table: ComparedTable): Range[] =>
  Array.from({ length: table.rule.mode === "upsert" ? COMPARED_RANGES : 1 }, () => ({ count: 0, hash: 0n }));

/** The ranges of each table by the source; null when a pass holds too many keys. */
async function foldSource(
  tables: readonly ComparedTable[],
  { passes, keysHeld }: Pick<Pass, "passes" | "keysHeld">,
  open: Parameters<typeof compareWithSource>[2],
): Promise<Range[][] | null> {
  const ranges = tables.map(emptyRanges);
  for (let pass = 0; pass < passes; pass++) {
    const keys = await open((source, router) => foldPass(source, router, tables, { pass, passes, keysHeld, ranges }));
    if (keys === null) return null;
  }
  return ranges;
}

interface Pass {
  readonly pass: number;
  readonly passes: number;
  readonly keysHeld: number;
  /** Filled in. */
  readonly ranges: readonly Range[][];
}

async function foldPass(
  source: Source,
  router: RuleRouter,
  tables: readonly ComparedTable[],
  { pass, passes, keysHeld, ranges }: Pass,
): Promise<true | null> {
  const compare = source.comparePoints.bind(source);
  const end = await source.endPosition();
  // Splits of others, such as dead letters that were replayed, are not the source's.
  const target = furthest(tables, end, compare);
  const folds = tables.map(() => new Map<bigint, number>());
  const reached = new Map<string, string>();
  const stop = new AbortController();
  try {
    if (hasReached(reached, target, compare)) return true;
    for await (const { changes, ends } of source.read(new Map(), stop.signal)) {
      for (const batch of changes) {
        const { target: name } = router.table(batch.table).binding;
        const index = tables.findIndex((table) => table.name === name);
        const table = tables[index];
        const fold = folds[index];
        const [rowCount] = ranges[index] ?? [];
        if (table === undefined || fold === undefined || rowCount === undefined) continue;
        const rows = table.position.has(batch.split) ? firstNewRow(batch, table.position, compare) : 0;
        if (table.rule.mode === "append") {
          if (pass === 0) rowCount.count += rows;
        } else foldBatch(fold, table, batch, rows, (range) => range % passes === pass);
      }
      if (folds.reduce((sum, { size }) => sum + size, 0) > keysHeld && passes < COMPARED_RANGES) return null;
      for (const [split, point] of ends) reached.set(split, point);
      if (hasReached(reached, target, compare)) break;
    }
  } finally {
    stop.abort();
  }
  for (const [index, fold] of folds.entries()) {
    for (const [key, range] of fold) add(ranges[index]?.[range] as Range, key);
  }
  return true;
}

/** The furthest point of each split that some table has, as far as the source has the split. */
function furthest(tables: readonly ComparedTable[], end: Position, compare: Source["comparePoints"]): Position {
  const target = new Map<string, string>();
  for (const { position } of tables) {
    for (const [split, point] of position) {
      const known = target.get(split);
      if (end.has(split) && (known === undefined || compare(known, point) < 0)) target.set(split, point);
    }
  }
  return target;
}

/** Applies the first rows of a batch to the keys that are there, each with its range. */
function foldBatch(
  fold: Map<bigint, number>,
  { loaded }: ComparedTable,
  batch: ChangeBatch,
  rows: number,
  isOurs: (range: number) => boolean,
): void {
  if (rows === 0) return;
  const schema = currentSchema(loaded.metadata);
  const names = identifierNames(schema);
  const fields = keyFields(schema, names);
  const columns = names.flatMap((name) => batch.columns[batch.fields.findIndex((field) => field.name === name)] ?? []);
  const types = fields.map(({ type }) => type);
  const words = columns.length === names.length ? keyWords(columns, types, names, batch.length, batch.ops, SEED) : null;
  for (let row = 0; row < rows; row++) {
    const op = batch.ops[row];
    if (op === Op.truncate) fold.clear();
    else if (words !== null) {
      const range = rangeOf(words, row);
      if (!isOurs(range)) continue;
      if (op === Op.delete) fold.delete(keyOf(words, row));
      else fold.set(keyOf(words, row), range);
    }
  }
}

/** Of the fingerprints: any, as long as both sides have it. */
const SEED = 0;

async function tableRanges(io: FileIO, table: ComparedTable): Promise<Range[]> {
  const { metadata } = table.loaded;
  const ranges = emptyRanges(table);
  const snapshot = currentSnapshot(metadata);
  if (snapshot === null) return ranges;
  const plan = await planSnapshot(io, metadata, snapshot);
  const deleted = deletedPositions(io);
  const schema = currentSchema(metadata);
  const names = identifierNames(schema);
  for (const { file } of plan.dataFiles) {
    const gone = await deleted.of(file, plan.deletes.get(file.filePath) ?? []);
    if (table.rule.mode === "append") {
      (ranges[0] as Range).count += Number(file.recordCount) - gone.cardinality;
      continue;
    }
    let position = 0;
    for await (const words of fileKeys(io, schema, names, SEED, file)) {
      const rows = words.length / KEY_WORDS;
      for (let row = 0; row < rows; row++, position++) {
        if (!gone.has(position)) add(ranges[rangeOf(words, row)] as Range, keyOf(words, row));
      }
    }
  }
  return ranges;
}

function keyOf(words: Uint32Array, row: number): bigint {
  const at = row * KEY_WORDS;
  const high = (BigInt(words[at + 3] as number) << 32n) | BigInt(words[at + 2] as number);
  return (high << 64n) | (BigInt(words[at + 1] as number) << 32n) | BigInt(words[at] as number);
}

/** Keys that are whole numbers stand for themselves: their bits are mixed before some of them name the range. */
function rangeOf(words: Uint32Array, row: number): number {
  const at = row * KEY_WORDS;
  const mixed = Math.imul((words[at] as number) ^ Math.imul(words[at + 1] as number, 0x85ebca6b), 0x9e3779b1);
  return (mixed >>> 16) % COMPARED_RANGES;
}

const MASK = (1n << 64n) - 1n;

function add(range: Range, key: bigint): void {
  range.count++;
  // A multiplication spreads whole numbers, whose plain sum two swapped keys could leave as it was.
  const mixed = ((key ^ (key >> 64n)) * 0x9e3779b97f4a7c15n) & MASK;
  range.hash = (range.hash + (mixed ^ (mixed >> 29n)) * 0xbf58476d1ce4e5b9n) & MASK;
}
