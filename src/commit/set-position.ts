import { currentSnapshot } from "../../table-format/index.ts";
import { advance, type Position } from "../core/position.ts";
import { must } from "../core/errors.ts";
import type { CommitContext } from "./context.ts";
import { notedPosition } from "./late-opening.ts";
import { laterOf } from "./merge-position.ts";
import { putBackAlone, putBackError } from "./put-back.ts";
import { namesOf, newestStamp, type PlannedRollback, type RollbackPlan } from "./rollback-plan.ts";
import type { PipelineState } from "./read-pipeline.ts";

/**
 * What it takes to have a pipeline go on from other points: a new snapshot on the head of each of its tables, with the same rows, a new
 * epoch and the points. The rows stay, so what is read again is applied again, and what is left out is missing.
 *
 * @param points of the splits that are set; others keep theirs, whatever is committed until then
 * @throws FrazilError `data`, code `TABLE_PUT_BACK`: it would not show any more that rows are missing which the position covers.
 */
export function planSetPosition(
  pipeline: string,
  state: PipelineState,
  points: Position,
  compare: CommitContext["comparePoints"],
): RollbackPlan {
  const { tables, ledger } = state;
  const [back] = putBackAlone(state, pipeline);
  if (back !== undefined) throw putBackError(back, pipeline);
  const rollbacks = tables.map(({ loaded }): PlannedRollback => {
    const head = must(currentSnapshot(loaded.metadata), "a table of the pipeline holds a snapshot");
    return { loaded, head, target: head, stamp: newestStamp(loaded, pipeline) };
  });
  const noted = new Map(
    tables.map(({ name, loaded }) => [name, notedPosition(loaded, pipeline, ledger?.ledger ?? null)]),
  );
  return {
    pipeline,
    keepPosition: false,
    tables: rollbacks,
    others: [],
    seen: namesOf(tables),
    setTo(table, newest) {
      const own = newest?.position ?? new Map<string, string>();
      return advance(laterOf(own, noted.get(table) ?? new Map<string, string>(), compare), points);
    },
  };
}
