import type { LoadedTable, Snapshot } from "../../../table-format/index.ts";
import { changesNothing, lineageOf } from "./lineage.ts";
import { parsePoint } from "./point.ts";

/**
 * Row changes between two points by the summaries of the snapshots, an update counting as two; null when the points do not lie in the
 * history that the table holds. For figures: other engines' summaries may be silent.
 */
export class TableLag {
  /** By snapshot: changes of it and of all held ones before it. */
  readonly #changes = new Map<bigint, bigint>();
  readonly #rows = new Map<bigint, bigint>();

  constructor(table: LoadedTable) {
    let sum = 0n;
    for (const to of lineageOf(table)) {
      if (!changesNothing({ of: "changes", from: null, to })) sum += changesOf(to);
      this.#changes.set(to.snapshotId, sum);
      const rows = figure(to, "total-records") - figure(to, "total-position-deletes");
      this.#rows.set(to.snapshotId, rows > 0n ? rows : 0n);
    }
  }

  between(from: string, to: string): bigint | null {
    const [at, end] = [parsePoint(from), parsePoint(to)];
    if (at.generation !== end.generation) return null;
    if (end.snapshotId === null) return 0n;
    const upTo = this.#changes.get(end.snapshotId);
    const begin = at.snapshotId ?? [...this.#changes.keys()][0] ?? 0n;
    const upFrom = this.#changes.get(begin);
    if (upTo === undefined || upFrom === undefined) return null;
    let lag = upTo - upFrom;
    if (at.snapshotId === null || at.part?.of === "rows") {
      lag += (this.#rows.get(begin) ?? 0n) - BigInt(at.part?.taken ?? 0);
    } else if (at.part !== null) {
      // Its own changes are not behind us yet.
      lag += upFrom - (this.#before(begin) ?? upFrom) - BigInt(at.part.taken);
    }
    return lag > 0n ? lag : 0n;
  }

  #before(snapshotId: bigint): bigint | null {
    let before: bigint | null = 0n;
    for (const [id, sum] of this.#changes) {
      if (id === snapshotId) return before;
      before = sum;
    }
    return null;
  }
}

function changesOf(snapshot: Snapshot): bigint {
  const deleted = figure(snapshot, "added-position-deletes") - figure(snapshot, "removed-position-deletes");
  return figure(snapshot, "added-records") + figure(snapshot, "deleted-records") + (deleted > 0n ? deleted : 0n);
}

function figure({ summary }: Snapshot, name: string): bigint {
  const text = summary.get(name) ?? "";
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}
