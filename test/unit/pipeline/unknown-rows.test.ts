import { describe, expect, it } from "vitest";
import { keepMessages } from "../../../src/core/kept-messages.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { deadLetters } from "../../support/dead-letters.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

type Topics = ReadonlyMap<string, readonly TestMessage[]>;

class Crash extends Error {}

const LETTERS = { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 };

/** Each run draws other snapshot ids. */
let runs = 50_000;

function run(
  warehouse: Warehouse,
  topics: Topics,
  given: Partial<JobRun> & { crashAfter?: number | null } = {},
): Promise<JobSummary> {
  const { crashAfter = null, ...job } = given;
  const runtime = virtualRuntime(++runs);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  return runJob({
    ...plainJob(warehouse, 10),
    rules: [upsertRule("a"), upsertRule("b")],
    deadLetter: LETTERS,
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(topics, keepMessages(debeziumJson.createDecoder(router, notices, rejects)), runtime.random),
    ...job,
  });
}

const UNCHANGED = "__debezium_unavailable_value";

/** `value` null: unchanged TOAST, which is not sent. */
const message = (op: "c" | "u", id: number, count: number, value: string | null): TestMessage => ({
  key: { id },
  value: { before: null, after: { id, count, value: value ?? UNCHANGED }, op },
});

const gone = (id: number): TestMessage => ({ key: { id }, value: { before: { id }, after: null, op: "d" } });

const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

describe("an update without a value, of a row that nobody knows", () => {
  const first = message("c", 1, 1, "x");
  const lost = { ...message("u", 7, 2, null), timestampMs: 1_700_000_000_123, headers: [["h", null]] as const };

  it("becomes a dead letter with its whole message, and the job goes on", async () => {
    const warehouse = memoryWarehouse("memory");
    const summary = await run(warehouse, new Map([["a", [first, lost, message("u", 1, 3, null)]]]));
    expect(summary.deadLetters).toBe(1);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|3|x"]);
    const [letter, ...others] = await deadLetters(warehouse);
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      topic: "a",
      partition: "0",
      offset: "1",
      headers: '[["h",null]]',
      code: "ABSENT_VALUE",
      column: "value",
      target: "shop.a",
      reason: expect.stringContaining("(id = 7)"),
    });
  });

  it("leaves what is sent whole afterwards alone", async () => {
    const warehouse = memoryWarehouse("memory");
    await run(warehouse, new Map([["a", [first, lost, message("u", 7, 3, "z"), message("u", 7, 4, null)]]]));
    expect(await rowsOf(warehouse, "a")).toEqual(["1|1|x", "7|4|z"]);
    expect(await deadLetters(warehouse)).toHaveLength(1);
  });

  it("ends a job that has no dead-letter table", async () => {
    const failed = run(memoryWarehouse("memory"), new Map([["a", [first, lost]]]), { deadLetter: null });
    await expect(failed).rejects.toMatchObject({ kind: "data", code: "ABSENT_VALUE" });
  });

  it("does not keep changes of other rows from being judged anew when somebody else commits first", async () => {
    const warehouse = memoryWarehouse("memory");
    await run(warehouse, new Map([["a", [message("c", 1, 9, "x")]]]));
    const send = warehouse.catalog.commit.bind(warehouse.catalog);
    let lettersWritten = false;
    warehouse.fault = (operation, location) => {
      lettersWritten ||= operation.startsWith("openWrite") && location.includes("dead_letters/data");
    };
    warehouse.catalog.commit = async (...given) => {
      if (lettersWritten) {
        warehouse.catalog.commit = send;
        await run(warehouse, new Map([["a", [gone(1)]]]), { pipeline: "other", deadLetter: null });
      }
      return send(...given);
    };
    let dropped = 0;
    await run(warehouse, new Map([["a", [message("c", 1, 9, "x"), message("u", 1, 5, "late"), lost]]]), {
      rules: [upsertRule("a", { orderBy: "count" })],
      observer: { started() {}, progress() {}, notice() {}, committed: (event) => void (dropped += event.dropped) },
    });
    expect(await rowsOf(warehouse, "a")).toEqual(["1|5|late"]);
    expect(dropped).toBe(0);
    expect(await deadLetters(warehouse)).toHaveLength(1);
  });

  it("counts against the limits", async () => {
    const topics = new Map([["a", [first, lost, message("u", 8, 2, null)]]]);
    const failed = run(memoryWarehouse("memory"), topics, { deadLetter: { ...LETTERS, maxRows: 1 } });
    await expect(failed).rejects.toMatchObject({ kind: "data", code: "TOO_MANY_DEAD_LETTERS" });
  });

  it("is found again when the store fails while the checkpoint is prepared, and kept once", async () => {
    const warehouse = memoryWarehouse("memory");
    let fails = 1;
    warehouse.fault = (operation, location) => {
      if (!operation.startsWith("openWrite") || !location.includes("dead_letters/data")) return;
      if (fails-- > 0) throw storeGone();
    };
    await run(warehouse, new Map([["a", [first, lost]]]));
    expect(fails).toBeLessThan(1);
    expect(await deadLetters(warehouse)).toHaveLength(1);
  });
});

describe.each(["memory", "object-store"] as const)("unknown rows over crashes, on a catalog of kind %s", (kind) => {
  it("become letters exactly once, and nothing else is lost", { timeout: 180_000 }, async () => {
    for (let seed = 0; seed < 8; seed++) {
      const random = seededRandom(seed);
      const topics = new Map(["a", "b"].map((topic) => [topic, [] as TestMessage[]]));
      const expected = new Map(["a", "b"].map((topic) => [topic, new Map<number, string>()]));
      const bad: string[] = [];
      for (let i = 0; i < 120; i++) {
        const topic = random.uint32() % 2 === 0 ? "a" : "b";
        const messages = topics.get(topic) as TestMessage[];
        const rows = expected.get(topic) as Map<number, string>;
        const id = random.uint32() % 10;
        const fate = random.uint32() % 6;
        if (fate < 2) {
          messages.push(message("u", id, i, `v${i}`));
          rows.set(id, `${i}|v${i}`);
        } else if (fate < 4) {
          const known = rows.get(id);
          if (known === undefined) bad.push(`${topic} ${messages.length}`);
          else rows.set(id, `${i}|${known.split("|")[1]}`);
          messages.push(message("u", id, i, null));
        } else {
          messages.push(gone(id));
          rows.delete(id);
        }
      }
      const warehouse = memoryWarehouse(kind);
      for (let attempt = 0; ; attempt++) {
        try {
          await run(warehouse, topics, { crashAfter: attempt < 12 ? random.uint32() % 40 : null });
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw new Error(`seed ${seed}`, { cause: error });
        }
      }
      const found = await deadLetters(warehouse);
      expect(found.map(({ topic, offset }) => `${topic} ${offset}`).sort()).toEqual(bad.sort());
      expect(new Set(found.map(({ letter }) => letter)).size).toBe(found.length);
      for (const [topic, rows] of expected) {
        const texts = [...rows].map(([id, rest]) => `${id}|${rest}`);
        expect(await rowsOf(warehouse, topic), `seed ${seed}`).toEqual(texts.sort());
      }
    }
  });
});
