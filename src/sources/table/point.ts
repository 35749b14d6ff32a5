import { FrazilError } from "../../core/errors.ts";
import type { Snapshot } from "../../../table-format/index.ts";

/**
 * How far a table has been read. Written `<sequence number>:<snapshot id>` for everything up to and with a snapshot; `+n` behind it: of
 * its changes the first n only; `=n`: of all its rows the first n, where reading begins; `0`: nothing yet. `@g` at the end: in the g-th
 * table of the name, or history of a table, from the second on.
 */
export interface TablePoint {
  /** From 1. */
  readonly generation: number;
  /** Of the snapshot; orders the points of a generation. */
  readonly sequence: bigint;
  /** Null: nothing has been read. */
  readonly snapshotId: bigint | null;
  /** Null: all of it. */
  readonly part: PointPart | null;
}

export interface PointPart {
  /** `changes` over the snapshot's parent, or all `rows` of the snapshot. */
  readonly of: "changes" | "rows";
  readonly taken: number;
}

const POINT = /^(?:0|(\d{1,19}):(\d{1,19})(?:([+=])(\d{1,15}))?)(?:@([1-9]\d{0,8}))?$/;

/** Nothing has been read. */
export function startOf(generation: number): TablePoint {
  return { generation, sequence: 0n, snapshotId: null, part: null };
}

/** The point in or behind a snapshot. */
export function pointAt(
  { sequenceNumber, snapshotId }: Snapshot,
  generation: number,
  part: PointPart | null,
): TablePoint {
  return { generation, sequence: sequenceNumber, snapshotId, part };
}

/** A point as positions hold it. */
export function pointText({ generation, sequence, snapshotId, part }: TablePoint): string {
  const suffix = generation === 1 ? "" : `@${generation}`;
  if (snapshotId === null) return `0${suffix}`;
  const within = part === null ? "" : `${part.of === "rows" ? "=" : "+"}${part.taken}`;
  return `${sequence}:${snapshotId}${within}${suffix}`;
}

/** Reads `pointText`'s form. @throws FrazilError `data`, code `BAD_POSITION`. */
export function parsePoint(text: string): TablePoint {
  const match = POINT.exec(text);
  if (match === null) {
    throw new FrazilError(
      "data",
      "BAD_POSITION",
      `expected a point of a table such as 7:1234 or 7:1234+50, found "${text}"`,
    );
  }
  const [, sequence, snapshotId, sign, taken, generation = "1"] = match;
  if (sequence === undefined || snapshotId === undefined) return startOf(Number(generation));
  return {
    generation: Number(generation),
    sequence: BigInt(sequence),
    snapshotId: BigInt(snapshotId),
    part: sign === undefined ? null : { of: sign === "=" ? "rows" : "changes", taken: Number(taken) },
  };
}

/** Orders points by generation, sequence number and rows taken. */
export function comparePoints(a: string, b: string): number {
  const [left, right] = [parsePoint(a), parsePoint(b)];
  if (left.generation !== right.generation) return left.generation - right.generation;
  if (left.sequence !== right.sequence) return left.sequence < right.sequence ? -1 : 1;
  const [mine, other] = [left.part?.taken ?? Infinity, right.part?.taken ?? Infinity];
  return mine === other ? 0 : mine < other ? -1 : 1;
}
