import fc from "fast-check";
import { expect, it } from "vitest";
import { keepMessages } from "../../../src/core/kept-messages.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const UNCHANGED = "__debezium_unavailable_value";

let runs = 70_000;

/** What a job makes of the messages that closes a checkpoint after so many changes. */
async function outcome(messages: readonly TestMessage[], rule: Partial<TableRule>, maxRows: number) {
  const warehouse = memoryWarehouse("memory");
  const runtime = virtualRuntime(++runs);
  let dropped = 0;
  const { deadLetters } = await runJob({
    ...plainJob(warehouse, maxRows),
    rules: [upsertRule("a", rule)],
    deadLetter: { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(
        new Map([["a", messages]]),
        keepMessages(debeziumJson.createDecoder(router, notices, rejects)),
        runtime.random,
        maxRows === 1 ? 2 : 8,
      ),
    observer: { started() {}, progress() {}, notice() {}, committed: (event) => void (dropped += event.dropped) },
  });
  const rows = await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });
  return { rows, deadLetters, dropped };
}

interface Event {
  readonly op: "c" | "u" | "move" | "d" | "tombstone" | "t";
  readonly id: number;
  readonly to: number;
  readonly at: number | null;
  readonly kept: boolean;
}

function message({ op, id, to, at, kept }: Event, index: number): TestMessage {
  const value = kept && op !== "c" ? UNCHANGED : `v${index}`;
  const source = { ts_ms: 1_700_000_000_000 + index };
  const key = { id: op === "move" ? to : id };
  if (op === "tombstone") return { key, value: null, timestampMs: source.ts_ms };
  if (op === "d") return { key, value: { before: kept ? { id } : { id, at, value }, after: null, op, source } };
  if (op === "t") return { value: { before: null, after: null, op, source } };
  const before = op === "move" ? { id } : null;
  return { key, value: { before, after: { id: key.id, at, value }, op: op === "move" ? "u" : op, source } };
}

it.each([
  ["order_by", { orderBy: "at" }],
  ["soft_delete", { softDelete: "gone" }],
  ["order_by and soft_delete", { orderBy: "at", softDelete: "gone" }],
  ["order_by and ignore_deletes", { orderBy: "at", ignoreDeletes: true }],
  ["ignore_deletes", { ignoreDeletes: true }],
] as const)("%s with key changes, unchanged values and dead letters, wherever checkpoints end", async (_, rule) => {
  const ops = ["c", "c", "u", "u", "move", "move", "d", "tombstone", ...("softDelete" in rule ? [] : ["t"])] as const;
  const event = fc.record({
    op: fc.constantFrom(...(ops as readonly Event["op"][])),
    id: fc.integer({ min: 1, max: 4 }),
    to: fc.integer({ min: 1, max: 4 }),
    at: fc.option(fc.integer({ min: 0, max: 5 }), { freq: 5 }),
    kept: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 24 }), async (events) => {
      // The table has its columns from the start.
      const messages = [
        message({ op: "c", id: 9, to: 9, at: 0, kept: false }, 0),
        ...events.map((each, index) => message(each, index + 1)),
      ];
      const [found, expected] = [await outcome(messages, rule, 10), await outcome(messages, rule, 1)];
      // What a truncate takes away in its own checkpoint is not counted.
      const counted = events.every(({ op }) => op !== "t");
      expect(found).toEqual(counted ? expected : { ...expected, dropped: found.dropped });
    }),
    { numRuns: 25 },
  );
});
