import { expect, it } from "vitest";
import type { CliContext } from "../../../src/cli/context.ts";
import { runReporter } from "../../../src/cli/run-reporter.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import { createFigures } from "../../../src/observe/figures.ts";

/** Off a terminal, with a clock that is moved by hand. */
function watched(logFormat: "text" | "json" = "text") {
  let nowMs = 0;
  const notes: string[] = [];
  const written: Record<string, unknown>[] = [];
  const logged: Record<string, unknown>[] = [];
  const sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (durationMs: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleepers.push({ atMs: nowMs + durationMs, wake: resolve });
        signal?.addEventListener("abort", () => resolve());
      }),
  };
  const context = {
    globals: { json: true, quiet: false, logFormat },
    output: {
      note: (line: string) => void notes.push(line),
      write: async (line: string) => void written.push(JSON.parse(line) as Record<string, unknown>),
    },
    runtime: {
      clock,
      log: {
        warn: (message: string) => void notes.push(message),
        info: (message: string, fields: Record<string, unknown>) => void logged.push({ message, ...fields }),
      },
    },
  } as unknown as CliContext;
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    for (const sleeper of sleepers.splice(0)) {
      if (sleeper.atMs <= nowMs) sleeper.wake();
      else sleepers.push(sleeper);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  const figures = createFigures(clock);
  return { reporter: runReporter(context, "shop", figures), figures, notes, written, logged, pass };
}

it("gives a sign of life every ten seconds, although nothing arrives and nothing is committed", async () => {
  const { reporter, figures, notes, pass } = watched();
  await pass(10_000);
  expect(notes).toEqual(["shop  nothing read yet"]);
  figures.taken(1_500, 1_500, null);
  const none = new Map<string, string>();
  reporter.progress({
    rows: 1_500,
    records: 1_500,
    bufferedRows: 0,
    bufferedBytes: 0,
    reached: none,
    target: null,
    from: none,
  });
  await pass(5_000);
  expect(notes).toHaveLength(1);
  reporter.notice("waiting for the store");
  figures.retry();
  await pass(5_000);
  await pass(10_000);
  expect(notes.slice(1)).toEqual([
    "waiting for the store",
    "1 500 rows  75 rows/s  1 500 not yet committed  1 retry",
    expect.stringMatching(/^1 500 rows {2}0 rows\/s /),
  ]);
  reporter.close();
  await pass(60_000);
  expect(notes).toHaveLength(4);
});

it("tells the end of a run that never began in JSON too", async () => {
  const { reporter, figures, notes, written } = watched();
  const none = {
    rows: 0,
    records: 0,
    deadLetters: 0,
    checkpoints: 0,
    durationMs: 0,
    readMs: 0,
    prepareMs: 0,
    commitMs: 0,
  };
  await reporter.finished({ reason: "stopped", ...none, position: new Map(), figures: figures.read() });
  expect(notes).toEqual(["shop  stopped after 0.0 s: 0 changes (0/s), 0 checkpoints"]);
  expect(written).toEqual([
    expect.objectContaining({ event: "end", job: "shop", reason: "stopped", rows: 0, tables: {} }),
  ]);
});

it("tells what a run that fails has done", async () => {
  const { reporter, figures, notes, written, pass } = watched();
  figures.taken(7, 8, 2_048);
  figures.committed("shop.a", { rows: 3, inserts: 2, updates: 1, deletes: 1, dropped: 0, files: 2, bytes: 512 });
  figures.deadLetters(new Map([["MALFORMED_JSON", 1]]));
  figures.conflict();
  await pass(2_000);
  await reporter.failed(new FrazilError("fenced", "FENCED", "another process has taken over"));
  expect(notes[0]?.split("\n")).toEqual([
    "shop  failed after 2.0 s: 7 changes (4/s)",
    "  read 8 messages, 2.0 KiB (1.0 KiB/s); wrote 2 files, 512 B",
    "  0 commits, 1 conflict, 0 retries, 1 dead letter (MALFORMED_JSON 1)",
    "  lag: read ?, write 7, commit 7 rows; freshness ?",
    "table   inserts  updates  deletes  files   size",
    "──────  ───────  ───────  ───────  ─────  ─────",
    "shop.a       +2       ~1       -1      2  512 B",
  ]);
  expect(written).toEqual([
    expect.objectContaining({
      event: "end",
      reason: "failed",
      error: { code: "FENCED", message: "another process has taken over" },
      commitLagRows: 7,
      conflicts: 1,
      maintenanceRuns: 0,
      maintenanceFailures: 0,
      deadLettersByCode: { MALFORMED_JSON: 1 },
      tables: { "shop.a": { rows: 3, inserts: 2, updates: 1, deletes: 1, dropped: 0, files: 2, bytes: 512 } },
    }),
  ]);
});

it("tells a log the same as constant messages with fields", async () => {
  const { reporter, figures, notes, written, logged, pass } = watched("json");
  await pass(10_000);
  reporter.started({ epoch: 3n, resumeFrom: new Map([["orders/0", "17"]]), checkpoint: 1_200n });
  figures.taken(1_500, 1_500, 2_048);
  reporter.progress({
    rows: 1_500,
    records: 1_500,
    bufferedRows: 0,
    bufferedBytes: 0,
    from: new Map([["orders/0", "0"]]),
    reached: new Map([["orders/0", "1500"]]),
    target: new Map([["orders/0", "6000"]]),
  });
  await pass(10_000);
  const commit = {
    checkpoint: 1_201n,
    table: "shop.orders",
    snapshotId: 7036110217265n,
    ...{ rows: 1_500, inserts: 1_000, updates: 400, deletes: 100, dropped: 0, files: 2, bytes: 4_096 },
    ...{ prepareMs: 12.4, commitMs: 3.6, freshnessMs: 800 },
  };
  reporter.committed(commit);
  await reporter.failed(new FrazilError("fenced", "FENCED", "another process has taken over"));
  const whole = { ...commit, prepareMs: 12, commitMs: 4 };
  expect(logged).toEqual([
    expect.objectContaining({ message: "progress", job: "shop", rows: 0, rowsPerSecond: 0, share: null }),
    { message: "run started", job: "shop", epoch: 3n, checkpoint: 1_200n, splits: 1 },
    expect.objectContaining({
      message: "progress",
      rows: 1_500,
      rowsPerSecond: 75,
      commitLagRows: 1_500,
      share: 0.25,
    }),
    { message: "committed", job: "shop", ...whole },
    expect.objectContaining({ message: "run ended", job: "shop", reason: "failed", readBytes: 2_048 }),
  ]);
  expect(written[0]).toEqual({ event: "commit", ...whole, checkpoint: 1_201, snapshotId: 7036110217265 });
  expect(notes).toEqual([]);
});
