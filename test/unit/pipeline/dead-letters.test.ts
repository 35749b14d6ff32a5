import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../src/core/errors.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { deadLetters } from "../../support/dead-letters.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

type Topics = ReadonlyMap<string, readonly TestMessage[]>;

class Crash extends Error {}

/** Each run draws other snapshot ids. */
let runs = 10_000;

function run(
  warehouse: Warehouse,
  topics: Topics,
  given: Partial<JobRun> & { seed?: number; crashAfter?: number | null; longest?: number } = {},
): Promise<JobSummary> {
  const { seed = ++runs, crashAfter = null, longest = 8, ...job } = given;
  const runtime = virtualRuntime(seed);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  return runJob({
    ...plainJob(warehouse, 10),
    rules: [upsertRule("a"), upsertRule("b")],
    deadLetter: { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(topics, debeziumJson.createDecoder(router, notices, rejects), runtime.random, longest),
    ...job,
  });
}

const good = (id: number, value: string): TestMessage => ({
  key: { id },
  value: { before: null, after: { id, value }, op: "u" },
});

/** A broken message that nothing but its own text tells from others. */
const broken = (text: string): TestMessage => ({ key: { id: 1 }, value: `{"op":"u",${text}` });

const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

describe("messages that cannot be decoded", () => {
  it("are kept with everything that is needed to make them again", async () => {
    const warehouse = memoryWarehouse("memory");
    const bytes = Uint8Array.of(0x7b, 0xff, 0x00, 0x7d);
    const topics = new Map([
      [
        "a",
        [
          good(1, "x"),
          {
            key: Uint8Array.of(1, 2, 0xfe),
            value: bytes,
            timestampMs: 1_700_000_000_123,
            headers: [
              ["trace", Uint8Array.of(0xff, 0)],
              ["trace", null],
            ] as const,
          },
          good(2, "y"),
        ],
      ],
    ]);
    expect(await run(warehouse, topics)).toMatchObject({ rows: 2, records: 3, deadLetters: 1 });
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x", "2|y"]);
    expect(await deadLetters(warehouse)).toEqual([
      {
        letter: "1",
        topic: "a",
        partition: "0",
        offset: "1",
        timestamp: "1700000000123000",
        key: "1,2,254",
        value: [...bytes].join(","),
        headers: '[["trace","/wA="],["trace",null]]',
        code: "MALFORMED_JSON",
        reason: expect.stringMatching(/^expected /) as string,
        column: "null",
        target: "shop.a",
        pipeline: "test",
      },
    ]);
  });

  it("say which column and table they were for", async () => {
    const warehouse = memoryWarehouse("memory");
    const topics = new Map([
      ["a", [good(1, "x"), { key: { id: 2 }, value: { after: { id: "no", value: "y" }, op: "c" } }]],
    ]);
    await run(warehouse, topics);
    expect((await deadLetters(warehouse))[0]).toMatchObject({ code: "VALUE_MISMATCH", column: "id", target: "shop.a" });
  });

  it("move the position, alone in their checkpoint too", async () => {
    const warehouse = memoryWarehouse("object-store");
    const topics = new Map([["a", [broken("1"), broken("2")]]]);
    expect(await run(warehouse, topics)).toMatchObject({ rows: 0, deadLetters: 2, checkpoints: 1 });
    expect(await run(warehouse, topics)).toMatchObject({ records: 0, deadLetters: 0 });
    const more = new Map([["a", [broken("1"), broken("2"), broken("3"), good(1, "x")]]]);
    await run(warehouse, more);
    expect((await deadLetters(warehouse)).map(({ letter, offset }) => `${letter} ${offset}`)).toEqual([
      "1 0",
      "2 1",
      "3 2",
    ]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x"]);
  });

  it("end the job without a dead-letter table", async () => {
    const warehouse = memoryWarehouse("memory");
    const failed = run(warehouse, new Map([["a", [good(1, "x"), broken("1")]]]), { deadLetter: null });
    await expect(failed).rejects.toMatchObject({ kind: "data", code: "MALFORMED_JSON" });
  });

  it("are refused a table that changes go to by a pattern", async () => {
    const warehouse = memoryWarehouse("memory");
    const failed = run(warehouse, new Map([["dead_letters", [good(1, "x")]]]), {
      rules: [upsertRule("*", { to: "shop.${table}" })],
    });
    await expect(failed).rejects.toMatchObject({ kind: "config", code: "TARGET_TWICE" });
  });
});

describe("too many dead letters", () => {
  const limits = (maxRows: number, maxShare: number) => ({
    deadLetter: { table: "shop.dead_letters", maxRows, maxShare },
  });

  it("end the job by their number; what was committed before stays", async () => {
    const warehouse = memoryWarehouse("memory");
    const start = [good(1, "x"), broken("first"), good(2, "y")];
    await run(warehouse, new Map([["a", start]]), limits(3, 1));
    const more = [...start, ...["p", "q", "r", "s", "t"].map(broken)];
    const failed = run(warehouse, new Map([["a", more]]), limits(3, 1));
    await expect(failed).rejects.toMatchObject({
      kind: "data",
      code: "TOO_MANY_DEAD_LETTERS",
      message: expect.stringMatching(/^4 messages .*max_rows \(3\)[^]*\n {2}MALFORMED_JSON a\/0 offset 3: expected /),
    });
    expect(await deadLetters(warehouse)).toHaveLength(1);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x", "2|y"]);
  });

  it("end a run by their share when it comes to its end, before its last checkpoint", async () => {
    const topics = new Map([["a", [good(1, "x"), good(2, "y"), broken("1"), good(3, "z")]]]);
    const failed = run(memoryWarehouse("memory"), topics, limits(1_000, 0.2));
    await expect(failed).rejects.toMatchObject({ code: "TOO_MANY_DEAD_LETTERS" });
    expect(await run(memoryWarehouse("memory"), topics, limits(1_000, 0.25))).toMatchObject({ deadLetters: 1 });
  });

  it("end a run by their share once a thousand messages were read", async () => {
    const messages = Array.from({ length: 1_200 }, (_, i) => (i < 15 ? broken(`${i}`) : good(i, "x")));
    const endless = { caughtUp: false, afterMs: null, maxRows: null };
    const failed = run(memoryWarehouse("memory"), new Map([["a", messages]]), {
      ...limits(1_000, 0.01),
      end: endless,
      longest: 400,
      checkpoint: { intervalMs: 3_600_000, maxRows: 1_000_000, maxSizeBytes: 1 << 26, idleCommitMs: 3_600_000 },
    });
    await expect(failed).rejects.toMatchObject({
      code: "TOO_MANY_DEAD_LETTERS",
      message: expect.stringMatching(/^15 messages could not be decoded, of 1\d\d\d, .*max_share \(0.01\)/),
    });
  });
});

describe.each(["memory", "object-store"] as const)("dead letters over crashes, on a catalog of kind %s", (kind) => {
  it("are written exactly once, and nothing else is lost", { timeout: 60_000 }, async () => {
    for (let seed = 0; seed < 15; seed++) {
      const random = seededRandom(seed);
      const topics = new Map(["a", "b"].map((topic) => [topic, [] as TestMessage[]]));
      const expected = new Map(["a", "b"].map((topic) => [topic, new Map<number, string>()]));
      const bad: string[] = [];
      for (let i = 0; i < 120; i++) {
        const topic = ["a", "b"][random.uint32() % 2] as string;
        const messages = topics.get(topic) as TestMessage[];
        const id = random.uint32() % 10;
        const fate = random.uint32() % 8;
        if (fate === 0) {
          messages.push(broken(`${i}`));
        } else if (fate === 1) {
          // A key change of which only the second half is bad.
          const value = { before: { id, value: "x" }, after: { id: "bad", value: "y" }, op: "u" };
          messages.push({ key: { id }, value });
        } else {
          messages.push(good(id, `v${i}`));
          expected.get(topic)?.set(id, `v${i}`);
          continue;
        }
        bad.push(`${topic} ${messages.length - 1}`);
      }
      const warehouse = memoryWarehouse(kind);
      for (let attempt = 0; ; attempt++) {
        try {
          await run(warehouse, topics, {
            seed: seed * 100 + attempt,
            crashAfter: attempt < 10 ? random.uint32() % 30 : null,
          });
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw new Error(`seed ${seed}`, { cause: error });
        }
      }
      const found = await deadLetters(warehouse);
      expect(found.map(({ topic, offset }) => `${topic} ${offset}`).sort()).toEqual(bad.sort());
      expect(new Set(found.map(({ letter }) => letter)).size).toBe(found.length);
      for (const topic of ["a", "b"]) {
        const byOffset = found.filter((each) => each["topic"] === topic).map((each) => Number(each["offset"]));
        expect(byOffset, "numbered in the split's order").toEqual(byOffset.toSorted((x, y) => x - y));
        const rows = [...(expected.get(topic) ?? [])].map(([id, value]) => `${id}|${value}`);
        expect(await rowsOf(warehouse, topic)).toEqual(rows.sort());
      }
    }
  });
});

it("an error that is none of the data ends the job", async () => {
  const failed = run(memoryWarehouse("memory"), new Map([["a", [good(1, "x")]]]), {
    createSource: (router, _, rejects) =>
      messageSource(
        new Map([["a", [good(1, "x")]]]),
        debeziumJson.createDecoder(
          router,
          {
            inferred: () => {
              throw new FrazilError("internal", "BUG", "a bug");
            },
            unrouted: () => {},
          },
          rejects,
        ),
        seededRandom(1),
      ),
  });
  await expect(failed).rejects.toMatchObject({ kind: "internal" });
});
