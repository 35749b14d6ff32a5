import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { Decoder } from "../../src/core/format.ts";
import type { Position } from "../../src/core/position.ts";
import type { Source } from "../../src/core/source.ts";
import { slabOf, type TestMessage } from "./slab.ts";

/** Serves fixed messages, one split `topic/0` a topic, in slabs of random length. A point is the number of messages taken. */
export function messageSource(
  topics: ReadonlyMap<string, readonly TestMessage[]>,
  decoder: Decoder,
  random: { uint32(): number },
  longest = 8,
): Source {
  const points = (of: (messages: readonly TestMessage[]) => number): Position =>
    new Map([...topics].map(([topic, messages]) => [`${topic}/0`, String(of(messages))]));
  return {
    open: async () => undefined,
    startPosition: async () => points(() => 0),
    endPosition: async () => points((messages) => messages.length),
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      const next = new Map([...topics.keys()].map((topic) => [topic, Number(from.get(`${topic}/0`) ?? 0)]));
      while (!signal.aborted) {
        const changes: ChangeBatch[] = [];
        const ends = new Map<string, string>();
        let records = 0;
        for (const [topic, messages] of topics) {
          const start = next.get(topic) as number;
          const taken = messages.slice(start, start + (random.uint32() % longest));
          if (taken.length === 0) continue;
          changes.push(...decoder.decode(slabOf(taken, topic, BigInt(start))));
          ends.set(`${topic}/0`, String(start + taken.length));
          records += taken.length;
          next.set(topic, start + taken.length);
        }
        yield { changes, ends, records };
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}
