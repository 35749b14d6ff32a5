import { Op } from "../../core/change-batch.ts";

/** Values of `type` that change rows. */
export const ROW_TYPES: ReadonlyMap<string, number> = new Map([
  ["INSERT", Op.insert],
  ["UPDATE", Op.update],
  ["DELETE", Op.delete],
]);

/** Values of `type` that name a statement, whether `isDdl` says so or not. Index statements are CINDEX and DINDEX, DROP TABLE is ERASE. */
export const STATEMENTS: ReadonlySet<string> = new Set([
  "TRUNCATE",
  "CREATE",
  "ALTER",
  "ERASE",
  "RENAME",
  "CINDEX",
  "DINDEX",
  "QUERY",
]);

/** TiCDC's mark of a resolved time, sent to every partition. */
export const WATERMARKS: ReadonlySet<string> = new Set(["TIDB_WATERMARK"]);

/** Messages that made no change, by what they are. */
const SKIPPED = [
  /** A statement other than TRUNCATE. */
  "statement",
  /** A row type without rows. */
  "rowless",
  "watermark",
  /** No value. */
  "empty",
  /** No entry of `tables:` takes it. */
  "unrouted",
] as const;

export type SkippedCounts = Record<(typeof SKIPPED)[number], number>;

export function noneSkipped(): SkippedCounts {
  return Object.fromEntries(SKIPPED.map((kind) => [kind, 0])) as SkippedCounts;
}
