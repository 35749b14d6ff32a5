import { type Snapshot, FrazilError } from "../../table-format/index.ts";
import { parseTotals, type Totals, totalsText } from "./totals.ts";
import { parsePosition, type Position, positionText } from "../core/position.ts";
import { parseStreamIds, type StreamIds, streamIdsText } from "../core/stream-id.ts";

/** What the summary of each snapshot of a pipeline says of it. */
export interface Stamp {
  readonly pipeline: string;
  /** Number of the writer's incarnation: a higher one fences lower ones. */
  readonly epoch: bigint;
  /** Number of the checkpoint, rising over all epochs of the pipeline. */
  readonly checkpoint: bigint;
  /** Every change at or below it is in the table. */
  readonly position: Position;
  /** Source time up to which the table is complete, milliseconds since 1970 UTC; null when the source tells no time. */
  readonly validThroughMs: number | null;
  /** Which streams the position is of, as far as their source can tell; absent where it cannot. */
  readonly streams?: StreamIds | undefined;
  /** Absent where nobody has counted: figures only. */
  readonly totals?: Totals | undefined;
}

/** Summary entries of a stamp. */
export function stampSummary(stamp: Stamp): Map<string, string> {
  const summary = new Map([
    ["ingest.pipe", stamp.pipeline],
    ["ingest.epoch", String(stamp.epoch)],
    ["ingest.ckpt", String(stamp.checkpoint)],
    ["ingest.position", positionText(stamp.position)],
  ]);
  if (stamp.validThroughMs !== null) {
    summary.set("ingest.valid-through", new Date(stamp.validThroughMs).toISOString());
  }
  if (stamp.streams !== undefined && stamp.streams.size > 0) {
    summary.set("ingest.stream-ids", streamIdsText(stamp.streams));
  }
  if (stamp.totals !== undefined) summary.set("ingest.totals", totalsText(stamp.totals));
  return summary;
}

/** Stamps that were read: a table's snapshots are asked for theirs time and again, and never change. */
const known = new WeakMap<Snapshot, Stamp | null>();

/** The stamp of a snapshot, or null when no pipeline wrote it. @throws FrazilError `corrupt` when it is incomplete. */
export function readStamp(snapshot: Snapshot): Stamp | null {
  let stamp = known.get(snapshot);
  if (stamp === undefined) known.set(snapshot, (stamp = parseStamp(snapshot)));
  return stamp;
}

function parseStamp(snapshot: Snapshot): Stamp | null {
  const pipeline = snapshot.summary.get("ingest.pipe");
  if (pipeline === undefined) return null;
  const epoch = snapshot.summary.get("ingest.epoch");
  const checkpoint = snapshot.summary.get("ingest.ckpt");
  const position = snapshot.summary.get("ingest.position");
  if (epoch === undefined || checkpoint === undefined || position === undefined) {
    throw new FrazilError(
      "corrupt",
      "STAMP_INCOMPLETE",
      `snapshot ${snapshot.snapshotId} names the pipeline ${pipeline} but lacks ingest.epoch, ingest.ckpt or ingest.position`,
    );
  }
  const validThrough = snapshot.summary.get("ingest.valid-through");
  const streams = snapshot.summary.get("ingest.stream-ids");
  const totals = parseTotals(snapshot.summary.get("ingest.totals") ?? "null");
  return {
    pipeline,
    epoch: BigInt(epoch),
    checkpoint: BigInt(checkpoint),
    position: parsePosition(position),
    validThroughMs: validThrough === undefined ? null : Date.parse(validThrough),
    ...(streams === undefined ? {} : { streams: parseStreamIds(streams) }),
    ...(totals === null ? {} : { totals }),
  };
}
