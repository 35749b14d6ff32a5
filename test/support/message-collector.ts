import type { Decoder } from "../../src/core/format.ts";
import type { MessageSlab } from "../../src/core/message-slab.ts";

/** A message as it arrived, texts decoded. */
export interface Message {
  readonly split: string;
  readonly offset: bigint;
  readonly atMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
}

/** Keeps all messages; gives no changes. */
export function collector(messages: Message[]): Decoder {
  const text = (slab: MessageSlab, start: number, end: number): string | null =>
    start === -1 ? null : Buffer.from(slab.bytes.subarray(start, end)).toString();
  return {
    decode(slab) {
      for (let i = 0; i < slab.count; i++) {
        messages.push({
          split: slab.split,
          offset: slab.offsets[i] as bigint,
          atMs: slab.timestampsMs[i] as number,
          key: text(slab, slab.keyStarts[i] as number, slab.keyEnds[i] as number),
          value: text(slab, slab.valueStarts[i] as number, slab.valueEnds[i] as number),
          headers: slab
            .headers(i)
            .map(([name, value]) => [name, value === null ? null : Buffer.from(value).toString()] as const),
        });
      }
      return [];
    },
  };
}
