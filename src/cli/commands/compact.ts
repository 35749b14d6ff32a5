import { grouped } from "../../core/count-text.ts";
import { createManifestCache } from "../../../table-format/index.ts";
import { MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import { runCompaction } from "../../maintenance/compact/compact.ts";
import { planCompaction } from "../../maintenance/compact/plan.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { namedTable, withWarehouse } from "../warehouse-option.ts";

export interface CompactOptions {
  readonly targetSize?: number;
  readonly minFiles?: number;
  readonly yes?: boolean;
}

const TARGET_SIZE_BYTES = 256 * 1024 * 1024;
const MIN_FILES = 8;

/** `frazil compact <table> [--yes]`: prints the plan, and acts with `--yes`, one line a commit. */
export async function compact(context: CliContext, name: string, options: CompactOptions): Promise<void> {
  const { output, runtime } = context;
  await withWarehouse(context, async (warehouse) => {
    const { catalog, io } = warehouse;
    const place = { catalog, io, runtime, manifests: createManifestCache(MANIFEST_CACHE_ENTRIES) };
    const table = await namedTable(warehouse, name);
    const plan = await planCompaction(place, table, {
      targetSizeBytes: options.targetSize ?? TARGET_SIZE_BYTES,
      minFiles: options.minFiles ?? MIN_FILES,
    });
    const files = plan.groups.flat();
    const bytes = files.reduce((sum, { live }) => sum + live.file.fileSizeBytes, 0n);
    const deletedRows = files.reduce((sum, { deleted }) => sum + deleted.cardinality, 0);
    const { skippedFiles } = plan;
    const record = { event: "plan", table: name, groups: plan.groups.length, files: files.length, bytes, deletedRows };
    await output.write(
      output.json
        ? jsonLine({ ...record, skippedFiles })
        : `${name}: ${files.length} files (${grouped(bytes)} bytes, ${deletedRows} deleted rows) into ${plan.groups.length}; ${skippedFiles} are left as they are\n`,
    );
    if (options.yes !== true) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    const startedMs = runtime.clock.monotonicMs();
    for await (const done of runCompaction(place, plan)) {
      const ms = Math.round(runtime.clock.monotonicMs() - startedMs);
      const text =
        done.snapshotId === null
          ? "a group was rewritten by another commit meanwhile\n"
          : `snapshot ${done.snapshotId}: ${done.filesBefore} files, ${grouped(done.bytesBefore)} bytes -> ${done.filesAfter}, ${grouped(done.bytesAfter)} bytes\n`;
      await output.write(output.json ? jsonLine({ event: "compacted", table: name, ...done, ms }) : text);
    }
  });
}
