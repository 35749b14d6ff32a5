import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../src/core/errors.ts";
import type { Format } from "../../../src/core/format.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

class Crash extends Error {}

type Random = ReturnType<typeof seededRandom>;

/** The table's rows after processes that die at random steps, until one comes to the end of the messages. */
async function survivors(
  random: Random,
  kind: "memory" | "object-store",
  format: Format,
  rule: Partial<TableRule>,
  messages: readonly TestMessage[],
): Promise<{ rows: string[]; crashes: number }> {
  const warehouse = memoryWarehouse(kind);
  for (let crashes = 0; ; crashes++) {
    const runtime = virtualRuntime(random.uint32());
    let left = crashes < 12 ? random.uint32() % 40 : Infinity;
    runtime.onStep = (name) => {
      if (left-- <= 0) throw new Crash(`at ${name}`);
    };
    try {
      await runJob({
        ...plainJob(warehouse, 9),
        rules: [upsertRule("a", rule)],
        runtime,
        createSource: (router, notices, rejects) =>
          messageSource(new Map([["a", messages]]), format.createDecoder(router, notices, rejects), runtime.random),
      });
      return { rows: await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" }), crashes };
    } catch (error) {
      if (!(error instanceof Crash) || error instanceof FrazilError) throw error;
    }
  }
}

const SEEDS = Array.from({ length: 3 }, (_, seed) => seed);

describe.each([
  ["memory", 3],
  ["object-store", 3],
  ["object-store", 2],
] as const)(
  "over crashes at random steps, on a catalog of kind %s, format version %i",
  { timeout: 120_000 },
  (kind, formatVersion) => {
    it("dedupe writes each event once", async () => {
      let crashed = 0;
      for (const seed of SEEDS) {
        const random = seededRandom(seed + 1);
        const messages: TestMessage[] = [];
        const events: [id: string, ms: number][] = [];
        for (let n = 0; n < 120; n++) {
          // A third are copies of one of the last twenty, sent again up to a minute later.
          const copied =
            random.uint32() % 3 === 0 ? events[Math.max(0, events.length - 1 - (random.uint32() % 20))] : undefined;
          const ms = 1_700_000_000_000 + n * 1_000;
          const id = copied?.[0] ?? `e${n}`;
          if (copied === undefined) events.push([id, ms]);
          messages.push({ value: { id, n }, timestampMs: ms });
        }
        const rule: Partial<TableRule> = {
          mode: "append",
          key: null,
          formatVersion,
          dedupe: { key: ["id"], windowMs: 120_000 },
        };
        const { rows, crashes } = await survivors(random, kind, json, rule, messages);
        crashed += crashes;
        expect(rows.map((row) => row.split("|")[0] ?? "").sort()).toEqual(events.map(([id]) => id).sort());
      }
      expect(crashed).toBeGreaterThan(SEEDS.length);
    });

    it("soft deletes in the order of a column leave the rows that the changes one after the other make", async () => {
      let crashed = 0;
      for (const seed of SEEDS) {
        const random = seededRandom(seed + 101);
        const rows = new Map<number, { n: number; at: number; gone: string }>();
        const messages: TestMessage[] = [];
        for (let n = 0; n < 120; n++) {
          const id = random.uint32() % 8;
          const at = Math.max(0, n - (random.uint32() % 6));
          const row = rows.get(id);
          const late = row !== undefined && at < row.at;
          const timestampMs = 1_700_000_000_000 + n;
          if (random.uint32() % 4 === 0) {
            messages.push({ key: { id }, value: { before: { id, n: 0, at }, after: null, op: "d" }, timestampMs });
            if (row !== undefined && !late) rows.set(id, { ...row, at, gone: String(BigInt(timestampMs) * 1_000n) });
          } else {
            messages.push({ key: { id }, value: { before: null, after: { id, n, at }, op: "u" }, timestampMs });
            if (!late) rows.set(id, { n, at, gone: "null" });
          }
        }
        const rule: Partial<TableRule> = { formatVersion, softDelete: "gone", orderBy: "at" };
        const found = await survivors(random, kind, debeziumJson, rule, messages);
        crashed += found.crashes;
        expect(found.rows).toEqual([...rows].map(([id, { n, at, gone }]) => [id, n, at, gone].join("|")).sort());
      }
      expect(crashed).toBeGreaterThan(SEEDS.length);
    });
  },
);
