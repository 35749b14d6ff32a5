import type { DuckDBValue } from "@duckdb/node-api";
import { LIBRARY_BATCH_ROWS } from "../core/limits.ts";
import type { ResultRows } from "./duckdb.ts";

/** A result in batches of even size, the last one shorter; none when it has no rows. */
export async function* rowBatches(
  result: Pick<ResultRows, "chunks">,
  atMost: number = LIBRARY_BATCH_ROWS,
): AsyncGenerator<DuckDBValue[][]> {
  let batch: DuckDBValue[][] = [];
  for await (const rows of result.chunks()) {
    for (const row of rows) {
      batch.push(row);
      if (batch.length < atMost) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
