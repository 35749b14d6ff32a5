/**
 * Messages of one split as slices of one buffer; offsets index `bytes`. A key or value that is null has start -1.
 * Headers are rarely needed: `headers(i)` decodes them on demand.
 */
export interface MessageSlab {
  /** The topic. */
  readonly stream: string;
  readonly split: string;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly valueStarts: Int32Array;
  readonly valueEnds: Int32Array;
  /** Offset of each message; its resume point is the offset + 1. */
  readonly offsets: BigInt64Array;
  /** In which the resume points count: see `CountedPoint`; absent: 1. */
  readonly generation?: number;
  /** Milliseconds since 1970 UTC. */
  readonly timestampsMs: Float64Array;
  headers(message: number): readonly (readonly [string, Uint8Array | null])[];
}
