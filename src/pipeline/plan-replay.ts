import type { Catalog } from "../../table-format/index.ts";
import { readPipeline } from "../commit/read-pipeline.ts";
import { DEAD_LETTER_SPLIT } from "../core/dead-letter.ts";
import type { Rejects } from "../core/format.ts";
import type { Position } from "../core/position.ts";
import type { TableRule } from "../core/table-rule.ts";
import { RuleRouter, targetMatcher } from "../sink/layout/router.ts";
import type { JobRun } from "./job-run.ts";
import { presentTypes } from "./present-types.ts";

/** What a replay of dead letters would do. */
export interface ReplayPlan {
  /** Letters that no replay has read yet. */
  readonly letters: number;
  /** Of them those that still cannot be decoded, by their error's code. */
  readonly rejected: ReadonlyMap<string, number>;
  /** The changes that the others make. */
  readonly tables: readonly { readonly target: string; readonly mode: TableRule["mode"]; readonly changes: number }[];
}

/** The number of the first letter that no replay of the pipeline has read; 0 when there has been none. */
export async function replayedUpTo(place: Parameters<typeof readPipeline>[0]): Promise<bigint> {
  const { tables, ledger } = await readPipeline(place);
  const positions: (Position | undefined)[] = [ledger?.ledger.position];
  for (const { tagged } of tables) positions.push(tagged?.stamp.position);
  // Where tables are committed one by one, a replay that was cut short has reached the furthest point in some of them only.
  return positions
    .map((position) => BigInt(position?.get(DEAD_LETTER_SPLIT) ?? "0"))
    .reduce((highest, point) => (point > highest ? point : highest), 0n);
}

/** Decodes the letters as a replay would, and changes nothing. */
export async function planReplay(
  job: {
    readonly rules: readonly TableRule[];
    readonly catalog: Catalog;
    readonly createSource: JobRun["createSource"];
  },
  from: bigint,
): Promise<ReplayPlan> {
  const router = new RuleRouter(job.rules, await presentTypes(job.catalog, targetMatcher(job.rules)));
  const rejected = new Map<string, number>();
  const rejects: Rejects = {
    reject: (_slab, _message, error) => void rejected.set(error.code, (rejected.get(error.code) ?? 0) + 1),
  };
  const source = job.createSource(router, { inferred() {}, unrouted() {} }, rejects);
  const changes = new Map<number, number>();
  let letters = 0;
  await source.open();
  try {
    const never = new AbortController().signal;
    for await (const batch of source.read(new Map([[DEAD_LETTER_SPLIT, String(from)]]), never)) {
      letters += batch.records;
      for (const { table, length } of batch.changes) changes.set(table, (changes.get(table) ?? 0) + length);
    }
  } finally {
    await source.close();
  }
  const tables = [...changes].map(([table, count]) => {
    const { binding, rule } = router.table(table);
    return { target: binding.target, mode: rule.mode, changes: count };
  });
  return { letters, rejected, tables };
}
