import type { Position } from "../core/position.ts";
import { latestIds, type StreamIds } from "../core/stream-id.ts";
import type { CommitContext } from "./context.ts";
import { notedPosition } from "./late-opening.ts";
import { laterOf, reachedByAll } from "./merge-position.ts";
import type { PipelineState } from "./read-pipeline.ts";

/** How far a pipeline has come, by what it left in the warehouse. */
export interface PipelinePositions {
  /** Of each table (`namespace.table`): the later of its stamp and, if it names the table or ought to, the ledger. Tables without a tag are left out. */
  readonly tables: ReadonlyMap<string, Position>;
  /** Where a job resumes; null for a pipeline that has no table yet. */
  readonly resume: Position | null;
}

/** The streams that those positions are of, as far as the source could tell. */
export function pipelineStreams({ tables }: Pick<PipelineState, "tables">): StreamIds {
  return latestIds(tables.map(({ tagged }) => tagged?.stamp.streams));
}

/** The positions that a process taking the pipeline over would find. */
export function pipelinePositions(
  { anchor, tables, ledger }: PipelineState,
  compare: CommitContext["comparePoints"],
): PipelinePositions {
  const positions = new Map<string, Position>();
  for (const { name, loaded, tagged } of tables) {
    if (tagged === null) continue;
    const noted = notedPosition(loaded, tagged.stamp.pipeline, ledger?.ledger ?? null);
    positions.set(name, laterOf(tagged.stamp.position, noted, compare));
  }
  if (positions.size === 0) return { tables: positions, resume: null };
  // Without a ledger the anchor is part of every commit.
  const resume =
    ledger === null ? (positions.get(anchor ?? "") ?? null) : reachedByAll([...positions.values()], compare);
  return { tables: positions, resume };
}
