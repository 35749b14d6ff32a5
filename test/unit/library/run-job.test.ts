import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Checkpoint, defineJob, generator, openWarehouse, runJob } from "../../../src/index.ts";
import { temporaryFolder } from "./folder.ts";

const orders = (warehouse: string, events: number, rate?: number) =>
  defineJob({
    name: "shop",
    source: generator({ events, seed: 3, rate }),
    warehouse,
    tables: [{ from: "shop.orders", to: "shop.orders", mode: "upsert" }],
    checkpoint: { max_rows: 500, interval: "200ms" },
  });

describe("runJob", () => {
  it("tells every checkpoint, whether somebody listens or not", async () => {
    using folder = temporaryFolder();
    await using run = await runJob(orders(folder.path, 15_000), { until: "caught-up" });
    const summary = await run.finished();
    expect(summary).toMatchObject({ reason: "caught-up", records: 15_000 });
    const seen = await Array.fromAsync(run.checkpoints());
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toHaveLength(summary.checkpoints);
    // Of several changes of a key within a checkpoint the last one is written.
    const rows = seen.reduce((sum, checkpoint) => sum + checkpoint.rows, 0);
    expect(rows).toBeGreaterThan(1_000);
    expect(rows).toBeLessThan(summary.rows);
    expect(seen.map(({ id }) => id)).toEqual(seen.map((_, index) => BigInt(index + 1)));
    await using lake = await openWarehouse(folder.path);
    const { snapshotId } = await lake.table("shop.orders");
    expect(seen.at(-1)?.tables.map((table) => table.snapshotId)).toEqual([snapshotId]);
  });

  it("stops behind the checkpoint when it is disposed of, and resumes", async () => {
    using folder = temporaryFolder();
    const job = orders(folder.path, 100_000, 5_000);
    let first: Checkpoint | undefined;
    {
      await using run = await runJob(job);
      for await (const checkpoint of run.checkpoints()) {
        first = checkpoint;
        break;
      }
    }
    expect(first?.id).toBe(1n);
    const stop = new AbortController();
    await using run = await runJob(job, { signal: stop.signal });
    const next = await run.checkpoints().next();
    expect((next.value as Checkpoint).id).toBeGreaterThan(1n);
    stop.abort();
    expect(await run.finished()).toMatchObject({ reason: "stopped" });
  });

  it("ends after a time or a number of changes", async () => {
    using folder = temporaryFolder();
    const job = orders(folder.path, 100_000, 5_000);
    await using timed = await runJob(job, { until: { forMs: 100 } });
    expect(await timed.finished()).toMatchObject({ reason: "time" });
    await using counted = await runJob(job, { until: { maxRows: 1_000 } });
    expect(await counted.finished()).toMatchObject({ reason: "rows" });
    await expect(runJob(job, { until: { forMs: 0 } })).rejects.toMatchObject({ kind: "config", code: "BAD_UNTIL" });
    await expect(runJob(job, { until: {} })).rejects.toMatchObject({ code: "BAD_UNTIL" });
  });

  it("rejects where the job cannot start", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    await expect(runJob(orders(join(file, "warehouse"), 10))).rejects.toThrow();
    const aborted = await runJob(orders(join(folder.path, "w"), 10), { signal: AbortSignal.abort() });
    expect(await aborted.finished()).toMatchObject({ reason: "stopped", rows: 0 });
  });

  it("tells a failure once: to the loop, else where it is disposed of", async () => {
    using folder = temporaryFolder();
    const job = orders(folder.path, 100_000, 5_000);
    const older = await runJob(job);
    await older.checkpoints().next();
    await using newer = await runJob(job);
    await newer.checkpoints().next();
    // The newer process has taken over: the older one's next commit is refused.
    await expect(Array.fromAsync(older.checkpoints())).rejects.toMatchObject({ kind: "fenced" });
    await expect(older.finished()).rejects.toMatchObject({ kind: "fenced" });
    await older[Symbol.asyncDispose]();

    const third = await runJob(job);
    await third.checkpoints().next();
    await expect(settled(newer[Symbol.asyncDispose]())).resolves.toMatchObject({ kind: "fenced" });
    await expect(newer.finished()).rejects.toMatchObject({ kind: "fenced" });
    await third[Symbol.asyncDispose]();
  });
});

async function settled(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}
