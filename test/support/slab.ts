import type { MessageSlab } from "../../src/core/message-slab.ts";

/** A message as a test writes it; a value that is no string, bytes or null is written as JSON. */
export interface TestMessage {
  readonly key?: unknown;
  readonly value: unknown;
  readonly offset?: bigint;
  readonly headers?: ReturnType<MessageSlab["headers"]>;
  readonly timestampMs?: number;
}

const utf8 = new TextEncoder();

/** Messages of one split, packed as a source packs them. */
export function slabOf(messages: readonly TestMessage[], stream = "shop.public.orders", firstOffset = 0n): MessageSlab {
  const count = messages.length;
  const parts: Uint8Array[] = [];
  let size = 0;
  const ranges = [new Int32Array(count), new Int32Array(count), new Int32Array(count), new Int32Array(count)] as const;
  const [keyStarts, keyEnds, valueStarts, valueEnds] = ranges;
  const put = (part: unknown, starts: Int32Array, ends: Int32Array, k: number) => {
    const bytes = bytesOf(part);
    starts[k] = bytes === null ? -1 : size;
    ends[k] = bytes === null ? -1 : size + bytes.length;
    if (bytes === null) return;
    parts.push(bytes);
    size += bytes.length;
  };
  const offsets = new BigInt64Array(count);
  for (const [k, message] of messages.entries()) {
    put(message.key, keyStarts, keyEnds, k);
    put(message.value, valueStarts, valueEnds, k);
    offsets[k] = message.offset ?? firstOffset + BigInt(k);
  }
  return {
    stream,
    split: `${stream}/0`,
    count,
    bytes: new Uint8Array(Buffer.concat(parts)),
    keyStarts,
    keyEnds,
    valueStarts,
    valueEnds,
    offsets,
    timestampsMs: Float64Array.from(messages, (message) => message.timestampMs ?? 0),
    headers: headersOf(messages.map((message) => message.headers ?? [])),
  };
}

/** Outside of `slabOf`, so that a slab does not keep what it was made from. */
const headersOf =
  (headers: readonly ReturnType<MessageSlab["headers"]>[]): MessageSlab["headers"] =>
  (message) =>
    headers[message] ?? [];

function bytesOf(part: unknown): Uint8Array | null {
  if (part === undefined || part === null) return null;
  if (part instanceof Uint8Array) return part;
  return utf8.encode(typeof part === "string" ? part : JSON.stringify(part));
}
