import { type ChangeBatch, Op, offsetPoints } from "./change-batch.ts";
import type { LetterOrigin, ReplayedSlab } from "./dead-letter.ts";
import { must } from "./errors.ts";
import type { Decoder } from "./format.ts";
import type { MessageSlab } from "./message-slab.ts";

/** A message among others. */
export interface KeptMessage {
  readonly slab: MessageSlab;
  readonly message: number;
}

/**
 * A decoder whose batches hold on to the messages of rows that leave values out. Whether the row exists that such a value is taken from
 * is known at the checkpoint only; without it the message becomes a dead letter.
 */
export function keepMessages(decoder: Decoder): Decoder {
  return {
    decode: (slab) => decoder.decode(slab).map((batch) => withMessages(batch, slab)),
  };
}

/** The message that a row came with; null when the batch does not hold it. */
export function messageOf({ messages, points }: ChangeBatch, row: number): KeptMessage | null {
  if (messages === undefined) return null;
  const message = pointsOf(messages).indexOf(points.after(row));
  return message < 0 ? null : { slab: messages, message };
}

function withMessages(batch: ChangeBatch, slab: MessageSlab): ChangeBatch {
  if (batch.absent.every((bits) => bits === null)) return batch;
  const points = pointsOf(slab);
  const kept: number[] = [];
  let message = 0;
  for (let row = 0; row < batch.length; row++) {
    if (!leavesOut(batch, row)) continue;
    // Rows stand in the order of their messages.
    message = points.indexOf(batch.points.after(row), message);
    if (kept.at(-1) !== message) kept.push(message);
  }
  if (kept.length === 0) return batch;
  const messages = copyOf(slab, kept);
  return { ...batch, messages, sizeBytes: batch.sizeBytes + messages.bytes.length };
}

/** Inserts without a value mean null; deletes carry their key only. */
function leavesOut({ absent, ops, points }: ChangeBatch, row: number): boolean {
  const op = ops[row];
  const before = ops[row - 1];
  const moved = op === Op.insert && before === Op.delete && points.after(row - 1) === points.after(row);
  if (op !== Op.update && !moved) return false;
  return absent.some((bits) => bits !== null && ((bits[row >> 3] as number) & (1 << (row & 7))) !== 0);
}

/** Some messages of a slab, in bytes of their own. */
function copyOf(slab: MessageSlab | ReplayedSlab, kept: readonly number[]): MessageSlab | ReplayedSlab {
  const pick = (numbers: Int32Array): Int32Array => Int32Array.from(kept, (message) => numbers[message] as number);
  const parts = [pick(slab.keyStarts), pick(slab.keyEnds), pick(slab.valueStarts), pick(slab.valueEnds)] as const;
  const [keyStarts, keyEnds, valueStarts, valueEnds] = parts;
  const chunks: Uint8Array[] = [];
  let size = 0;
  const move = (starts: Int32Array, ends: Int32Array, index: number): void => {
    const [start, end] = [starts[index] as number, ends[index] as number];
    if (start < 0) return;
    chunks.push(slab.bytes.subarray(start, end));
    starts[index] = size;
    size += end - start;
    ends[index] = size;
  };
  for (const index of kept.keys()) {
    move(keyStarts, keyEnds, index);
    move(valueStarts, valueEnds, index);
  }
  const headers = kept.map((message) =>
    slab.headers(message).map(([name, value]) => [name, value === null ? null : value.slice()] as const),
  );
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  const copied: MessageSlab = {
    ...slab,
    count: kept.length,
    bytes,
    keyStarts,
    keyEnds,
    valueStarts,
    valueEnds,
    offsets: BigInt64Array.from(kept, (message) => slab.offsets[message] as bigint),
    timestampsMs: Float64Array.from(kept, (message) => slab.timestampsMs[message] as number),
    headers: headersOf(headers),
  };
  if (!("origins" in slab)) return copied;
  const origins = kept.map((message): LetterOrigin => must(slab.origins[message], "an origin a letter"));
  return { ...copied, origins };
}

/** Made out here, so that it does not keep the slab that the headers came from. */
const headersOf =
  (headers: readonly ReturnType<MessageSlab["headers"]>[]): MessageSlab["headers"] =>
  (message) =>
    must(headers[message], "headers a message");

/** The resume point after each message of a slab. */
function pointsOf({ offsets, count, generation }: MessageSlab): string[] {
  const next = offsets.map((offset) => offset + 1n);
  const points = offsetPoints(next, generation);
  return Array.from({ length: count }, (_, message) => points.after(message));
}
