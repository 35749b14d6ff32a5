import type { Figures, FiguresReading, TableCounts } from "../core/figures.ts";
import type { Clock } from "../core/runtime.ts";

const NONE: TableCounts = { rows: 0, inserts: 0, updates: 0, deletes: 0, dropped: 0, files: 0, bytes: 0 };

/** Figures that are all zero. Readers get copies: what they hold does not move under them. */
export function createFigures(clock: Pick<Clock, "nowMs">): Figures {
  const tables = new Map<string, TableCounts>();
  let letters: ReadonlyMap<string, number> = new Map();
  const counts = {
    rows: 0,
    records: 0,
    commits: 0,
    conflicts: 0,
    retries: 0,
    maintenanceRuns: 0,
    maintenanceFailures: 0,
  };
  let readBytes: number | null = null;
  let preparedRows = 0;
  let settledRows = 0;
  let readLag: bigint | null = null;
  let validThroughMs: number | null = null;
  return {
    taken(rows, records, bytes) {
      counts.rows += rows;
      counts.records += records;
      if (bytes !== null) readBytes = (readBytes ?? 0) + bytes;
    },
    deadLetters(byCode) {
      letters = new Map(byCode);
    },
    prepared() {
      preparedRows = counts.rows;
    },
    committed(table, given) {
      tables.set(table, sum([tables.get(table) ?? NONE, given]));
    },
    settled(throughMs) {
      preparedRows = counts.rows;
      settledRows = counts.rows;
      validThroughMs = throughMs;
    },
    commit() {
      counts.commits++;
    },
    conflict() {
      counts.conflicts++;
    },
    retry() {
      counts.retries++;
    },
    maintained(failed) {
      counts.maintenanceRuns++;
      if (failed) counts.maintenanceFailures++;
    },
    readLag(messages) {
      readLag = messages;
    },
    read(): FiguresReading {
      return {
        ...counts,
        readBytes,
        tables: new Map(tables),
        written: sum([...tables.values()]),
        deadLetters: [...letters.values()].reduce((total, count) => total + count, 0),
        deadLettersByCode: letters,
        readLag,
        writeLagRows: counts.rows - preparedRows,
        commitLagRows: counts.rows - settledRows,
        validThroughMs,
        freshnessSeconds: validThroughMs === null ? null : Math.max(0, (clock.nowMs() - validThroughMs) / 1000),
      };
    },
  };
}

function sum(parts: readonly TableCounts[]): TableCounts {
  return parts.reduce(
    (total, part) => ({
      rows: total.rows + part.rows,
      inserts: total.inserts + part.inserts,
      updates: total.updates + part.updates,
      deletes: total.deletes + part.deletes,
      dropped: total.dropped + part.dropped,
      files: total.files + part.files,
      bytes: total.bytes + part.bytes,
    }),
    NONE,
  );
}
