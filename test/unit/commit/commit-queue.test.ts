import { expect, it } from "vitest";
import { createCommitQueue } from "../../../src/commit/commit-queue.ts";

const table = (name: string) => ({ namespace: ["shop"], name });

it("gives turns in the order they were asked for, and none of one table at the same time", async () => {
  const queue = createCommitQueue();
  const seen: string[] = [];
  const turn = (label: string, ...names: string[]) =>
    queue.inTurn(names.map(table), async () => {
      seen.push(`${label} begins`);
      for (let i = 0; i < 3; i++) await Promise.resolve();
      seen.push(`${label} ends`);
    });
  await Promise.all([turn("a", "a"), turn("ab", "a", "b"), turn("ba", "b", "a"), turn("a again", "a")]);
  expect(seen).toEqual(["a", "ab", "ba", "a again"].flatMap((label) => [`${label} begins`, `${label} ends`]));
});

it("does not hold back other tables, nor anybody behind a turn that failed", async () => {
  const queue = createCommitQueue();
  const held = Promise.withResolvers<void>();
  const first = queue.inTurn([table("a")], () => held.promise);
  expect(await queue.inTurn([table("b")], async () => "b")).toBe("b");
  const second = queue.inTurn([table("a")], async () => "a");
  held.reject(new Error("lost"));
  await expect(first).rejects.toThrow("lost");
  expect(await second).toBe("a");
});
