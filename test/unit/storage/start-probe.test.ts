import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseJob } from "../../../src/config/load.ts";
import { exitCodeOf } from "../../../src/core/errors.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { type Lie, type LyingS3, startLyingS3 } from "../../support/lying-s3.ts";
import { systemRuntimeParts } from "./runtime-parts.ts";

const runtime: Runtime = { ...systemRuntimeParts(), step: () => undefined };

describe("a job's start", () => {
  let store: LyingS3;
  let folder: string;
  beforeAll(async () => {
    store = await startLyingS3();
    folder = mkdtempSync(join(tmpdir(), "frazil-start-"));
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    store.lie = null;
    store.asked.length = 0;
  });

  let lakes = 0;

  /** Runs a small job on a warehouse of its own. */
  async function start(catalog: "object-store" | "sqlite"): Promise<string> {
    const lake = `lake-${lakes++}`;
    const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
    const job = parseJob(
      {
        name: "shop",
        source: { type: "generator", seed: 7, events: 200, splits: 1 },
        warehouse: {
          location: `s3://bucket/${lake}`,
          catalog: catalog === "sqlite" ? { type: "sqlite", path: join(folder, `${lake}.sqlite`) } : { type: catalog },
          s3: { endpoint, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey },
        },
        tables: [{ from: "shop.customers", to: "shop.customers", mode: "upsert" }],
      },
      SOURCES,
    );
    const observer = { started() {}, progress() {}, committed() {}, notice() {} };
    const stop = new AbortController().signal;
    await run(job, runtime, { end: { caughtUp: true, afterMs: null, maxRows: null }, stop, observer });
    return lake;
  }

  const of = (lake: string): string[] => store.names().filter((name) => name.startsWith(`bucket/${lake}/`));

  it.each([
    ["object-store", 37],
    ["sqlite", 6],
  ] as const)("tries the store of a catalog of the kind %s with %i small requests", async (catalog, requests) => {
    const names = of(await start(catalog));
    expect(names.some((name) => name.endsWith(".parquet"))).toBe(true);
    expect(names.filter((name) => name.includes("_frazil/probe"))).toEqual([]);
    expect(store.asked.filter((line) => line.includes("_frazil/probe"))).toHaveLength(requests);
  });

  const broken: readonly (readonly [Lie, code: string])[] = [
    ["ignores If-None-Match", "STORE_CONDITIONAL_WRITES"],
    ["ignores If-Match", "STORE_CONDITIONAL_WRITES"],
    ["takes any tag", "STORE_CONDITIONAL_WRITES"],
    ["creates by If-Match", "STORE_CONDITIONAL_WRITES"],
    ["looks, then writes", "STORE_CONDITIONAL_WRITES"],
    ["reads late", "STORE_CONDITIONAL_WRITES"],
    ["reads what was before", "STORE_CONDITIONAL_WRITES"],
    ["lists late", "STORE_LIST_AFTER_WRITE"],
    ["cuts lists off", "STORE_LIST_AFTER_WRITE"],
    ["repeats pages", "STORE_LIST_AFTER_WRITE"],
    ["ignores ranges", "STORE_RANGES"],
    ["shifts ranges", "STORE_RANGES"],
    ["decodes names", "STORE_NAMES"],
  ];

  it.each(broken)("refuses a store that %s, and writes no table there", async (lie, code) => {
    store.lie = lie;
    const before = store.names().length;
    const refused = await start("object-store").catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, hint: expect.stringMatching(/store/) });
    expect(exitCodeOf(refused)).toBe(78);
    expect(store.names().length).toBe(before);
  });

  /** SQLite is what such a catalog commits by, and where it finds its tables. */
  const harmless: readonly Lie[] = [
    "ignores If-None-Match",
    "ignores If-Match",
    "takes any tag",
    "creates by If-Match",
    "looks, then writes",
    "reads what was before",
    "lists late",
    "cuts lists off",
  ];

  it.each(harmless)("takes a store that %s for a SQLite catalog", async (lie) => {
    store.lie = lie;
    expect(of(await start("sqlite")).some((name) => name.endsWith(".parquet"))).toBe(true);
  });

  it.each([
    ["reads late", "STORE_READ_AFTER_WRITE"],
    ["ignores ranges", "STORE_RANGES"],
    ["decodes names", "STORE_NAMES"],
  ] as const)("refuses a store that %s for a SQLite catalog, too", async (lie, code) => {
    store.lie = lie;
    await expect(start("sqlite")).rejects.toMatchObject({ code, kind: "config" });
  });
});
