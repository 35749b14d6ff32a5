import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parseJob } from "../../../src/config/load.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import type { CommitEvent, JobEnd, JobSummary } from "../../../src/pipeline/job-run.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { type LyingS3, startLyingS3 } from "../../support/lying-s3.ts";
import { systemRuntimeParts } from "../storage/runtime-parts.ts";

const runtime: Runtime = { ...systemRuntimeParts(), step: () => undefined };
const TABLES = ["customers", "orders", "order_events"] as const;
const INTERVAL_MS = 60;

describe("what a job asks of its store", () => {
  let store: LyingS3;
  beforeAll(async () => {
    store = await startLyingS3();
  });
  afterAll(() => store[Symbol.asyncDispose]());

  function start(
    end: JobEnd,
    started: () => void = () => undefined,
    stop = new AbortController().signal,
  ): Promise<JobSummary> {
    const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
    const job = parseJob(
      {
        name: "shop",
        source: { type: "generator", seed: 7, events: 300, splits: 1 },
        warehouse: {
          location: "s3://bucket/lake",
          s3: { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey },
        },
        tables: TABLES.map((name) => ({
          from: `shop.${name}`,
          to: `shop.${name}`,
          mode: name === "order_events" ? "append" : "upsert",
        })),
        checkpoint: { interval: `${INTERVAL_MS}ms` },
      },
      SOURCES,
    );
    const committed = (event: CommitEvent): void => expect.unreachable(`a commit to ${event.table}`);
    const isFirst = !store.names().some((name) => name.endsWith(".parquet"));
    const observer = { started, progress() {}, committed: isFirst ? () => undefined : committed, notice() {} };
    return run(job, runtime, { end, stop, observer });
  }

  /**
   * What was written since then, by table (or the ledger) and kind of file; without the trials of the store, and the copies of metadata for
   * readers that know folders by numbers.
   */
  function written(): Record<string, string[]> {
    const kinds: Record<string, string[]> = {};
    for (const line of store.asked) {
      const found = /^PUT bucket\/lake\/(?:shop\/(\w+)|(_ingest))\/(.*)$/.exec(line);
      if (found === null || /\/v\d+\.metadata\.json$/.test(line)) continue;
      const [, table, ledger, name = ""] = found;
      const kind = name.includes("snap-")
        ? "manifest list"
        : (/\.metadata\.json$|[\w-]+\.\w+$/.exec(name)?.[0] ?? name);
      (kinds[table ?? ledger ?? ""] ??= []).push(kind);
    }
    return kinds;
  }

  const untilCaughtUp: JobEnd = { caughtUp: true, afterMs: null, maxRows: null };

  it("is one small commit per table at a start that finds nothing to do", async () => {
    await start(untilCaughtUp);
    const before = new Set(store.names());
    store.asked.length = 0;
    await start(untilCaughtUp);
    const commit = ["manifest list", ".metadata.json", "version-hint.text"];
    expect(written()).toEqual({
      ...Object.fromEntries(TABLES.map((table) => [table, commit])),
      _ingest: ["ledger.json"],
    });
    const added = store.names().filter((name) => !before.has(name));
    const bytes = added.reduce((sum, name) => sum + store.sizeBytes(name), 0);
    // Metadata files of a table with two snapshots are most of it.
    expect(bytes / TABLES.length).toBeLessThan(12_000);
    expect(store.asked.filter((line) => /\.parquet|\.puffin/.test(line) && line.startsWith("PUT"))).toEqual([]);
  });

  it("is nothing but a look at each table an interval, while nothing comes", async () => {
    const idle = store.asked;
    const looks = (): string[] => idle.filter((line) => line.endsWith("/metadata/version-hint.text"));
    const stop = new AbortController();
    let startMs = 0;
    const running = start(
      { caughtUp: false, afterMs: null, maxRows: null },
      () => {
        // From here on the pipeline has been taken over.
        idle.length = 0;
        startMs = performance.now();
      },
      stop.signal,
    );
    // Not for a time: on a busy machine that may be over before anything was looked at.
    await vi.waitUntil(() => startMs > 0 && looks().length >= TABLES.length * 10, { timeout: 20_000 });
    stop.abort();
    expect(await running).toMatchObject({ checkpoints: 0 });
    const intervals = (performance.now() - startMs) / INTERVAL_MS;
    expect(written()).toEqual({});
    expect(looks().every((line) => line.startsWith("GET "))).toBe(true);
    expect(looks().length).toBeLessThanOrEqual(TABLES.length * (intervals + 1));
    // The upsert tables' keys are read once, behind the start.
    const others = idle.filter((line) => !looks().includes(line));
    expect(others.filter((line) => !/^GET .*\.(parquet|avro)$/.test(line))).toEqual([]);
  });
});
