import { counted, grouped } from "../../core/count-text.ts";
import { currentSnapshot, identText, type LoadedTable } from "../../../table-format/index.ts";
import { pipelinesOf, pipelineTable } from "../../commit/read-pipeline.ts";
import type { Stamp } from "../../commit/stamp.ts";
import { sumTotals, type Totals } from "../../commit/totals.ts";
import { FrazilError } from "../../core/errors.ts";
import { listTables } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { durationText, writtenTable } from "../figures-text.ts";
import { readJob } from "../job-file.ts";
import { type JobView, progressOf, withJob, withSource } from "../job-view.ts";
import { jsonLine, sizeText, tableText } from "../output.ts";
import { figure, liveRows, timeText } from "../snapshot-figures.ts";
import { type Unpublished, unpublishedColumn, unpublishedOf } from "../unpublished.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** How a table is. */
interface TableStatus {
  readonly table: string;
  readonly pipeline: string | null;
  readonly rows: bigint | null;
  readonly sizeBytes: bigint | null;
  /** Live data files, and delete files and deletion vectors. */
  readonly dataFiles: bigint | null;
  readonly deleteFiles: bigint | null;
  readonly snapshotId: bigint | null;
  /** Of the newest snapshot, whoever committed it. */
  readonly lastCommit: string | null;
  readonly epoch: bigint | null;
  readonly checkpoint: bigint | null;
  readonly validThrough: string | null;
  readonly freshnessSeconds: number | null;
  /** What the pipeline has done to the table over all runs; null where the commits do not say. */
  readonly written: Totals | null;
  /** Absent where `main` has all that the pipeline has written. */
  readonly unpublished?: Unpublished;
}

/** What there is to say of a job beside its tables. */
interface JobFigures {
  readonly name: string;
  /** Messages; null when the source does not tell. */
  readonly readLag: bigint | null;
  readonly deadLetterTable: string | null;
}

/** `frazil status [job]`: read from the warehouse and the source's ends; no process of the job has to run. */
export async function status(context: CliContext, path: string | undefined): Promise<void> {
  if (path === undefined) {
    await withWarehouse(context, async (warehouse) => {
      const tables: LoadedTable[] = [];
      for (const ident of await listTables(warehouse.catalog)) {
        const loaded = await warehouse.catalog.loadTable(ident);
        if (loaded !== null) tables.push(loaded);
      }
      await print(context, warehouse.location, tables, null);
    });
    return;
  }
  const job = readJob(context, path);
  await withJob(context, job, async (view) => {
    const figures: JobFigures = {
      name: job.name,
      readLag: await readLag(context, view),
      deadLetterTable: job.deadLetter?.table ?? null,
    };
    const tables = view.state.tables.map(({ loaded }) => loaded);
    await print(context, view.warehouse?.location ?? job.warehouse.location, tables, figures);
  });
}

/** Messages that are in the source and not in the tables; null when that cannot be told, said on stderr. */
async function readLag(context: CliContext, view: JobView): Promise<bigint | null> {
  try {
    return await withSource(context, view.job, { warehouse: view.warehouse }, async ({ source }) => {
      return (await progressOf(view, source)).totalLag;
    });
  } catch (error) {
    if (!(error instanceof FrazilError) || error.kind === "internal") throw error;
    context.output.note(`the source does not tell its end: ${error.message}`);
    return null;
  }
}

async function print(
  context: CliContext,
  location: string,
  tables: readonly LoadedTable[],
  job: JobFigures | null,
): Promise<void> {
  const { output, runtime } = context;
  const lines = tables.map((table) => statusOf(table, job?.name ?? null, runtime.clock.nowMs()));
  const sum = (values: readonly (bigint | null)[]): bigint => values.reduce<bigint>((a, b) => a + (b ?? 0n), 0n);
  const rows = sum(lines.map((line) => line.rows));
  const sizeBytes = sum(lines.map((line) => line.sizeBytes));
  const known = lines.map((line) => line.freshnessSeconds).filter((seconds) => seconds !== null);
  // A checkpoint stamps the tables that it changed: the freshest one tells of the whole job.
  const freshnessSeconds = known.length === 0 ? null : Math.min(...known);
  const written = new Map(lines.flatMap((line) => (line.written === null ? [] : [[line.table, line.written]])));
  const totals = written.size === 0 ? null : sumTotals([...written.values()]);
  const deadLetters = job?.deadLetterTable == null ? 0 : (written.get(job.deadLetterTable)?.rows ?? 0);
  if (output.json) {
    for (const line of lines) await output.write(jsonLine({ event: "table", ...line }));
    if (job !== null) {
      const checkpoint = highest(lines.map((line) => line.checkpoint));
      const epoch = highest(lines.map((line) => line.epoch));
      const lag = { readLagRows: job.readLag, freshnessSeconds };
      await output.write(
        jsonLine({ event: "job", job: job.name, epoch, checkpoint, ...lag, deadLetters, written: totals }),
      );
    }
    await output.write(jsonLine({ event: "warehouse", location, tables: lines.length, rows, sizeBytes }));
    return;
  }
  if (lines.length === 0) output.note(job === null ? `no tables in ${location}` : `${job.name} has no tables yet`);
  else await output.write(text(lines));
  const lag = job === null ? "" : `, read lag ${job.readLag === null ? "?" : grouped(job.readLag)}`;
  const fresh = freshnessSeconds === null || job === null ? "" : `, freshness ${durationText(freshnessSeconds)}`;
  const size = `${counted(lines.length, "table")}, ${grouped(rows)} rows, ${sizeText(sizeBytes)}`;
  await output.write(`${job?.name ?? location}  ${size}${lag}${fresh}\n`);
  if (job !== null && totals !== null) await output.write(`\n${writtenText(written, totals, deadLetters)}`);
}

/** What all runs of a job have done. */
function writtenText(tables: ReadonlyMap<string, Totals>, totals: Totals, deadLetters: number): string {
  const commits = `${counted(totals.commits, "commit")}, ${counted(totals.conflicts, "conflict")}`;
  const rest = `${counted(totals.retries, "retry", "retries")}, ${counted(deadLetters, "dead letter")}`;
  return `${writtenTable(tables)}over all runs: ${commits}, ${rest}\n`;
}

function statusOf(table: LoadedTable, job: string | null, nowMs: number): TableStatus {
  const snapshot = currentSnapshot(table.metadata);
  const pipeline = job ?? pipelinesOf(table)[0] ?? null;
  const stamp: Stamp | null = pipeline === null ? null : (pipelineTable(table, pipeline).tagged?.stamp ?? null);
  const valid = stamp?.validThroughMs ?? null;
  const unpublished = unpublishedOf(table);
  return {
    table: identText(table.ident),
    pipeline,
    rows: snapshot === null ? 0n : liveRows(snapshot),
    sizeBytes: snapshot === null ? 0n : figure(snapshot, "total-files-size"),
    dataFiles: snapshot === null ? 0n : figure(snapshot, "total-data-files"),
    deleteFiles: snapshot === null ? 0n : figure(snapshot, "total-delete-files"),
    snapshotId: snapshot?.snapshotId ?? null,
    lastCommit: snapshot === null ? null : timeText(snapshot.timestampMs),
    epoch: stamp?.epoch ?? null,
    checkpoint: stamp?.checkpoint ?? null,
    validThrough: valid === null ? null : new Date(valid).toISOString(),
    freshnessSeconds: valid === null ? null : Math.max(0, (nowMs - valid) / 1000),
    written: stamp?.totals ?? null,
    ...(unpublished === null ? {} : { unpublished }),
  };
}

function text(lines: readonly TableStatus[]): string {
  const count = (value: bigint | null): string => (value === null ? "?" : grouped(value));
  const { columns, cells } = unpublishedColumn(lines.map((line) => line.unpublished ?? null));
  return tableText(
    [
      { name: "table", align: "left" },
      { name: "pipeline", align: "left" },
      { name: "rows", align: "right" },
      { name: "size", align: "right" },
      { name: "files", align: "right" },
      { name: "last commit", align: "left" },
      { name: "epoch", align: "right" },
      { name: "checkpoint", align: "right" },
      { name: "freshness", align: "right" },
      ...columns,
    ],
    lines.map((line, index) => [
      line.table,
      line.pipeline ?? "",
      count(line.rows),
      line.sizeBytes === null ? "?" : sizeText(line.sizeBytes),
      line.dataFiles === null ? "?" : grouped(line.dataFiles + (line.deleteFiles ?? 0n)),
      line.lastCommit?.replace(/\.\d+Z$/, "Z") ?? "never",
      line.epoch === null ? "" : String(line.epoch),
      line.checkpoint === null ? "" : grouped(line.checkpoint),
      line.freshnessSeconds === null ? "?" : durationText(line.freshnessSeconds),
      ...cells(index),
    ]),
  );
}

function highest(values: readonly (bigint | null)[]): bigint | null {
  return values.reduce<bigint | null>(
    (max, value) => (value !== null && (max === null || value > max) ? value : max),
    null,
  );
}
