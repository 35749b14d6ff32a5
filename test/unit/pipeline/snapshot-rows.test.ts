import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

/** One event of a changelog as Debezium writes it: `r` of a snapshot, changes, truncates, and the tombstone of a delete. */
interface Event {
  readonly op: "r" | "c" | "u" | "d" | "t" | "tombstone";
  readonly id: number;
  readonly v: number;
}

function message({ op, id, v }: Event): TestMessage {
  if (op === "tombstone") return { key: { id }, value: null };
  if (op === "t") return { value: { before: null, after: null, op } };
  const row = { id, v };
  return { key: { id }, value: op === "d" ? { before: row, after: null, op } : { before: null, after: row, op } };
}

let seeds = 40_000;

/** The rows after all events, a checkpoint every `maxRows` changes or so. */
async function rowsAfter(events: readonly Event[], maxRows: number, rule: Partial<TableRule> = {}): Promise<string[]> {
  const warehouse = memoryWarehouse("memory");
  const runtime = virtualRuntime(++seeds);
  await runJob({
    ...plainJob(warehouse, maxRows),
    rules: [upsertRule("a", rule)],
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(
        new Map([["a", events.map(message)]]),
        debeziumJson.createDecoder(router, notices, rejects),
        runtime.random,
        5,
      ),
  });
  return tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });
}

const at = (op: Event["op"], id: number, v = 0): Event => ({ op, id, v });

const STORIES: readonly [string, readonly Event[], readonly string[]][] = [
  ["a row of the snapshot, then its changes", [at("r", 1, 1), at("u", 1, 2), at("r", 2, 1), at("d", 2)], ["1|2"]],
  [
    "a change, then the row of the snapshot that has it",
    [at("c", 1, 1), at("r", 1, 1), at("u", 2, 5), at("r", 2, 5)],
    ["1|1", "2|5"],
  ],
  [
    "a row that goes and is not in the snapshot any more",
    [at("r", 1, 1), at("d", 1), at("tombstone", 1), at("r", 2, 2)],
    ["2|2"],
  ],
  [
    "a key that came back before the snapshot read it",
    [at("c", 1, 1), at("d", 1), at("c", 1, 2), at("r", 1, 2)],
    ["1|2"],
  ],
  [
    "the whole table once more",
    [at("r", 1, 1), at("r", 2, 1), at("u", 1, 2), at("r", 1, 2), at("r", 2, 1), at("r", 3, 1)],
    ["1|2", "2|1", "3|1"],
  ],
  [
    "a truncate between two snapshots",
    [at("r", 1, 1), at("r", 2, 1), at("u", 2, 2), at("t", 0), at("r", 2, 3), at("c", 4, 4), at("u", 4, 5)],
    ["2|3", "4|5"],
  ],
];

describe.each([2, 3] as const)("rows of a snapshot that overlap the log, format version %i", (formatVersion) => {
  it.each(STORIES)("%s", async (_, events, rows) => {
    for (const maxRows of [1, 2, 3, 100]) expect(await rowsAfter(events, maxRows, { formatVersion })).toEqual(rows);
  });

  it("give one row a key, that of the last change, wherever checkpoints end", async () => {
    const event = fc.record({
      op: fc.constantFrom<Event["op"]>("r", "r", "c", "u", "u", "d", "tombstone", "t"),
      id: fc.integer({ min: 1, max: 5 }),
      v: fc.integer({ min: 0, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        async (events, maxRows) => {
          const rows = new Map<number, number>();
          for (const { op, id, v } of events) {
            if (op === "t") rows.clear();
            else if (op === "d" || op === "tombstone") rows.delete(id);
            else rows.set(id, v);
          }
          const columns = { id: { kind: "long" }, v: { kind: "long" } } as const;
          const found = await rowsAfter(events, maxRows, { formatVersion, columns: new Map(Object.entries(columns)) });
          expect(found).toEqual([...rows].map(([id, v]) => `${id}|${v}`).sort());
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("a snapshot that is older than the log before it", () => {
  it("puts rows back as they were, but not with order_by", async () => {
    const events = [at("r", 1, 1), at("u", 1, 5), at("r", 1, 3), at("r", 2, 1)];
    expect(await rowsAfter(events, 100)).toEqual(["1|3", "2|1"]);
    for (const maxRows of [1, 100]) expect(await rowsAfter(events, maxRows, { orderBy: "v" })).toEqual(["1|5", "2|1"]);
  });
});
