import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManifestCache, currentSchema, type LoadedTable } from "../../../table-format/index.ts";
import { writersCatalog } from "../../commit/writer-branch.ts";
import { FrazilError } from "../../core/errors.ts";
import { COMPACT_MIN_FILES, COMPACT_TARGET_BYTES, MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import { type Arrangement, sortArrangement, zOrderArrangement } from "../../maintenance/compact/arrangement.ts";
import { runCompaction } from "../../maintenance/compact/compact.ts";
import { type FileScope, partitionScope, whereScope } from "../../maintenance/compact/file-scope.ts";
import { bytesOf, type CompactPlan, planCompaction } from "../../maintenance/compact/plan.ts";
import { createLocalStorage } from "../../storage/local.ts";
import { compactedLine } from "../compacted-line.ts";
import type { CliContext } from "../context.ts";
import type { EngineOptions } from "../engine-options.ts";
import { jsonLine, type Output, sizeText } from "../output.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { namedTable } from "../../query/table-names.ts";
import { sparkEngine } from "../spark-engine.ts";
import { compactManifests } from "./compact-manifests.ts";
import { checkSparkOptions, compactBySpark } from "./compact-spark.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface CompactOptions extends EngineOptions {
  readonly targetSize?: number;
  readonly minFiles?: number;
  readonly deleteRatio?: number;
  /** True: by the table's own order. */
  readonly sort?: string | true;
  readonly zorder?: string;
  readonly where?: string;
  readonly partition?: string;
  readonly oldSpecs?: boolean;
  readonly maxBytes?: number;
  readonly memory?: number;
  readonly pace?: number;
  readonly manifests?: boolean;
  readonly yes?: boolean;
}

/** `frazil compact <table> [--yes]`: prints the plan, and acts with `--yes`, one line a commit. */
export async function compact(context: CliContext, name: string, options: CompactOptions): Promise<void> {
  const { output, runtime } = context;
  const spark = sparkEngine(context, options);
  if (spark !== null) checkSparkOptions(options);
  await withWarehouse(context, async (warehouse) => {
    const { io } = warehouse;
    const catalog = writersCatalog(warehouse.catalog, await namedTable(warehouse, name));
    const place = { catalog, io, runtime, manifests: createManifestCache(MANIFEST_CACHE_ENTRIES) };
    const table = await namedTable({ ...warehouse, catalog }, name);
    if (table.branch !== undefined) {
      if (spark !== null) throw sparkOnBranch(name, table.branch);
      output.note(`${name} is written through the branch ${table.branch}; frazil publish brings it to main`);
    }
    if (options.manifests === true) {
      checkManifestsAlone(options);
      await compactManifests({ context, place, spark }, name, table, options.yes === true);
      return;
    }
    const nowMs = runtime.clock.nowMs();
    const plan = await planCompaction(place, table, {
      targetSizeBytes: options.targetSize ?? COMPACT_TARGET_BYTES,
      minFiles: options.minFiles ?? COMPACT_MIN_FILES,
      deleteRatio: options.deleteRatio,
      arrangement: arrangementOf(table, options),
      scope: scopeOf(table, options, nowMs),
      oldSpecs: options.oldSpecs,
      maxBytes: options.maxBytes,
      memoryBytes: options.memory,
    });
    await writePlan(output, name, plan);
    if (plan.groups.length === 0) return;
    if (options.yes !== true) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    if (spark !== null) {
      await compactBySpark({ output, place, spark }, plan, {
        where: options.where,
        partition: options.partition,
        nowMs,
      });
      return;
    }
    const folder = await mkdtemp(join(tmpdir(), "frazil-compact-"));
    try {
      const scratch = { io: createLocalStorage(), folder };
      for await (const done of runCompaction(place, plan, { pace: options.pace, scratch })) {
        await output.write(compactedLine(output, name, done));
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

function sparkOnBranch(name: string, branch: string): FrazilError {
  const message = `${name} is written through the branch ${branch}, and Spark's procedures rewrite main`;
  return new FrazilError("unsupported", "ENGINE_BRANCH", message, { hint: "compact it without --engine spark" });
}

const MANIFESTS_OPTIONS: ReadonlySet<string> = new Set<keyof CompactOptions>([
  ...(["manifests", "yes", "engine", "master", "sparkSubmit", "sparkConf"] as const),
]);

/** @throws FrazilError `config` for options that choose and arrange data files. */
function checkManifestsAlone(options: CompactOptions): void {
  if (Object.keys(options).every((name) => MANIFESTS_OPTIONS.has(name))) return;
  throw new FrazilError("config", "USAGE", "--manifests rewrites no data files and takes none of their options", {
    hint: "compact data files and manifests one after the other",
  });
}

function arrangementOf({ metadata }: LoadedTable, { sort, zorder }: CompactOptions): Arrangement | undefined {
  const schema = currentSchema(metadata);
  if (sort !== undefined && zorder !== undefined) {
    throw new FrazilError("config", "USAGE", "--sort and --zorder cannot be given together", { hint: "choose one" });
  }
  if (zorder !== undefined) return zOrderArrangement(schema, terms(zorder));
  return sort === undefined ? undefined : sortArrangement(metadata, schema, sort === true ? null : terms(sort));
}

function scopeOf({ metadata }: LoadedTable, options: CompactOptions, nowMs: number): FileScope | undefined {
  const scopes: FileScope[] = [];
  if (options.where !== undefined) scopes.push(whereScope(metadata, options.where, nowMs));
  if (options.partition !== undefined) scopes.push(partitionScope(metadata, options.partition));
  return scopes.length === 0 ? undefined : (file) => scopes.every((scope) => scope(file));
}

/** Splits at commas outside of parentheses: `bucket(16, id), at desc`. */
function terms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== "");
}

async function writePlan(output: Output, name: string, { groups, skipped }: CompactPlan): Promise<void> {
  const files = groups.flatMap(({ inputs }) => inputs);
  const bytes = bytesOf(files);
  const deletedRows = files.reduce((sum, input) => sum + input.deletedRows, 0);
  const skippedFiles = skipped.reduce((sum, each) => sum + each.files, 0);
  const moved = groups.filter(({ moves }) => moves).length;
  if (output.json) {
    const counts = { groups: groups.length, files: files.length, bytes, deletedRows, movedGroups: moved, skippedFiles };
    await output.write(jsonLine({ event: "plan", table: name, ...counts }));
    for (const each of skipped) await output.write(jsonLine({ event: "skipped", table: name, ...each }));
    return;
  }
  const lines = [
    `${name}: rewrites ${counted(files.length, "file")} (${sizeText(bytes)}, ${counted(deletedRows, "deleted row")}) in ${counted(groups.length, "commit")}; leaves ${grouped(skippedFiles)} as they are`,
    ...(moved === 0
      ? []
      : [`${counted(moved, "commit")} with rows of older partition specs, which move to the present partitions`]),
    ...skippedLines(skipped),
  ];
  await output.write(lines.map((line) => `${line}\n`).join(""));
}

/** For people one line a reason. */
function skippedLines(skipped: CompactPlan["skipped"]): string[] {
  return [...Map.groupBy(skipped, ({ reason }) => reason)].map(([reason, some]) => {
    const files = some.reduce((sum, each) => sum + each.files, 0);
    const bytes = some.reduce((sum, each) => sum + each.bytes, 0n);
    return `left: ${counted(files, "file")} (${sizeText(bytes)}) in ${counted(some.length, "partition")}: ${reason}`;
  });
}
