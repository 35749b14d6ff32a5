import fc from "fast-check";
import { expect, it } from "vitest";
import { CheckpointLookups } from "../../../src/sink/keys/checkpoint-lookups.ts";
import type { KeyResolver, Locations } from "../../../src/sink/keys/key-resolver.ts";
import { KEY_WORDS } from "../../../src/sink/keys/key-words.ts";

const KEYS = 40;

/** Answers with numbers made of the key and the time it was asked at; every fifth key has rows too many. */
class AskedResolver implements Pick<KeyResolver, "resolve"> {
  readonly asked: number[] = [];
  snapshotId: bigint | null = null;
  readonly resolver = this as unknown as KeyResolver;

  async resolve(keys: Uint32Array): Promise<Locations> {
    const ids = idsOf(keys);
    this.asked.push(...ids);
    return this.answer(ids);
  }

  answer(ids: readonly number[]): Locations {
    const at = Number(this.snapshotId ?? 0n);
    return {
      files: Int32Array.from(ids, (id) => (id % 3 === 0 ? -1 : id)),
      positions: Uint32Array.from(ids, (id) => (id % 3 === 0 ? 0 : id * 100 + at)),
      extra: ids.flatMap((id, key) => (id % 5 === 0 ? [{ key, file: id, position: at }] : [])),
    };
  }
}

function keysOf(ids: readonly number[]): Uint32Array {
  return Uint32Array.from(ids.flatMap((id) => [7, id, 0, 1]));
}

function idsOf(keys: Uint32Array): number[] {
  return Array.from({ length: keys.length / KEY_WORDS }, (_, key) => keys[key * KEY_WORDS + 1] as number);
}

it("ask for each key once, and answer as if it were asked each time", async () => {
  const ids = fc.uniqueArray(fc.nat(KEYS - 1), { maxLength: KEYS });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ ids, moves: fc.boolean() }), { maxLength: 6 }), async (steps) => {
      const table = new AskedResolver();
      const lookups = new CheckpointLookups(table);
      let expected = new Set<number>();
      for (const step of steps) {
        if (step.moves) {
          table.snapshotId = (table.snapshotId ?? 0n) + 1n;
          expected = new Set();
        }
        table.asked.splice(0);
        expect(await lookups.resolve(keysOf(step.ids))).toEqual(table.answer(step.ids));
        expect(table.asked).toEqual(step.ids.filter((id) => !expected.has(id)));
        for (const id of step.ids) expected.add(id);
      }
    }),
  );
});

it("ask again what could not be answered", async () => {
  const table = new AskedResolver();
  const answer = table.resolve.bind(table);
  const lookups = new CheckpointLookups(table);
  for (const ids of [
    [1, 2],
    [2, 3],
  ]) {
    table.resolve = async () => Promise.reject(new Error("not now"));
    await expect(lookups.resolve(keysOf(ids))).rejects.toThrow("not now");
    table.resolve = answer;
    expect(await lookups.resolve(keysOf(ids))).toEqual(table.answer(ids));
  }
  expect(table.asked).toEqual([1, 2, 3]);
});
