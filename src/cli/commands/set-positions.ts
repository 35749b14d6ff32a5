import { planSetPosition } from "../../commit/set-position.ts";
import { branchCatalog } from "../../commit/branch-view.ts";
import { readPipeline } from "../../commit/read-pipeline.ts";
import { rollBack } from "../../commit/rollback.ts";
import type { RollbackPlan } from "../../commit/rollback-plan.ts";
import { readPipelineTag } from "../../commit/tracked-table.ts";
import { writtenTo } from "../../commit/writer-branch.ts";
import { nearest } from "../../config/suggest.ts";
import { grouped } from "../../core/count-text.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Source } from "../../core/source.ts";
import { lagOf } from "../../pipeline/read-lag.ts";
import { targetMatcher } from "../../sink/layout/router.ts";
import type { AnyJob } from "../../registry.ts";
import type { CliContext } from "../context.ts";
import { fromBeginning } from "../from-beginning.ts";
import { readJob } from "../job-file.ts";
import { inSplitOrder, type JobView, progressOf, withJob, withSource } from "../job-view.ts";
import { jsonLine } from "../output.ts";

export interface SetOptions {
  readonly yes?: boolean;
}

export interface ResetOptions extends SetOptions {
  readonly to: "start" | "earliest" | "latest";
}

/** `frazil positions set <job> <split>=<point>… [--yes]`: has the job go on from other points of its source. */
export async function setPositions(
  context: CliContext,
  path: string,
  assignments: readonly string[],
  options: SetOptions,
): Promise<void> {
  const wanted = new Map(assignments.map(parseAssignment));
  await change(context, path, options, ({ end }) => {
    for (const split of wanted.keys()) checkSplit(split, end);
    return wanted;
  });
}

/** `frazil positions reset <job> [--to start|earliest|latest] [--yes]`: all splits go to where a new job would begin. */
export async function resetPositions(context: CliContext, path: string, options: ResetOptions): Promise<void> {
  await change(context, path, options, ({ start, earliest, end }) => ({ start, earliest, latest: end })[options.to]);
}

/** The points of a source that a position can be compared with. */
interface Bounds {
  /** Where the job's own `start` begins. */
  readonly start: Position;
  readonly earliest: Position;
  readonly end: Position;
}

async function change(
  context: CliContext,
  path: string,
  { yes = false }: SetOptions,
  choose: (bounds: Bounds) => Position,
): Promise<void> {
  const { output } = context;
  const job = readJob(context, path);
  await withJob(context, job, async (view) => {
    const { warehouse } = view;
    if (warehouse === null || view.state.tables.length === 0) throw nothingToSet(job);
    const { branch } = job;
    const catalog = branch === null ? warehouse.catalog : branchCatalog(warehouse.catalog, branch, writtenTo(branch));
    const place = { ...warehouse, catalog, warehouseLocation: warehouse.location };
    const state = await readPipeline({ ...place, pipeline: job.name });
    for (const { loaded } of state.tables) readPipelineTag(loaded, job.name);
    const earliest = await earliestOf(context, view);
    const plan = await withSource(context, job, { warehouse }, async ({ source }) => {
      const progress = await progressOf(view, source);
      const bounds = { start: await source.startPosition(), earliest, end: progress.end };
      const points = choose(bounds);
      for (const [split, point] of points) checkPoint({ split, point, source }, bounds);
      await printPlan(context, { view, source, from: progress.from, points, acts: yes });
      return planSetPosition(job.name, state, points, source.comparePoints.bind(source));
    });
    if (!yes) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    await commit(context, place, plan);
    output.note(`a running process of ${job.name} ends with exit 76; the next start reads from the points above`);
  });
}

async function commit(
  { output, runtime }: CliContext,
  place: Omit<Parameters<typeof rollBack>[0], "runtime">,
  plan: RollbackPlan,
): Promise<void> {
  for (const { table, snapshotId } of await rollBack({ ...place, runtime }, plan)) {
    if (output.json) await output.write(jsonLine({ event: "positions-set", table, snapshotId }));
    else output.note(`${table} is at snapshot ${snapshotId}`);
  }
}

/** The oldest points that the source still holds. */
function earliestOf(context: CliContext, view: JobView): Promise<Position> {
  return withSource(context, fromBeginning(view.job), { warehouse: view.warehouse }, async ({ source }) => {
    // Which life of a stream counts shows only when the known one was told.
    await progressOf(view, source);
    return source.startPosition();
  });
}

function parseAssignment(text: string): [split: string, point: string] {
  // Points of tables may hold a "=" themselves: 7:1234=50.
  const match = /^(.+\/\d+)=(.+)$/.exec(text);
  if (match !== null) return [match[1] as string, match[2] as string];
  throw new FrazilError("config", "USAGE", `expected <split>=<point>, found "${text}"`, {
    hint: "frazil positions set jobs/orders.yaml shop.orders/0=1200; frazil positions show lists the splits",
  });
}

function checkSplit(split: string, end: Position): void {
  if (end.has(split)) return;
  const near = nearest(split, [...end.keys()]);
  throw new FrazilError("config", "USAGE", `the source has no split ${split}`, {
    hint: near === null ? `it has ${[...end.keys()].join(", ")}` : `did you mean ${near}?`,
  });
}

interface Asked {
  readonly split: string;
  readonly point: string;
  readonly source: Source;
}

/** @throws FrazilError `config`, code `USAGE`, for what is no point of the source; `data`, code `LOST_OFFSETS`, for one it no longer holds. */
function checkPoint({ split, point, source }: Asked, { earliest, end }: Bounds): void {
  const [first, last] = [earliest.get(split), end.get(split)];
  if (first === undefined || last === undefined) return;
  const [above, below] = [compared(source, point, first), compared(source, point, last)];
  if (above === null || below === null) {
    throw new FrazilError("config", "USAGE", `"${point}" is no point of ${split}`, {
      hint: `it has points from ${first} to ${last}`,
    });
  }
  if (above < 0) {
    throw new FrazilError(
      "data",
      "LOST_OFFSETS",
      `${split} begins at ${first}: what lies between ${point} and it is lost`,
      {
        hint: `set it to ${first} or above, or reset --to earliest`,
      },
    );
  }
  if (below > 0) {
    throw new FrazilError("config", "USAGE", `${split} ends at ${last}: the changes up to ${point} are yet to come`, {
      hint: `set it to ${last} or below`,
    });
  }
}

/** Null for a text that is no point. */
function compared(source: Source, a: string, b: string): number | null {
  try {
    const order = source.comparePoints(a, b);
    return Number.isNaN(order) ? null : order;
  } catch {
    return null;
  }
}

function nothingToSet({ name }: AnyJob): FrazilError {
  return new FrazilError("config", "USAGE", `${name} holds no table yet, and so no position`, {
    hint: "the first run begins where start: in the job file says",
  });
}

interface Planned {
  readonly view: JobView;
  readonly source: Source;
  /** Where the next start would read on. */
  readonly from: Position;
  readonly points: Position;
  readonly acts: boolean;
}

async function printPlan({ output }: CliContext, { view, source, from, points, acts }: Planned): Promise<void> {
  let repeats = false;
  for (const split of inSplitOrder([...points.keys()])) {
    const to = must(points.get(split), "a point of each split");
    const at = from.get(split);
    const order = at === undefined ? 0 : source.comparePoints(to, at);
    const effect = order < 0 ? "repeats" : order > 0 ? "skips" : "stays";
    repeats ||= order < 0;
    const changes = order === 0 ? 0n : order < 0 ? lagOf(to, at, source) : lagOf(at, to, source);
    if (output.json) {
      await output.write(jsonLine({ event: "plan", split, from: at ?? null, to, effect, messages: changes }));
      continue;
    }
    const count = changes === null ? "some" : grouped(changes);
    const what = { repeats: `reads ${count} messages again`, skips: `leaves ${count} messages out`, stays: "stays" };
    await output.write(
      `${acts ? "sets" : "would set"} ${split} from ${at ?? "its beginning"} to ${to}: ${what[effect]}\n`,
    );
  }
  if (repeats) await warnOfDoubles(output, view);
}

/** What an upsert table reads again comes to the same rows; other tables get theirs twice. */
async function warnOfDoubles(output: CliContext["output"], { job, state }: JobView): Promise<void> {
  for (const { name, loaded } of state.tables) {
    const rule = job.tables.find((each) => targetMatcher([each])(loaded.ident));
    if (rule === undefined || rule.mode === "upsert") continue;
    const message = `${name} (mode: ${rule.mode}) gets the rows of what is read again twice; frazil rollback takes rows and position back together`;
    await output.write(
      output.json ? jsonLine({ event: "warning", table: name, mode: rule.mode, message }) : `! ${message}\n`,
    );
  }
}
