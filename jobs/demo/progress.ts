import { bar, cellText, cyan, dim, green, grouped, red, say } from "./screen.ts";

/** A line of `frazil run --json`: one table's part of a checkpoint. */
export interface Commit {
  readonly checkpoint: number;
  readonly table: string;
  readonly snapshotId: string;
  readonly rows: number;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly prepareMs: number;
  readonly commitMs: number;
}

/** What the demo knows of the job by what it was told. */
export interface Told {
  readonly commits: Commit[];
  /** Rows in `grows` by now. */
  grown: number;
  /** The append-only table, which only grows, and how many rows it will have: that tells how far the job has come. */
  readonly grows: string;
  /** Null where nobody knows. */
  readonly grownAtEnd: number | null;
}

/** The tables of one checkpoint are printed together, this long after the first of them. */
const GATHER_MS = 30;

/** Prints the commits of a running job, one line a checkpoint, and keeps them. */
export function progressPrinter(told: Told): { line(text: string): void; end(): void } {
  let gathered: Commit[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    if (gathered.length > 0) printCheckpoint(gathered, told.grownAtEnd === null ? null : told.grown / told.grownAtEnd);
    gathered = [];
  };
  return {
    line(text) {
      const found = JSON.parse(text) as Record<string, unknown>;
      if (found["snapshotId"] === undefined || found["snapshotId"] === null) return;
      const commit = {
        ...found,
        snapshotId: cellText(found["snapshotId"]),
        checkpoint: Number(found["checkpoint"]),
      } as Commit;
      if (gathered.length > 0 && gathered[0]?.checkpoint !== commit.checkpoint) flush();
      told.commits.push(commit);
      if (commit.table === told.grows) told.grown += commit.inserts;
      gathered.push(commit);
      clearTimeout(timer);
      timer = setTimeout(flush, GATHER_MS);
    },
    end: flush,
  };
}

function printCheckpoint(tables: readonly Commit[], share: number | null): void {
  const sum = (of: (commit: Commit) => number): number => tables.reduce((total, commit) => total + of(commit), 0);
  const changes = [
    green(`+${grouped(sum(({ inserts }) => inserts))}`.padStart(7)),
    cyan(`~${grouped(sum(({ updates }) => updates))}`.padStart(7)),
    red(`-${grouped(sum(({ deletes }) => deletes))}`.padStart(6)),
  ].join(" ");
  const tookMs = Math.max(...tables.map(({ prepareMs, commitMs }) => prepareMs + commitMs));
  const checkpoint = String(tables[0]?.checkpoint).padStart(2);
  say(
    `checkpoint ${checkpoint}  ${share === null ? "" : `${bar(share, 20)} `}${changes}   ${dim(`${tables.length} ${tables.length === 1 ? "table" : "tables"} in ${Math.round(tookMs)} ms`)}`,
  );
}
