import { ancestors, currentSnapshot, identText, type LoadedTable, snapshotById } from "../../../table-format/index.ts";
import {
  checkConsumerName,
  consumerLocation,
  type ConsumerState,
  isJobConsumer,
  listConsumers,
} from "../../core/consumer-state.ts";
import { FrazilError } from "../../core/errors.ts";
import { listTables, namedTable } from "../../query/table-names.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, tableText } from "../output.ts";
import { timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface ConsumersOptions {
  readonly delete?: string;
  readonly yes?: boolean;
}

/** How far a consumer has come. */
interface ConsumerLine {
  readonly table: string;
  readonly consumer: string;
  /** The snapshot up to which it has read; null: nothing yet. */
  readonly snapshotId: bigint | null;
  readonly snapshotTime: string | null;
  /** Snapshots that it has yet to read; null when its own is gone or no longer leads to the present one. */
  readonly behind: number | null;
  /** `ok`; `lost`: the snapshot has expired; `replaced`: the table is another one by now. */
  readonly state: "ok" | "lost" | "replaced";
  readonly uncommitted: number;
  readonly epoch: bigint;
  readonly updated: string;
}

/** `frazil consumers [table]`: who reads the changes of which table, and how far they have come; `--delete` forgets one. */
export async function consumers(
  context: CliContext,
  name: string | undefined,
  options: ConsumersOptions,
): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const { io, location, catalog } = warehouse;
    const tables = name === undefined ? [] : [await namedTable(warehouse, name)];
    if (name === undefined) {
      for (const ident of await listTables(catalog)) {
        const table = await catalog.loadTable(ident);
        if (table !== null) tables.push(table);
      }
    }
    if (options.delete !== undefined) {
      const [table] = tables;
      if (name === undefined || table === undefined)
        throw new FrazilError("config", "USAGE", "expected the table whose consumer is to go", {
          hint: `frazil consumers <table> --delete ${options.delete}`,
        });
      await forget(context, warehouse, table, options.delete, options.yes ?? false);
      return;
    }
    const lines: ConsumerLine[] = [];
    for (const table of tables) {
      for (const { name: consumer, state } of await listConsumers(io, location, table.ident)) {
        lines.push(lineOf(table, consumer, state));
      }
    }
    if (output.json) for (const line of lines) await output.write(jsonLine({ ...line }));
    else if (lines.length === 0) output.note("no consumers");
    else await output.write(textOf(lines));
  });
}

/** Removes a consumer's position; a process that reads for it is fenced. A job that runs writes its own again. */
async function forget(
  { output }: CliContext,
  { io, location }: Warehouse,
  table: LoadedTable,
  consumer: string,
  act: boolean,
): Promise<void> {
  const name = identText(table.ident);
  if (!isJobConsumer(consumer)) checkConsumerName(consumer);
  const state = consumerLocation(location, table.ident, consumer);
  if ((await io.stat(state)) === null) {
    throw new FrazilError("not-found", "CONSUMER_NOT_FOUND", `${name} has no consumer ${consumer}`, {
      hint: `frazil consumers ${name} lists them`,
    });
  }
  if (act) await io.delete(state);
  const plan = `forget how far the consumer ${consumer} of ${name} has read`;
  await output.write(output.json ? jsonLine({ table: name, consumer, done: act }) : `${plan}\n`);
  if (!act) output.note("nothing is changed yet: --yes does it");
}

function lineOf(table: LoadedTable, consumer: string, state: ConsumerState): ConsumerLine {
  const { metadata } = table;
  const head = currentSnapshot(metadata);
  const at = state.after === null ? null : snapshotById(metadata, state.after);
  const replaced = state.tableUuid !== metadata.tableUuid;
  const path = head === null ? [] : [...ancestors(metadata, head.snapshotId)];
  const index = state.after === null ? path.length : path.findIndex(({ snapshotId }) => snapshotId === state.after);
  return {
    table: identText(table.ident),
    consumer,
    snapshotId: state.after,
    snapshotTime: at === null ? null : timeText(at.timestampMs),
    behind: replaced || index < 0 ? null : index,
    state: replaced ? "replaced" : state.after !== null && at === null ? "lost" : "ok",
    uncommitted: state.given.length,
    epoch: state.epoch,
    updated: new Date(state.updatedMs).toISOString(),
  };
}

function textOf(lines: readonly ConsumerLine[]): string {
  return tableText(
    [
      { name: "table", align: "left" },
      { name: "consumer", align: "left" },
      { name: "read up to", align: "right" },
      { name: "of", align: "left" },
      { name: "behind", align: "right" },
      { name: "state", align: "left" },
      { name: "updated", align: "left" },
    ],
    lines.map((line) => [
      line.table,
      line.consumer,
      line.snapshotId === null ? "" : String(line.snapshotId),
      line.snapshotTime ?? "",
      line.behind === null ? "?" : String(line.behind),
      line.state,
      line.updated,
    ]),
  );
}
