import { type Column, valueAt } from "../../table-format/index.ts";
import { type ChangeBatch, Op } from "../core/change-batch.ts";
import { CHECK_SAMPLE_MS, CHECK_SAMPLE_ROWS } from "../core/limits.ts";
import type { Clock } from "../core/runtime.ts";
import type { Source } from "../core/source.ts";
import type { RuleRouter } from "../sink/layout/router.ts";

/** A key that changes of two splits have. */
export interface SharedKey {
  /** `namespace.table`. */
  readonly target: string;
  /** Column names and values. */
  readonly key: string;
  readonly splits: readonly [string, string];
}

export interface KeySample {
  readonly changes: number;
  /** The first one that was found; null: each key lay in one split. */
  readonly shared: SharedKey | null;
}

/**
 * Reads the first changes of each split, up to `CHECK_SAMPLE_ROWS` of each and for `CHECK_SAMPLE_MS`, until one key of an upsert table is
 * found in two splits: a split is ordered, two are not, so which row is the last one would depend on luck.
 */
export async function sampleKeys(source: Source, router: RuleRouter, clock: Clock): Promise<KeySample> {
  const from = await source.startPosition();
  const end = await source.endPosition();
  const wanting = new Set([...end].filter(([split, point]) => behind(source, from.get(split), point)).map(first));
  const taken = new Map<string, number>();
  const seen = new Map<string, string>();
  const stop = new AbortController();
  const untilMs = clock.monotonicMs() + CHECK_SAMPLE_MS;
  let changes = 0;
  if (wanting.size === 0) return { changes, shared: null };
  try {
    for await (const pull of source.read(from, stop.signal)) {
      for (const batch of pull.changes) {
        const left = CHECK_SAMPLE_ROWS - (taken.get(batch.split) ?? 0);
        if (left <= 0) continue;
        const rows = Math.min(left, batch.length);
        const shared = sharedKey(batch, rows, router, seen);
        changes += rows;
        if (shared !== null) return { changes, shared };
        taken.set(batch.split, CHECK_SAMPLE_ROWS - left + rows);
        if (rows === left) wanting.delete(batch.split);
      }
      for (const [split, point] of pull.ends)
        if (!behind(source, point, end.get(split) ?? point)) wanting.delete(split);
      if (wanting.size === 0 || clock.monotonicMs() >= untilMs) break;
    }
    return { changes, shared: null };
  } finally {
    stop.abort();
  }
}

const first = ([split]: readonly [string, string]): string => split;

function behind(source: Source, point: string | undefined, end: string): boolean {
  return point === undefined || source.comparePoints(point, end) < 0;
}

/** Notes the split of each key in `seen`; returns the first key that another split has. */
function sharedKey(batch: ChangeBatch, rows: number, router: RuleRouter, seen: Map<string, string>): SharedKey | null {
  const { rule, binding } = router.table(batch.table);
  const names = rule.mode === "upsert" ? (rule.key ?? batch.key ?? []) : [];
  const columns = names.flatMap((name) => batch.columns[batch.fields.findIndex((field) => field.name === name)] ?? []);
  if (names.length === 0 || columns.length !== names.length) return null;
  for (let row = 0; row < rows; row++) {
    if (batch.ops[row] === Op.truncate) continue;
    const key = names.map((name, at) => `${name}=${String(valueAt(columns[at] as Column, row))}`).join(", ");
    const place = JSON.stringify([binding.target, key]);
    const split = seen.get(place);
    if (split === undefined) seen.set(place, batch.split);
    else if (split !== batch.split) return { target: binding.target, key, splits: [split, batch.split] };
  }
  return null;
}
