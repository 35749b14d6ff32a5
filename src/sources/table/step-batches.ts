import {
  type ChangelogPlan,
  countRows,
  diffSnapshots,
  fieldByName,
  type FileIO,
  type LoadedTable,
  type ManifestCache,
  type MatchedRows,
  matchRows,
  type RowMarks,
  type Schema,
  type Snapshot,
  snapshotSchema,
} from "../../../table-format/index.ts";
import { Op } from "../../core/change-batch.ts";
import type { SourceBatch } from "../../core/source.ts";
import type { TableBinding } from "../../core/table-binding.ts";
import { type BatchShape, shapeOf, sliceBatch, truncateBatch } from "./batches.ts";
import { changesNothing, type Step } from "./lineage.ts";
import { type PointPart, pointAt, pointText } from "./point.ts";
import { type RowSlice, readRows, type TableFiles } from "./rows.ts";

export interface StepReading {
  readonly io: FileIO;
  readonly manifests: ManifestCache;
  readonly table: LoadedTable;
  readonly split: string;
  readonly binding: TableBinding;
  readonly generation: number;
  /** A column that a table which keeps its columns lacks. */
  readonly leftOut: (column: string) => void;
}

/**
 * What a step holds behind its first `taken` rows: the rows that went, file by file, then those that came, numbered through. An update's
 * old row is told to history tables; other tables get its new row only. The last batch ends behind the snapshot.
 *
 * @throws FrazilError `unsupported` for what cannot be read; as of the store
 */
export async function* stepBatches(reading: StepReading, step: Step, taken: number): AsyncGenerator<SourceBatch> {
  const { split, generation } = reading;
  const complete = pointText(pointAt(step.to, generation, null));
  // One batch behind, so that the last one takes the point to the end: no checkpoint is left just before it.
  let waiting: SourceBatch | null = null;
  for await (const batch of changesOf(reading, step, taken)) {
    if (waiting !== null) yield waiting;
    waiting = batch;
  }
  yield {
    ...(waiting ?? { changes: [], records: 0 }),
    ends: new Map([[split, complete]]),
    times: new Map([[split, completeThroughMs(step.to)]]),
  };
}

async function* changesOf(reading: StepReading, step: Step, taken: number): AsyncGenerator<SourceBatch> {
  if (changesNothing(step)) return;
  const { io, manifests, table, binding } = reading;
  const { metadata } = table;
  const schema = snapshotSchema(metadata, step.to);
  const plan = await diffSnapshots(io, metadata, step.of === "rows" ? null : step.from, step.to, { manifests });
  const files = { io, metadata };
  const shape = shapeOf(reading, schema);
  const went = countRows(plan.deleted);
  const part = (rows: number): PointPart => ({ of: step.of, taken: rows });
  const pointAfter = (number: number) => pointText(pointAt(step.to, reading.generation, part(number + 1)));
  const batchOf = (slice: RowSlice, ops: Uint8Array, cut: BatchShape): SourceBatch => {
    const changes = sliceBatch(reading, cut, slice, ops, step.to.timestampMs, pointAfter);
    const end = changes.points.after(changes.length - 1);
    return {
      changes: [changes],
      ends: new Map([[reading.split, end]]),
      records: slice.length,
      bytes: changes.sizeBytes,
    };
  };

  if (went > 0 && isEmptied(binding, plan, step.to)) {
    if (taken < went) {
      const changes = truncateBatch(reading, step.to.timestampMs, pointAfter(went - 1));
      yield { changes: [changes], ends: new Map([[reading.split, pointAfter(went - 1)]]), records: 1 };
    }
    return;
  }
  const { unchanged, updated } = await pairedRows(files, schema, step.to, plan, shape.key);
  const history = binding.mode === "history";
  const gone = history ? shape : shape.ofDeletes;
  const left = history ? [unchanged.deleted] : [unchanged.deleted, updated.deleted];
  for await (const slice of readRows(files, schema, gone.fieldIds, plan.deleted, { from: taken, without: left })) {
    yield batchOf(slice, opsOf(slice, updated.deleted, Op.updateBefore, Op.delete), gone);
  }
  const came = { from: taken - went, without: [unchanged.inserted] };
  for await (const slice of readRows(files, schema, shape.fieldIds, plan.inserted, came)) {
    const ops = opsOf(slice, updated.inserted, Op.update, Op.insert);
    yield batchOf({ ...slice, numbers: slice.numbers.map((number) => number + went) }, ops, shape);
  }
}

/**
 * Pairs the rows that went with those that came, by key. Where data files were removed, rows that are equal in all columns cancel each
 * other out first: engines that copy on write move rows which they do not change. Else the values of updates need not be compared.
 *
 * @param key names of columns; null: rows have no key
 */
async function pairedRows(
  { io, metadata }: TableFiles,
  schema: Schema,
  to: Snapshot,
  plan: ChangelogPlan,
  key: readonly string[] | null,
): Promise<MatchedRows> {
  const fieldIds = (key ?? []).map((name) => fieldByName(schema, name)?.id).filter((id) => id !== undefined);
  const hasKey = key !== null && fieldIds.length === key.length;
  const compared = to.summary.has("deleted-data-files") ? schema.fields : null;
  return matchRows({ io, metadata, schema }, plan, hasKey ? { by: "fields", fieldIds } : { by: "nothing" }, compared);
}

function opsOf({ file, positions, length }: RowSlice, paired: RowMarks, yes: number, no: number): Uint8Array {
  const ops = new Uint8Array(length).fill(no);
  if (paired.countOf(file) === 0) return ops;
  for (let row = 0; row < length; row++) if (paired.has(file, positions[row] as number)) ops[row] = yes;
  return ops;
}

/**
 * Whether the table has been emptied, so that a truncate says it all: its rows need not be read. History tables get each row, and so do
 * tables that keep deleted rows, which take no truncate.
 */
function isEmptied(binding: TableBinding, { inserted }: ChangelogPlan, to: Snapshot): boolean {
  if (binding.mode !== "upsert" || binding.timed === true || inserted.length > 0) return false;
  return to.summary.get("total-records") === "0" && to.summary.get("total-data-files") === "0";
}

/** The source time that a pipeline has stamped the snapshot with, else when it was committed. */
function completeThroughMs({ summary, timestampMs }: Snapshot): number {
  const stamped = Date.parse(summary.get("ingest.valid-through") ?? "");
  return Number.isNaN(stamped) ? Number(timestampMs) : stamped;
}
