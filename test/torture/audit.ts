import { setTimeout as sleep } from "node:timers/promises";
import { parsePosition, type Position } from "../../src/core/position.ts";
import { type CanonicalRow, canonicalLines, digestOf } from "../readers/canonical.ts";
import type { Readers, TableDescription } from "../readers/reader.ts";
import type { LocatedTable, SqliteTable, TableContents } from "../readers/requests.ts";
import { FED_TABLES, type FedTable } from "./feed.ts";
import { type Cut, headsCut, type Lake } from "./lake.ts";

/** What reading the tables' snapshots has found. */
export interface AuditResult {
  readonly snapshots: number;
  /** Of them, those that moved rows to other files. */
  readonly rewrites: number;
  /** Beside them, those that expired before they could be read. */
  readonly expired: number;
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
  /** What it has found so far. */
  result(): AuditResult;
  /** Looks, and expects the last snapshot of each table to hold all that was sent. */
  finish(): Promise<AuditResult>;
}

const MOST_COMPLAINTS = 20;
/** A store that is down comes back within this many looks. */
const ATTEMPTS = 60;
const PAUSE_MS = 500;
/** So many newer metadata files are tried where the one that named a snapshot may have gone before it. */
const NEWER_HEADS = 3;
const MISSING = Symbol("missing");

/** Tables of a few numbers, which are judged by themselves, too. Of the others rows are asked for only when their digest is wrong. */
const JUDGED: ReadonlySet<FedTable> = new Set(["checking", "saving", "registers"]);

/** What is kept of a snapshot that was read. */
interface Read {
  readonly columns: readonly string[];
  readonly digest: string;
  /** What its accounts hold; 0 for tables without a balance. */
  readonly balance: number;
}

/** A table as of one metadata file. */
interface Known {
  readonly head: string;
  readonly description: TableDescription;
}

/**
 * Compares every snapshot of the tables with what was sent to Kafka up to the position that stands in it, and every cut over all tables with
 * what was sent up to the cut's. The rows are read by PyIceberg: none of the product's reading code has a part.
 */
export function openAudit(
  feed: Expected,
  lake: Pick<Lake, "s3" | "place" | "heads" | "ledger">,
  readers: Pick<Readers, "pyiceberg" | "describe">,
): Audit {
  const seen = new Map<string, Read | null>();
  const known = new Map<FedTable, Known>();
  const complaints: string[] = [];
  const lastRows = new Map<FedTable, number>();
  /** Snapshots that a table's metadata has named, of those that went unread at least as a parent. */
  const named = new Set<string>();
  const waiting = new Map<string, Cut>();
  const looked = new Set<string>();
  let [lost, doubled, missingFiles, wrongSums, registerGaps, registerRepeats] = [0, 0, 0, 0, 0, 0];
  let [rewrites, expired] = [0, 0];
  /** Positions by table and snapshot. They outlast the snapshots: what moves rows only stands for its parent's. */
  const positions = new Map<string, Position>();
  const options = lake.s3 === null ? {} : { s3: lake.s3 };

  function complain(text: string): void {
    if (complaints.length < MOST_COMPLAINTS) complaints.push(text);
  }

  /**
   * What is answered; of something that is not there, what stands in its place (null if it has been taken away), or it is a missing file and
   * null, too.
   */
  async function asked<T>(
    what: string,
    ask: () => Promise<T>,
    instead: () => Promise<T | null | typeof MISSING> = async () => MISSING,
  ): Promise<T | null> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        const { message } = error as Error;
        if (attempt < ATTEMPTS && !isMissingFile(message)) {
          await sleep(PAUSE_MS);
          continue;
        }
        const other = await instead();
        if (other !== MISSING) return other;
        missingFiles++;
        complain(`${what}: ${message}`);
        return null;
      }
    }
  }

  const headOf = async (name: FedTable): Promise<string | undefined> =>
    (await asked("the tables", lake.heads))?.get(name);

  /** The table as a metadata file has it, or as a newer one where that has gone. */
  function describe(name: FedTable, head: string): Promise<Known | null> {
    return asked<Known>(
      name,
      async () => ({ head, description: await readers.describe({ location: head }, options) }),
      async () => {
        const newer = await headOf(name);
        return newer === undefined || newer === head ? MISSING : describe(name, newer);
      },
    );
  }

  /** What a snapshot holds; null when it has expired, or a file of it is missing. A metadata file may go before it does. */
  function contentsOf(
    name: FedTable,
    place: LocatedTable | SqliteTable,
    snapshotId: string,
    rows: boolean,
    newerHeads = NEWER_HEADS,
  ): Promise<TableContents | null> {
    return asked(
      `${name} at ${snapshotId}`,
      () => readers.pyiceberg(place, { ...options, snapshotId: BigInt(snapshotId), rows }),
      async () => {
        const head = await headOf(name);
        const now = head === undefined ? null : await describe(name, head);
        if (now === null) return MISSING;
        // Files go only when it has been committed that nothing needs them.
        if (!now.description.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return null;
        const isElsewhere = "location" in place && place.location !== now.head;
        if (!isElsewhere || newerHeads === 0) return MISSING;
        return contentsOf(name, { location: now.head }, snapshotId, rows, newerHeads - 1);
      },
    );
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
    if (absent + extra.length === 0) complain(`${what}: has the rows, but not their digest`);
    lost += absent;
    doubled += extra.reduce((sum, [, count]) => sum + count, 0);
  }

  async function readSnapshot(
    name: FedTable,
    place: LocatedTable | SqliteTable,
    snapshotId: string,
    position: Position | null,
  ): Promise<void> {
    const what = `${name} at ${snapshotId}`;
    const read = (rows: boolean): Promise<TableContents | null> => contentsOf(name, place, snapshotId, rows);
    const contents = await read(JUDGED.has(name));
    if (contents === null) return;
    const columns = contents.columns.map((column) => column.name);
    const expected = canonicalLines(columns, feed.rowsAt(name, position));
    if (digestOf(expected) !== contents.digest) {
      const found = JUDGED.has(name) ? contents : await read(true);
      if (found === null)
        complain(`${what}: has another digest than what was sent, and was gone before its rows were read`);
      else compare(what, expected, found.lines);
    }
    lastRows.set(name, contents.count);
    if (name === "registers") countRegisters(what, contents);
    const balance = name === "checking" || name === "saving" ? sumOfBalances(contents) : 0;
    seen.set(`${name} ${snapshotId}`, { columns, digest: contents.digest, balance });
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
      const accounts = reads.filter(([name]) => name === "checking" || name === "saving").map(([, read]) => read);
      if (sum === null || accounts.length < 2 || accounts.includes(null)) continue;
      const found = accounts.reduce((total, read) => total + (read?.balance ?? 0), 0);
      if (found === sum) continue;
      wrongSums++;
      complain(`the cut ${id}: the accounts hold ${found} together, expected ${sum}`);
    }
  }

  function offered(cut: Cut | null): void {
    if (cut === null || looked.has(cut.id)) return;
    looked.add(cut.id);
    waiting.set(cut.id, cut);
  }

  /** The position that each snapshot stands for: its own, or its parent's where it moves rows only. */
  function learnPositions(name: FedTable, { snapshots }: TableDescription): void {
    for (const { snapshotId, parentSnapshotId, summary } of snapshots) {
      const own = summary["ingest.position"];
      const parents = parentSnapshotId === null ? new Map() : positions.get(`${name} ${parentSnapshotId}`);
      const position = own === undefined ? parents : parsePosition(own);
      if (position !== undefined) positions.set(`${name} ${snapshotId}`, position);
    }
  }

  /** Learns of a table's snapshots, which may expire before they are read. */
  async function learn(name: FedTable, head: string): Promise<void> {
    const table = await describe(name, head);
    if (table === null) return;
    known.set(name, table);
    learnPositions(name, table.description);
    for (const { snapshotId, parentSnapshotId } of table.description.snapshots) {
      named.add(`${name} ${snapshotId}`);
      if (parentSnapshotId !== null) named.add(`${name} ${parentSnapshotId}`);
    }
  }

  /** Reads the snapshots that a table has and that were not read yet. */
  async function readNew(name: FedTable, { head, description }: Known): Promise<void> {
    for (const { snapshotId, operation } of description.snapshots) {
      const id = `${name} ${snapshotId}`;
      if (seen.has(id)) continue;
      seen.set(id, null);
      const position = positions.get(id);
      // What it stands for went with its parent.
      if (position !== undefined) await readSnapshot(name, { location: head }, snapshotId, position);
      if (seen.get(id) == null) expired++;
      else if (operation === "replace") rewrites++;
    }
  }

  async function look(): Promise<void> {
    // Before the tables: then they have the snapshots that it names.
    if (lake.ledger !== null) offered(await asked("the ledger", lake.ledger));
    const heads = await asked("the tables", lake.heads);
    if (heads === null) return;
    // All of them before any row is read, which takes longer than some snapshots stay.
    for (const name of FED_TABLES) {
      const head = heads.get(name);
      if (head === undefined && known.has(name)) {
        missingFiles++;
        complain(`${name}: is gone`);
      }
      if (head !== undefined && head !== known.get(name)?.head) await learn(name, head);
    }
    for (const [name, table] of known) await readNew(name, table);
    if (lake.ledger === null && [...heads].every(([name, head]) => known.get(name)?.head === head))
      offered(headsCut(new Map([...known].map(([name, { description }]) => [name, description]))));
    judgeCuts();
  }

  function result(): AuditResult {
    const rows = [...lastRows.values()].reduce((sum, count) => sum + count, 0);
    const snapshots = [...seen.values()].filter((read) => read !== null).length;
    return {
      ...{ snapshots, rewrites, expired, rows, lost, doubled, missingFiles, complaints: [...complaints] },
      ...{ cuts: looked.size, wrongSums, registerGaps, registerRepeats },
    };
  }

  return {
    look,
    result,
    async finish() {
      await look();
      for (const name of FED_TABLES) {
        // As its catalog names it, not by the metadata file.
        const place = lake.place(name);
        const described = await asked(name, () => readers.describe(place, options));
        if (described?.currentSnapshotId == null) complain(`${name}: has no snapshot`);
        else await readSnapshot(name, place, described.currentSnapshotId, null);
      }
      judgeCuts();
      for (const [id, { tables }] of waiting)
        if ([...tables].some(([name, snapshotId]) => !named.has(`${name} ${snapshotId}`)))
          complain(`the cut ${id} names a snapshot that no table has`);
      return result();
    },
  };
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
