import { counted, grouped } from "../core/count-text.ts";
import type { FiguresReading, TableCounts } from "../core/figures.ts";
import { sizeText, tableText } from "./output.ts";

/** What was written, one line a table and their sum; nothing where nothing was. */
export function writtenTable(tables: ReadonlyMap<string, TableCounts>): string {
  if (tables.size === 0) return "";
  const total = [...tables.values()].reduce((sum, counts) => addCounts(sum, counts));
  const drops = total.dropped > 0;
  const lines = [...tables].map(([name, counts]) => [name, ...cells(counts, drops)]);
  if (tables.size > 1) lines.push(["total", ...cells(total, drops)]);
  return tableText(
    ["table", "inserts", "updates", "deletes", ...(drops ? ["dropped"] : []), "files", "size"].map((name, index) => ({
      name,
      align: index === 0 ? "left" : "right",
    })),
    lines,
  );
}

/** @param drops whether some table has dropped changes: few ever do. */
function cells({ inserts, updates, deletes, dropped, files, bytes }: TableCounts, drops: boolean): string[] {
  return [
    `+${grouped(inserts)}`,
    `~${grouped(updates)}`,
    `-${grouped(deletes)}`,
    ...(drops ? [grouped(dropped)] : []),
    grouped(files),
    sizeText(BigInt(bytes)),
  ];
}

function addCounts(a: TableCounts, b: TableCounts): TableCounts {
  return {
    rows: a.rows + b.rows,
    inserts: a.inserts + b.inserts,
    updates: a.updates + b.updates,
    deletes: a.deletes + b.deletes,
    dropped: a.dropped + b.dropped,
    files: a.files + b.files,
    bytes: a.bytes + b.bytes,
  };
}

/** The figures of a process as fields of a JSON line; `docs/figures.md` has their meaning. */
export function figuresRecord(figures: FiguresReading): Readonly<Record<string, unknown>> {
  return {
    rows: figures.rows,
    records: figures.records,
    readBytes: figures.readBytes,
    inserts: figures.written.inserts,
    updates: figures.written.updates,
    deletes: figures.written.deletes,
    dropped: figures.written.dropped,
    files: figures.written.files,
    bytes: figures.written.bytes,
    commits: figures.commits,
    conflicts: figures.conflicts,
    retries: figures.retries,
    maintenanceRuns: figures.maintenanceRuns,
    maintenanceFailures: figures.maintenanceFailures,
    deadLetters: figures.deadLetters,
    deadLettersByCode: Object.fromEntries(figures.deadLettersByCode),
    readLag: figures.readLag,
    writeLagRows: figures.writeLagRows,
    commitLagRows: figures.commitLagRows,
    validThrough: figures.validThroughMs === null ? null : new Date(figures.validThroughMs).toISOString(),
    freshnessSeconds: figures.freshnessSeconds,
    tables: Object.fromEntries(figures.tables),
  };
}

/** `2 conflicts, 0 retries, 3 dead letters (MALFORMED_JSON 3)`. */
export function troubleText({ conflicts, retries, deadLetters, deadLettersByCode }: FiguresReading): string {
  const reasons = [...deadLettersByCode].map(([code, count]) => `${code} ${grouped(count)}`).join(", ");
  const letters = `${counted(deadLetters, "dead letter")}${reasons === "" ? "" : ` (${reasons})`}`;
  return `${counted(conflicts, "conflict")}, ${counted(retries, "retry", "retries")}, ${letters}`;
}

/** `lag: read 12, write 0, commit 0 rows; freshness 0.8 s`. */
export function lagText({ readLag, writeLagRows, commitLagRows, freshnessSeconds }: FiguresReading): string {
  const read = readLag === null ? "?" : grouped(readLag);
  const fresh = freshnessSeconds === null ? "?" : durationText(freshnessSeconds);
  return `lag: read ${read}, write ${grouped(writeLagRows)}, commit ${grouped(commitLagRows)} rows; freshness ${fresh}`;
}

/** `0.8 s`, `12 min`, `31 h`, `4 d`. */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${grouped(Math.round(seconds / 86_400))} d`;
}
