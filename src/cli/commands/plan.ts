import { counted, grouped } from "../../core/count-text.ts";
import { currentSchema, type LoadedTable, type Schema, typeText } from "../../../table-format/index.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Source } from "../../core/source.ts";
import { hasReached } from "../../pipeline/start-points.ts";
import { ownColumn, rowsFor } from "../../sink/changes/history-batch.ts";
import type { RoutedTable } from "../../sink/layout/router.ts";
import { firstLayout, sortUpdates } from "../../sink/layout/table-layout.ts";
import { changedColumns, firstSchema, schemaUpdates } from "../../sink/layout/table-schema.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { inSplitOrder, type JobView, type Progress, progressOf, withJob, withSource } from "../job-view.ts";
import { jsonLine } from "../output.ts";

/** Changes looked at to learn tables and columns: what a start decodes in about a second. */
const SAMPLE_ROWS = 20_000;

/** The longest that is waited for them. */
const SAMPLE_MS = 10_000;

/** What the next run would do to one table, as far as the sample tells. */
interface TablePlan {
  readonly event: "table";
  readonly table: string;
  readonly action: "create" | "change" | "none" | "refused";
  readonly mode: string;
  readonly key: readonly string[];
  readonly partitionBy: readonly string[];
  readonly formatVersion: number;
  /** Changes of it among those looked at. */
  readonly changes: number;
  /** Columns that come to the table, or whose type changes. */
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
    readonly was?: string;
  }[];
  readonly error?: string;
}

/** `frazil plan <job>`: where the next run starts, and what it would create or change. Writes nothing; ends as the run would. */
export async function plan(context: CliContext, path: string): Promise<void> {
  const { output } = context;
  const job = readJob(context, path);
  await withJob(context, job, async (view) => {
    await withSource(context, job, { warehouse: view.warehouse }, async ({ source, router }) => {
      const progress = await progressOf(view, source);
      await printStart(context, view, progress);
      const { batches, rows, all } = await sample(context, source, progress);
      const byTable = Map.groupBy(batches, (batch) => batch.table);
      let refused: FrazilError | null = null;
      for (const [number, own] of byTable) {
        const { planned, error } = await planTable(view, router.table(number), own);
        refused ??= error;
        await output.write(output.json ? jsonLine({ ...planned }) : text(planned));
      }
      if (!all) output.note(`as far as the first ${counted(rows, "change")} ${rows === 1 ? "tells" : "tell"}`);
      else if (rows === 0) output.note("there is nothing to read yet");
      if (refused !== null) throw refused;
    });
  });
}

async function printStart(
  { output }: CliContext,
  view: JobView,
  { positions, from, end, lag }: Progress,
): Promise<void> {
  const starts = positions.resume === null ? "starts" : "resumes";
  const location = view.warehouse?.location ?? view.job.warehouse.location;
  if (!output.json && view.warehouse === null) await output.write(`warehouse ${location} is created\n`);
  for (const split of inSplitOrder([...from.keys(), ...end.keys()])) {
    const at = from.get(split) ?? null;
    const rows = lag(split);
    const record = {
      event: "start",
      split,
      resumes: positions.resume?.has(split) === true,
      from: at,
      end: end.get(split),
      rows,
    };
    const line = `${view.job.name} ${starts} ${split} at ${at ?? "its beginning"}, ${rows === null ? "?" : grouped(rows)} to read\n`;
    await output.write(output.json ? jsonLine(record) : line);
  }
}

/** The changes that the next run reads first. */
async function sample(
  { runtime }: CliContext,
  source: Source,
  { from, end }: Progress,
): Promise<{ batches: readonly ChangeBatch[]; rows: number; all: boolean }> {
  const stop = new AbortController();
  const compare = source.comparePoints.bind(source);
  const batches: ChangeBatch[] = [];
  const reached = new Map(from);
  let rows = 0;
  const startMs = runtime.clock.monotonicMs();
  if (hasReached(reached, end, compare)) return { batches, rows, all: true };
  for await (const { changes, ends } of source.read(from, stop.signal)) {
    for (const batch of changes) {
      batches.push(batch);
      rows += batch.length;
    }
    for (const [split, point] of ends) reached.set(split, point);
    if (hasReached(reached, end, compare)) return { batches, rows, all: true };
    if (rows >= SAMPLE_ROWS || runtime.clock.monotonicMs() - startMs > SAMPLE_MS) break;
  }
  stop.abort();
  return { batches, rows, all: false };
}

async function planTable(
  view: JobView,
  routed: RoutedTable,
  batches: readonly ChangeBatch[],
): Promise<{ planned: TablePlan; error: FrazilError | null }> {
  const { rule, binding, ident } = routed;
  const declared = rule.key ?? batches.find(({ key }) => key !== null)?.key ?? [];
  const facts = {
    event: "table" as const,
    table: binding.target,
    mode: rule.mode,
    key: rule.mode === "upsert" ? declared : [],
    partitionBy: rule.partitionBy,
    formatVersion: rule.formatVersion,
    changes: batches.reduce((sum, batch) => sum + batch.length, 0),
  };
  const present = (await view.warehouse?.catalog.loadTable(ident)) ?? null;
  try {
    const columns = changedColumns(
      binding.target,
      batches.map((batch) => ({ batch: rowsFor(rule, binding.target, batch), from: 0 })),
    );
    checkKey(routed, facts.key, columns, present);
    if (present === null) {
      const schema = firstSchema(binding.target, columns, facts.key);
      firstLayout(binding.target, rule, schema);
      return { planned: { ...facts, action: "create", columns: newColumns(null, schema) }, error: null };
    }
    const schema = currentSchema(present.metadata);
    const { lastColumnId, formatVersion } = present.metadata;
    const current = { schema, lastColumnId, formatVersion };
    const updates = schemaUpdates(binding.target, current, columns, rule.schemaChanges, ownColumn(rule));
    const [first] = updates;
    const after = first?.action === "add-schema" ? first.schema : schema;
    const sorted = sortUpdates(binding.target, rule, present.metadata, after).length > 0;
    const changed = newColumns(schema, after);
    const action = changed.length > 0 || sorted ? "change" : "none";
    return { planned: { ...facts, action, columns: changed }, error: null };
  } catch (error) {
    if (!(error instanceof FrazilError) || error.kind === "internal") throw error;
    return { planned: { ...facts, action: "refused", columns: [], error: error.message }, error };
  }
}

/** What a run refuses of a key. */
function checkKey(
  { binding, rule }: RoutedTable,
  key: readonly string[],
  columns: ReadonlyMap<string, unknown>,
  present: LoadedTable | null,
): void {
  const known = present === null ? 0 : currentSchema(present.metadata).identifierFieldIds.length;
  if (rule.mode === "upsert" && key.length === 0 && known === 0) {
    const message = `table ${binding.target} has mode: upsert, but neither the job nor the messages name its key`;
    throw new FrazilError("config", "KEY_MISSING", message, { hint: "add key: [column, …] to its entry in tables:" });
  }
  const missing = key.find((name) => !columns.has(name));
  if (missing === undefined) return;
  const message = `table ${binding.target}: key column ${missing} is not among the changes' columns`;
  throw new FrazilError("data", "KEY_COLUMN", message, { hint: "name columns that every change carries in key:" });
}

function newColumns(before: Schema | null, after: Schema): TablePlan["columns"] {
  return after.fields.flatMap(({ id, name, type, required }) => {
    const old = before?.fields.find((field) => field.id === id);
    const now = typeText(type);
    if (old === undefined) return [{ name, type: now, required }];
    const was = typeText(old.type);
    return was === now ? [] : [{ name, type: now, required, was }];
  });
}

function text({ table, action, mode, key, partitionBy, columns, changes, error }: TablePlan): string {
  const seen = `${counted(changes, "change")} seen`;
  if (action === "refused") return `✗ ${table}  ${error}\n`;
  if (action === "none") return `  ${table}  as it is (${seen})\n`;
  const how = [
    mode,
    ...(key.length === 0 ? [] : [`key ${key.join(", ")}`]),
    ...(partitionBy.length === 0 ? [] : [`by ${partitionBy.join(", ")}`]),
  ].join("; ");
  const head = action === "create" ? `+ ${table}  is created: ${how} (${seen})\n` : `~ ${table}  changes (${seen})\n`;
  const lines = columns.map(({ name, type, was, required }) =>
    was === undefined ? `    + ${name} ${type}${required ? " not null" : ""}\n` : `    ~ ${name} ${was} -> ${type}\n`,
  );
  return head + lines.join("");
}
