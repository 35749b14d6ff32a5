import { expect, it } from "vitest";
import { UNREAD_CHECKPOINTS } from "../../../src/core/limits.ts";
import { CheckpointFeed } from "../../../src/library/checkpoint-feed.ts";
import type { CommitEvent } from "../../../src/pipeline/job-run.ts";

function commit(checkpoint: number, table: string): CommitEvent {
  const counts = { rows: 3, inserts: 1, updates: 1, deletes: 1 };
  const times = { prepareMs: 5, commitMs: 2, freshnessMs: null };
  return {
    checkpoint: BigInt(checkpoint),
    table,
    snapshotId: 9_007_199_254_740_993n,
    ...counts,
    ...times,
  } as CommitEvent;
}

it("gathers the tables of a checkpoint", async () => {
  const feed = new CheckpointFeed();
  const read = feed.read();
  const first = read.next();
  feed.add(commit(1, "shop.a"));
  feed.add(commit(1, "shop.b"));
  const table = { snapshotId: 9_007_199_254_740_993n, rows: 3, inserts: 1, updates: 1, deletes: 1 };
  expect((await first).value).toEqual({
    id: 1n,
    rows: 6,
    tables: [
      { table: "shop.a", ...table },
      { table: "shop.b", ...table },
    ],
    prepareMs: 5,
    commitMs: 2,
    freshnessMs: null,
    skipped: 0,
  });
  const second = read.next();
  await Promise.resolve();
  feed.add(commit(2, "shop.a"));
  expect((await second).value).toMatchObject({ id: 2n, rows: 3 });
  feed.end();
  expect(await read.next()).toEqual({ done: true, value: undefined });
});

it("keeps the newest checkpoints that nobody has asked for, and counts the others", async () => {
  const feed = new CheckpointFeed();
  for (let checkpoint = 1; checkpoint <= UNREAD_CHECKPOINTS + 7; checkpoint++) {
    feed.add(commit(checkpoint, "shop.a"));
    await Promise.resolve();
  }
  feed.end();
  const seen = await Array.fromAsync(feed.read());
  expect(seen).toHaveLength(UNREAD_CHECKPOINTS);
  expect(seen.map(({ skipped }) => skipped).slice(0, 2)).toEqual([7, 0]);
  expect(seen[0]?.id).toBe(8n);
  expect(seen.at(-1)?.id).toBe(BigInt(UNREAD_CHECKPOINTS + 7));
});
