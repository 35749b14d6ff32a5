import type { LoadedTable } from "../../../table-format/index.ts";
import { branchForReaders } from "../../commit/branch-view.ts";
import { FrazilError } from "../../core/errors.ts";
import { FOLLOW_POLL_MS } from "../../core/limits.ts";
import { changedColumns } from "../../query/arrow-table.ts";
import { tableAt } from "../../query/as-of.ts";
import { changeColumns, type CommitChanges, tableChanges } from "../../query/changes.ts";
import { Consumer } from "../../query/consumer.ts";
import { openScan } from "../../query/scan.ts";
import { namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import type { RowOptions } from "../row-options.ts";
import { chosenRows, openRowPrinter, type RowPrinter } from "../row-output.ts";
import { onSignals } from "../signals.ts";
import { timeText } from "../snapshot-figures.ts";
import { unknownBranch } from "../unknown-branch.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface ReadOptions extends RowOptions {
  readonly from?: string;
  readonly asOf?: string;
  readonly branch?: string;
  readonly follow?: boolean;
  readonly net?: boolean;
  readonly consumer?: string;
}

/** `frazil read <table> [--from …] [--follow] [--consumer …]`: the rows that there are, or the changes from a point on. */
export async function read(context: CliContext, name: string, options: ReadOptions): Promise<void> {
  const { from, follow, net, consumer, asOf } = options;
  if (asOf !== undefined && [from, follow, net, consumer, options.branch].some((given) => given !== undefined)) {
    throw new FrazilError(
      "config",
      "USAGE",
      "--as-of gives rows, and goes with none of --from, --follow, --net, --consumer, --branch",
      {
        hint: "frazil read <table> --as-of <point>",
      },
    );
  }
  if (from === undefined && follow !== true && net !== true && consumer === undefined) {
    await withWarehouse(context, async (warehouse) => {
      const { table, shown } = await ofBranch(warehouse, name, options.branch);
      await readRows(context, shown, table, options);
    });
    return;
  }
  const signals = onSignals(null);
  try {
    await withWarehouse(context, async (warehouse) => {
      const { table, shown } = await ofBranch(warehouse, name, options.branch);
      await readChanges(context, shown, table, options, signals.stop);
    });
  } finally {
    signals.close();
  }
}

/** The table, with a branch in `main`'s stead where one was named. */
async function ofBranch(warehouse: Warehouse, name: string, branch: string | undefined) {
  const table = await namedTable(warehouse, name);
  if (branch === undefined || branch === "main") return { table, shown: warehouse };
  if (table.metadata.refs.get(branch)?.type !== "branch") throw unknownBranch(name, branch);
  const shown = { ...warehouse, catalog: branchForReaders(warehouse.catalog, branch) };
  return { table: await namedTable(shown, name), shown };
}

async function readChanges(
  context: CliContext,
  warehouse: Warehouse,
  table: LoadedTable,
  options: ReadOptions,
  stop: AbortSignal,
): Promise<void> {
  const { output, runtime } = context;
  const { from = "now", follow = false, net, format } = options;
  const choice = chosenRows(options);
  const consumer =
    options.consumer === undefined
      ? undefined
      : await Consumer.claim({ ...warehouse, runtime }, table, options.consumer, from);
  const printer = await openRowPrinter(output, format, async () =>
    changedColumns(await changeColumns(warehouse, table, choice)),
  );
  const changes = tableChanges(warehouse, table, {
    from,
    follow,
    stop,
    clock: runtime.clock,
    pollMs: FOLLOW_POLL_MS,
    notice: (message) => output.note(message),
    net,
    choice,
    presentSchema: format === "arrow",
    consumer,
  });
  for await (const commit of changes) {
    await printCommit(context, printer, commit, output.json || format !== undefined);
  }
  await printer.end();
}

/** Prints a commit's changes, and moves the consumer on once the system has taken them. */
async function printCommit(
  { output }: CliContext,
  printer: RowPrinter,
  commit: CommitChanges,
  quiet: boolean,
): Promise<void> {
  if (!quiet) output.note(`snapshot ${commit.snapshot.snapshotId}, ${timeText(commit.snapshot.timestampMs)}`);
  const { required } = changedColumns(commit);
  await printer.print({ ...commit, required });
  await output.flush();
  await commit.commit();
}

async function readRows(
  { output }: CliContext,
  warehouse: Warehouse,
  table: LoadedTable,
  options: ReadOptions,
): Promise<void> {
  const scan = await openScan(warehouse, tableAt(table, options.asOf ?? null), chosenRows(options));
  try {
    const printer = await openRowPrinter(output, options.format, async () => scan);
    await printer.print(scan);
    await printer.end();
  } finally {
    await scan.close();
  }
}
