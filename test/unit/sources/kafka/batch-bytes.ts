import { crc32c } from "../../../../src/sources/kafka/crc32c.ts";

/** A record to encode; the offset delta defaults to its place. */
export interface RecordInput {
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: readonly (readonly [string, string | null])[];
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
}

/** A batch to encode. */
export interface BatchInput {
  readonly baseOffset: number | bigint;
  readonly records: readonly RecordInput[];
  readonly lastOffsetDelta?: number;
  readonly leaderEpoch?: number;
  /** What the header says in place of the number of records. */
  readonly count?: number;
  readonly baseTimestampMs?: number;
  /** Stamped by the broker: all records bear this time. */
  readonly appendTimestampMs?: number;
  readonly producerId?: number;
  readonly transactional?: boolean;
  /** Ends a transaction; `records` are left out. */
  readonly marker?: "commit" | "abort";
  /** A control batch whose marker was compacted away. */
  readonly control?: boolean;
  readonly codec?: { readonly id: number; compress(bytes: Buffer): Uint8Array };
}

/** A record batch of format 2, written from the protocol's description, independently of the reader. */
export function encodeBatch(input: BatchInput): Buffer {
  const control = input.marker !== undefined || input.control === true;
  const records = input.marker === undefined ? input.records.map(encodeRecord) : [encodeMarker(input.marker)];
  const raw = Buffer.concat(records);
  const body = input.codec === undefined || raw.length === 0 ? raw : Buffer.from(input.codec.compress(raw));
  const lastDelta =
    input.lastOffsetDelta ?? Math.max(0, ...input.records.map(({ offsetDelta }, i) => offsetDelta ?? i));
  const batch = Buffer.alloc(61 + body.length);
  batch.writeBigInt64BE(BigInt(input.baseOffset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(input.leaderEpoch ?? 0, 12);
  batch.writeInt8(2, 16);
  const stamped = input.appendTimestampMs === undefined ? 0 : 0x08;
  const transactional = input.transactional === true || control ? 0x10 : 0;
  batch.writeInt16BE((input.codec?.id ?? 0) | stamped | transactional | (control ? 0x20 : 0), 21);
  batch.writeInt32BE(lastDelta, 23);
  const base = input.baseTimestampMs ?? 1_700_000_000_000;
  batch.writeBigInt64BE(BigInt(base), 27);
  batch.writeBigInt64BE(BigInt(input.appendTimestampMs ?? base), 35);
  batch.writeBigInt64BE(BigInt(input.producerId ?? -1), 43);
  batch.writeInt16BE(0, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(input.count ?? records.length, 57);
  body.copy(batch, 61);
  batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17);
  return batch;
}

function encodeRecord(record: RecordInput, place: number): Buffer {
  const headers = record.headers ?? [];
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta ?? 0),
    varint(record.offsetDelta ?? place),
    sized(record.key ?? null),
    sized(record.value ?? null),
    varint(headers.length),
    ...headers.flatMap(([name, value]) => [sized(name), sized(value)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function encodeMarker(marker: "commit" | "abort"): Buffer {
  const key = Buffer.from([0, 0, 0, marker === "commit" ? 1 : 0]);
  const value = Buffer.from([0, 0, 0, 0, 0, 7]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(0),
    varint(key.length),
    key,
    varint(value.length),
    value,
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function sized(text: string | null): Buffer {
  if (text === null) return varint(-1);
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** A zigzag varint, by bigint so that it is right by construction. */
export function varint(value: number): Buffer {
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  bytes.push(Number(left));
  return Buffer.from(bytes);
}
