import { setTimeout as sleep } from "node:timers/promises";
import { parsePosition, type Position } from "../../src/core/position.ts";
import type { BankFeed, BankTable } from "../it/job/bank-feed.ts";
import { canonicalLines } from "../readers/canonical.ts";
import type { Readers, TableDescription } from "../readers/reader.ts";
import type { LocatedTable, S3Location, SqliteTable } from "../readers/requests.ts";

/** What reading the tables' snapshots has found. */
export interface AuditResult {
  readonly snapshots: number;
  /** Rows of the last snapshots. */
  readonly rows: number;
  /** Rows that should be in a snapshot and are not, over all snapshots. */
  readonly lost: number;
  /** Rows that are in a snapshot and should not be there, or not as often. */
  readonly doubled: number;
  readonly missingFiles: number;
  /** The first complaints, in words. */
  readonly complaints: readonly string[];
}

/** A table under audit and where PyIceberg finds it. */
export interface AuditedTable {
  readonly name: BankTable;
  readonly place: LocatedTable | SqliteTable;
}

export interface Audit {
  /** Reads all snapshots that have appeared since the last call; while the store cannot be reached it waits and tries again. */
  look(): Promise<void>;
  /** Looks, and expects the last snapshot of each table to hold all that was sent. */
  finish(): Promise<AuditResult>;
}

const MOST_COMPLAINTS = 20;
/** A store that is down comes back within this many looks. */
const ATTEMPTS = 60;
const PAUSE_MS = 500;

/**
 * Compares every snapshot of the tables with what was sent to Kafka up to the position that stands in it. The rows are read by PyIceberg: none of
 * the product's reading code has a part.
 */
export function openAudit(
  feed: BankFeed,
  tables: readonly AuditedTable[],
  readers: Readers,
  s3: S3Location | undefined,
): Audit {
  const seen = new Set<string>();
  const created = new Set<BankTable>();
  const complaints: string[] = [];
  const lastRows = new Map<BankTable, number>();
  let [lost, doubled, missingFiles] = [0, 0, 0];
  const options = s3 === undefined ? {} : { s3 };

  function complain(text: string): void {
    if (complaints.length < MOST_COMPLAINTS) complaints.push(text);
  }

  /** What PyIceberg answers, or null when something is not there: missing, unless the table need not have been created yet. */
  async function asked<T>(what: string, ask: () => Promise<T>, mayBeAbsent = false): Promise<T | null> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        const { message } = error as Error;
        if (mayBeAbsent && isMissingFile(message)) return null;
        if (attempt < ATTEMPTS && !isMissingFile(message)) {
          await sleep(PAUSE_MS);
          continue;
        }
        missingFiles++;
        complain(`${what}: ${message}`);
        return null;
      }
    }
  }

  function compare(what: string, expected: readonly string[], found: readonly string[]): void {
    const surplus = countLines(found);
    let absent = 0;
    for (const line of expected) {
      const count = surplus.get(line) ?? 0;
      if (count > 0) surplus.set(line, count - 1);
      else if (absent++ === 0) complain(`${what}: lacks ${line}`);
    }
    const extra = [...surplus].filter(([, count]) => count > 0);
    if (extra.length > 0) complain(`${what}: has too much ${extra[0]?.[0]}`);
    lost += absent;
    doubled += extra.reduce((sum, [, count]) => sum + count, 0);
  }

  async function readSnapshot(table: AuditedTable, snapshotId: string, position: Position | null): Promise<void> {
    const what = `${table.name} at ${snapshotId}`;
    const contents = await asked(what, () =>
      readers.pyiceberg(table.place, { ...options, snapshotId: BigInt(snapshotId) }),
    );
    if (contents === null) return;
    const names = contents.columns.map(({ name }) => name);
    compare(what, canonicalLines(names, feed.rowsAt(table.name, position)), contents.lines);
    lastRows.set(table.name, contents.count);
  }

  async function lookAt(table: AuditedTable): Promise<TableDescription | null> {
    const described = await asked(table.name, () => readers.describe(table.place, options), !created.has(table.name));
    if (described === null) return null;
    created.add(table.name);
    const positions = positionsOf(described);
    for (const { snapshotId } of described.snapshots) {
      const id = `${table.name} ${snapshotId}`;
      if (seen.has(id)) continue;
      seen.add(id);
      await readSnapshot(table, snapshotId, positions.get(snapshotId) ?? new Map());
    }
    return described;
  }

  return {
    async look() {
      for (const table of tables) await lookAt(table);
    },
    async finish() {
      for (const table of tables) {
        const described = await lookAt(table);
        if (described?.currentSnapshotId == null) complain(`${table.name}: has no snapshot`);
        else await readSnapshot(table, described.currentSnapshotId, null);
      }
      const rows = [...lastRows.values()].reduce((sum, count) => sum + count, 0);
      return { snapshots: seen.size, rows, lost, doubled, missingFiles, complaints };
    },
  };
}

/** The position each snapshot stands for: its own, or its parent's where it moves rows only. */
function positionsOf({ snapshots }: TableDescription): ReadonlyMap<string, Position> {
  const positions = new Map<string, Position>();
  for (const { snapshotId, parentSnapshotId, summary } of snapshots) {
    const own = summary["ingest.position"];
    const position = own === undefined ? positions.get(parentSnapshotId ?? "") : parsePosition(own);
    if (position !== undefined) positions.set(snapshotId, position);
  }
  return positions;
}

function countLines(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** PyArrow's and PyIceberg's words for an object or a table that is not there. */
function isMissingFile(message: string): boolean {
  return /FileNotFound|Path does not exist|NoSuchKey|NoSuchTable|No such file|not found/i.test(message);
}
