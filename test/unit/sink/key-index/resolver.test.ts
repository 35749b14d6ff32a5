import fc from "fast-check";
import { expect, it } from "vitest";
import type { KeyResolver } from "../../../../src/sink/key-resolver.ts";
import { KEY_WORDS } from "../../../../src/sink/key-words.ts";
import { memoryResolver } from "../../../../src/sink/memory-resolver.ts";

/** More keys than the first table holds, so that it grows and meets removed slots. */
const KEYS = 2_000;

const RESOLVERS: Readonly<Record<string, () => KeyResolver>> = { memory: memoryResolver };

const span = fc.record({ first: fc.nat(KEYS - 1), count: fc.integer({ min: 1, max: 900 }) });
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: span.map((of) => ({ kind: "place" as const, ...of })) },
    { weight: 4, arbitrary: span.map((of) => ({ kind: "forget" as const, ...of })) },
    { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  ),
  { maxLength: 40 },
);

it.each(Object.entries(RESOLVERS))("%s: finds what a map of all keys finds", async (_name, create) => {
  await fc.assert(
    fc.asyncProperty(commands, async (run) => {
      const resolver = create();
      const model = new Map<number, readonly [number, number]>();
      for (const [file, command] of run.entries()) {
        if (command.kind === "clear") {
          resolver.clear();
          model.clear();
          continue;
        }
        const ids = Array.from({ length: command.count }, (_, index) => (command.first + index) % KEYS);
        if (command.kind === "forget") {
          resolver.forget(words(ids));
          for (const id of ids) model.delete(id);
        } else {
          resolver.place(
            words(ids),
            file,
            Uint32Array.from(ids, (_, position) => position),
          );
          for (const [position, id] of ids.entries()) model.set(id, [file, position]);
        }
      }
      const all = Array.from({ length: KEYS }, (_, id) => id);
      const { files, positions } = await resolver.resolve(words(all));
      const found = all.map((id) => (files[id] === -1 ? null : [files[id], positions[id]]));
      expect(found).toEqual(all.map((id) => model.get(id) ?? null));
    }),
    { numRuns: 60 },
  );
});

/** Keys that differ in one word only, in each of the four by turns: all of them count. */
function words(ids: readonly number[]): Uint32Array {
  const keys = new Uint32Array(ids.length * KEY_WORDS);
  for (const [index, id] of ids.entries()) keys[index * KEY_WORDS + (id % KEY_WORDS)] = id + 1;
  return keys;
}
