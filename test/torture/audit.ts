import { setTimeout as sleep } from "node:timers/promises";
import { parsePosition, type Position } from "../../src/core/position.ts";
import { type CanonicalRow, canonicalLines, digestOf } from "../readers/canonical.ts";
import type { Readers, TableDescription } from "../readers/reader.ts";
import type { LocatedTable, S3Location, SqliteTable, TableContents } from "../readers/requests.ts";
import type { Cut, Cuts } from "./cuts.ts";
import type { FedTable } from "./feed.ts";

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
  /** Cuts over all tables that readers were offered; their rows are among `lost` and `doubled`. */
  readonly cuts: number;
  /** Of them, those at which the accounts did not hold what they must together. */
  readonly wrongSums: number;
  /** Numbers of registers that were left out or came again, over all snapshots, told without knowing what was sent. */
  readonly registerGaps: number;
  readonly registerRepeats: number;
  /** The first complaints, in words. */
  readonly complaints: readonly string[];
}

/** A table under audit and where PyIceberg finds it. */
export interface AuditedTable {
  readonly name: FedTable;
  readonly place: LocatedTable | SqliteTable;
}

/** What must be in the tables. */
export interface Expected {
  /** The rows of a table at a position; without one, all that was sent. */
  rowsAt(table: FedTable, position: Position | null): CanonicalRow[];
  /** What the accounts of both tables hold together at a position; null while some are still to be opened. */
  sumAt(position: Position): number | null;
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

/** What is kept of a snapshot that was read. */
interface Read {
  readonly columns: readonly string[];
  readonly digest: string;
  /** What its accounts hold; 0 for tables without a balance. */
  readonly balance: number;
}

/**
 * Compares every snapshot of the tables with what was sent to Kafka up to the position that stands in it, and every cut over all tables with
 * what was sent up to the cut's. The rows are read by PyIceberg: none of the product's reading code has a part.
 */
export function openAudit(
  feed: Expected,
  tables: readonly AuditedTable[],
  cuts: Pick<Cuts, "newest">,
  readers: Pick<Readers, "pyiceberg" | "describe">,
  s3: S3Location | undefined,
): Audit {
  const seen = new Map<string, Read | null>();
  const created = new Set<FedTable>();
  const complaints: string[] = [];
  const lastRows = new Map<FedTable, number>();
  const waiting = new Map<string, Cut>();
  const looked = new Set<string>();
  let [lost, doubled, missingFiles, wrongSums, registerGaps, registerRepeats] = [0, 0, 0, 0, 0, 0];
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
    const columns = contents.columns.map(({ name }) => name);
    compare(what, canonicalLines(columns, feed.rowsAt(table.name, position)), contents.lines);
    lastRows.set(table.name, contents.count);
    if (table.name === "registers") countRegisters(what, contents);
    const balance = table.name === "checking" || table.name === "saving" ? sumOfBalances(contents) : 0;
    seen.set(`${table.name} ${snapshotId}`, { columns, digest: digestOf(contents.lines), balance });
  }

  /** A register's numbers are 1, 2, 3 and so on, each once. */
  function countRegisters(what: string, { rows }: TableContents): void {
    for (const [register, numbers] of Map.groupBy(rows, (row) => row["register"])) {
      const distinct = new Set(numbers.map((row) => Number(row["next"])));
      const gaps = Math.max(...distinct) - distinct.size;
      const repeats = numbers.length - distinct.size;
      if (gaps + repeats > 0)
        complain(`${what}: register ${JSON.stringify(register)} has ${gaps} gaps and ${repeats} repeats`);
      registerGaps += gaps;
      registerRepeats += repeats;
    }
  }

  /** Looks at the cuts whose snapshots have all been read. */
  function judgeCuts(): void {
    for (const [id, cut] of waiting) {
      const reads = [...cut.tables].map(([name, snapshotId]) => [name, seen.get(`${name} ${snapshotId}`)] as const);
      if (reads.some(([, read]) => read === undefined)) continue;
      waiting.delete(id);
      for (const [name, read] of reads) {
        if (read == null) continue;
        const expected = canonicalLines(read.columns, feed.rowsAt(name, cut.position));
        if (digestOf(expected) === read.digest) continue;
        complain(`the cut ${id}: ${name} does not hold what was sent up to the cut's position`);
        lost++;
      }
      const sum = feed.sumAt(cut.position);
      if (sum === null || !cut.tables.has("checking") || !cut.tables.has("saving")) continue;
      const found = reads.reduce((total, [, read]) => total + (read?.balance ?? 0), 0);
      if (found === sum) continue;
      wrongSums++;
      complain(`the cut ${id}: the accounts hold ${found} together, expected ${sum}`);
    }
  }

  async function lookAtCut(): Promise<void> {
    const cut = await asked("the cut", () => cuts.newest(), true);
    if (cut == null || looked.has(cut.id)) return;
    looked.add(cut.id);
    waiting.set(cut.id, cut);
  }

  async function lookAt(table: AuditedTable): Promise<TableDescription | null> {
    const described = await asked(table.name, () => readers.describe(table.place, options), !created.has(table.name));
    if (described === null) return null;
    created.add(table.name);
    const positions = positionsOf(described);
    for (const { snapshotId } of described.snapshots) {
      const id = `${table.name} ${snapshotId}`;
      if (seen.has(id)) continue;
      seen.set(id, null);
      await readSnapshot(table, snapshotId, positions.get(snapshotId) ?? new Map());
    }
    return described;
  }

  return {
    async look() {
      // Before the tables: then they have the snapshots that it names.
      await lookAtCut();
      for (const table of tables) await lookAt(table);
      judgeCuts();
    },
    async finish() {
      await lookAtCut();
      for (const table of tables) {
        const described = await lookAt(table);
        if (described?.currentSnapshotId == null) complain(`${table.name}: has no snapshot`);
        else await readSnapshot(table, described.currentSnapshotId, null);
      }
      judgeCuts();
      for (const id of waiting.keys()) complain(`the cut ${id} names a snapshot that no table has`);
      const rows = [...lastRows.values()].reduce((sum, count) => sum + count, 0);
      return {
        ...{ snapshots: seen.size, rows, lost, doubled, missingFiles, complaints },
        ...{ cuts: looked.size, wrongSums, registerGaps, registerRepeats },
      };
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

function sumOfBalances({ rows }: TableContents): number {
  return rows.reduce((sum, row) => sum + Number(row["balance"]), 0);
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
