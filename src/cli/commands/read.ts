import { FOLLOW_POLL_MS } from "../../core/limits.ts";
import { tableChanges } from "../../query/changes.ts";
import { quoteName } from "../../query/duckdb-types.ts";
import { openQuery } from "../../query/query.ts";
import type { CliContext } from "../context.ts";
import { printRows } from "../result-rows.ts";
import { onSignals } from "../signals.ts";
import { timeText } from "../snapshot-figures.ts";
import { namedTable, withWarehouse } from "../warehouse-option.ts";

export interface ReadOptions {
  readonly from?: string;
  readonly follow?: boolean;
}

/** `frazil read <table> [--from …] [--follow]`: the rows that there are, or the changes from a point on. */
export async function read(context: CliContext, name: string, options: ReadOptions): Promise<void> {
  if (options.from === undefined && options.follow !== true) {
    await readRows(context, name);
    return;
  }
  const { output, runtime } = context;
  const signals = onSignals(null);
  try {
    await withWarehouse(context, async (warehouse) => {
      const table = await namedTable(warehouse, name);
      const changes = tableChanges(warehouse, table, {
        from: options.from ?? "now",
        follow: options.follow ?? false,
        stop: signals.stop,
        clock: runtime.clock,
        pollMs: FOLLOW_POLL_MS,
        notice: (message) => output.note(message),
      });
      for await (const commit of changes) {
        if (!output.json)
          output.note(`snapshot ${commit.snapshot.snapshotId}, ${timeText(commit.snapshot.timestampMs)}`);
        await printRows(output, commit);
      }
    });
  } finally {
    signals.close();
  }
}

async function readRows(context: CliContext, name: string): Promise<void> {
  await withWarehouse(context, async (warehouse) => {
    const { ident } = await namedTable(warehouse, name);
    const result = await openQuery(
      warehouse,
      `SELECT * FROM ${quoteName(ident.namespace.join("."))}.${quoteName(ident.name)}`,
      null,
    );
    try {
      await printRows(context.output, result);
    } finally {
      await result.close();
    }
  });
}
