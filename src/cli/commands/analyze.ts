import { createManifestCache } from "../../../table-format/index.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import { planStatistics, runStatistics } from "../../maintenance/statistics/statistics.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText } from "../output.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface AnalyzeOptions {
  readonly columns?: string;
  readonly yes?: boolean;
}

/** `frazil analyze <table> [--columns a,b] [--yes]`: prints what would be read, and counts distinct values with `--yes`. */
export async function analyze(context: CliContext, name: string, options: AnalyzeOptions): Promise<void> {
  const { output, runtime } = context;
  await withWarehouse(context, async (warehouse) => {
    const { catalog, io } = warehouse;
    const place = { catalog, io, runtime, manifests: createManifestCache(MANIFEST_CACHE_ENTRIES) };
    const columns = options.columns?.split(",").map((column) => column.trim()) ?? null;
    const plan = await planStatistics(place, await namedTable(warehouse, name), columns);
    if (plan === null) {
      output.note(`${name} has no snapshot yet`);
      return;
    }
    const names = plan.columns.map((column) => column.name);
    const { files, bytes, snapshot } = plan;
    const { snapshotId } = snapshot;
    await output.write(
      output.json
        ? jsonLine({ event: "plan", table: name, snapshotId, columns: names, files: files.length, bytes })
        : `${name}: counts the distinct values of ${names.join(", ")} in ${counted(files.length, "file")} (${sizeText(bytes)}), snapshot ${snapshotId}\n`,
    );
    if (options.yes !== true) {
      output.note("nothing is read or changed yet: --yes does it");
      return;
    }
    const startedMs = runtime.clock.monotonicMs();
    const { rows, distinct, path } = await runStatistics(place, plan);
    const ms = Math.round(runtime.clock.monotonicMs() - startedMs);
    const counts = Object.fromEntries(distinct);
    const text = [...distinct].map(([column, count]) => `${column} ${grouped(count)}`).join(", ");
    await output.write(
      output.json
        ? jsonLine({ event: "statistics", table: name, snapshotId, rows, distinct: counts, path, ms })
        : `${name}: ${counted(rows, "row")}; distinct values: ${text}; in ${ms} ms\n`,
    );
  });
}
