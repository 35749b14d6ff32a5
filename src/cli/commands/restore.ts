import { createManifestCache, type LoadedTable } from "../../../table-format/index.ts";
import { writersCatalog } from "../../commit/writer-branch.ts";
import { counted } from "../../core/count-text.ts";
import { FrazilError } from "../../core/errors.ts";
import { MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import type { RestoredRows } from "../../core/restored-rows.ts";
import { restoreRows } from "../../maintenance/restore/restore.ts";
import { tableAsOf } from "../../query/as-of.ts";
import { type RestoreChoice, rowsToRestore } from "../../query/restore.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, type Output } from "../output.ts";
import { timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface RestoreOptions {
  readonly from: string;
  /** `1,2,3`. */
  readonly keys?: string;
  readonly where?: string;
  readonly removeNew?: boolean;
  readonly yes?: boolean;
}

/** `frazil restore <table> --from <point> --keys … | --where …`: prints the plan, and acts with `--yes`. */
export async function restore(context: CliContext, name: string, options: RestoreOptions): Promise<void> {
  const { output, runtime } = context;
  const choice = choiceOf(options);
  await withWarehouse(context, async (warehouse) => {
    const catalog = writersCatalog(warehouse.catalog, await namedTable(warehouse, name));
    const place = { ...warehouse, catalog };
    const table = await namedTable(place, name);
    const { snapshot } = tableAsOf(table, options.from);
    const find = (base: LoadedTable): Promise<RestoredRows> =>
      rowsToRestore(
        place,
        base,
        tableAsOf(base, String(snapshot.snapshotId)).snapshot,
        choice,
        options.removeNew === true,
      );
    const rows = await find(table);
    const from = `snapshot ${snapshot.snapshotId} of ${timeText(snapshot.timestampMs)}`;
    await writePlan(output, { name, branch: table.branch, from: snapshot.snapshotId, fromText: from, choice, rows });
    if (rows.rows.length + rows.removed.length === 0) return;
    if (options.yes !== true) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    const manifests = createManifestCache(MANIFEST_CACHE_ENTRIES);
    const done = await restoreRows(
      { catalog, io: warehouse.io, runtime, manifests },
      { table, from: snapshot.snapshotId, rows, find },
    );
    const counts = countsOf(done.rows);
    const { snapshotId } = done;
    if (output.json) await output.write(jsonLine({ event: "restored", table: name, snapshotId, ...counts }));
    else if (snapshotId === null) output.note(`${name}: others have brought the rows back meanwhile`);
    else output.note(`${name} is at snapshot ${snapshotId}: ${countsText(counts)}`);
    if (table.branch !== undefined && !output.json) {
      output.note(`the commit is on the branch ${table.branch}; frazil publish brings it to main`);
    }
  });
}

function choiceOf({ keys, where }: RestoreOptions): RestoreChoice {
  const usage = (message: string): FrazilError =>
    new FrazilError("config", "USAGE", message, {
      hint: "frazil restore <table> --from <point> --keys 17,42, or --where \"region = 'eu'\"",
    });
  if (keys !== undefined && where !== undefined) throw usage("--keys and --where exclude each other");
  if (where !== undefined) return { where };
  const listed = keys?.split(",").map((key) => key.trim()) ?? [];
  if (listed.length === 0 || listed.includes("")) throw usage("expected the rows to restore: --keys or --where");
  return { keys: [...new Set(listed)] };
}

interface Counts {
  /** Rows that differ now and are as they were again. */
  readonly restored: number;
  /** Rows that had been deleted and are there again. */
  readonly returned: number;
  readonly removed: number;
}

function countsOf({ rows, removed }: RestoredRows): Counts {
  const returned = rows.filter(({ now }) => now === null).length;
  return { restored: rows.length - returned, returned, removed: removed.length };
}

function countsText({ restored, returned, removed }: Counts): string {
  return `${counted(restored, "row")} as before, ${returned} back again, ${removed} removed`;
}

interface Plan {
  readonly name: string;
  readonly branch: string | undefined;
  readonly from: bigint;
  readonly fromText: string;
  readonly choice: RestoreChoice;
  readonly rows: RestoredRows;
}

async function writePlan(output: Output, { name, branch, from, fromText, choice, rows }: Plan): Promise<void> {
  const counts = countsOf(rows);
  const named = "keys" in choice ? choice.keys.length : null;
  const found = rows.rows.length + rows.removed.length + rows.newer;
  const others = named === null ? null : named - found;
  if (output.json) {
    await output.write(
      jsonLine({
        event: "plan",
        table: name,
        branch,
        from,
        ...counts,
        newer: rows.newer,
        unchanged: others ?? undefined,
      }),
    );
    return;
  }
  const on = branch === undefined ? "" : ` on its branch ${branch}`;
  await output.write(`restores ${name}${on} from ${fromText}: ${countsText(counts)}\n`);
  if (others !== null && others > 0) await output.write(`  ${counted(others, "key")} as then, or never there\n`);
  if (rows.newer > 0) {
    await output.write(
      `  ${counted(rows.newer, "row")} came later and ${rows.newer === 1 ? "stays" : "stay"}; --remove-new removes them\n`,
    );
  }
}
