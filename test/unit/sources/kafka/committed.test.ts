import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AbortedTransaction } from "../../../../src/sources/kafka/committed.ts";
import { readBatchHeaders } from "../../../../src/sources/kafka/record-batch.ts";
import { readSlabs } from "../../../../src/sources/kafka/record-slab.ts";
import { type BatchInput, encodeBatch } from "./batch-bytes.ts";

/** What a reader sees of an answer: the values, and where it goes on. */
function read(
  batches: readonly BatchInput[],
  aborted: readonly (readonly [producerId: number, firstOffset: number])[],
  from = 0,
): { values: string[]; next: bigint | undefined } {
  const records = Buffer.concat(batches.map(encodeBatch));
  const steps = [
    ...readSlabs(
      {
        topic: "t",
        split: "t/0",
        generation: 1,
        records,
        headers: readBatchHeaders(records, { split: "t/0" }),
        aborted: aborted.map(([producerId, firstOffset]): AbortedTransaction => ({
          producerId: BigInt(producerId),
          firstOffset: BigInt(firstOffset),
        })),
      },
      BigInt(from),
    ),
  ];
  const values = steps.flatMap(({ slab }) =>
    slab === null
      ? []
      : Array.from(slab.valueStarts, (start, i) =>
          Buffer.from(slab.bytes.subarray(start, slab.valueEnds[i])).toString(),
        ),
  );
  return { values, next: steps.at(-1)?.nextOffset };
}

const data = (baseOffset: number, producerId: number, ...values: string[]): BatchInput => ({
  baseOffset,
  producerId,
  transactional: true,
  records: values.map((value) => ({ value })),
});
const end = (baseOffset: number, producerId: number, marker: "commit" | "abort"): BatchInput => ({
  baseOffset,
  producerId,
  marker,
  records: [],
});

describe("read-committed", () => {
  test("overlapping aborted transactions, listed in the order in which they ended", () => {
    const batches = [
      data(0, 1, "1a"),
      data(1, 2, "2a"),
      data(2, 3, "3 stays"),
      data(3, 1, "1b"),
      end(4, 2, "abort"),
      end(5, 3, "commit"),
      data(6, 1, "1c"),
      end(7, 1, "abort"),
    ];
    const seen = read(batches, [
      [2, 1],
      [1, 0],
    ]);
    expect(seen).toEqual({ values: ["3 stays"], next: 8n });
  });

  test("an answer that begins inside two aborted transactions", () => {
    const batches = [
      data(10, 1, "1"),
      data(11, 2, "2"),
      end(12, 1, "abort"),
      end(13, 2, "abort"),
      data(14, 1, "stays"),
    ];
    const aborted = [
      [1, 3],
      [2, 5],
    ] as const;
    expect(read(batches, aborted, 10)).toEqual({ values: ["stays"], next: 15n });
  });

  test("one producer that aborts twice and commits in between and after", () => {
    const batches = [
      data(0, 1, "gone"),
      end(1, 1, "abort"),
      data(2, 1, "kept"),
      end(3, 1, "commit"),
      data(4, 1, "gone too"),
      end(5, 1, "abort"),
      data(6, 1, "kept too"),
      end(7, 1, "commit"),
    ];
    const aborted = [
      [1, 0],
      [1, 4],
    ] as const;
    expect(read(batches, aborted)).toEqual({ values: ["kept", "kept too"], next: 8n });
  });

  test("a transaction whose ABORT comes in a later answer lasts to the end of this one", () => {
    expect(read([data(0, 1, "gone"), data(1, 2, "kept")], [[1, 0]])).toEqual({ values: ["kept"], next: 2n });
  });

  test("a COMMIT of another producer ends nothing, and records outside transactions are messages", () => {
    const plain = { ...data(3, 1, "plain"), transactional: false };
    const batches = [data(0, 1, "gone"), end(1, 2, "commit"), data(2, 1, "gone too"), plain, end(4, 1, "abort")];
    expect(read(batches, [[1, 0]])).toEqual({ values: ["plain"], next: 5n });
  });

  test("control batches that compaction emptied are passed over and still move the position", () => {
    const empty: BatchInput = { baseOffset: 0, producerId: 1, control: true, records: [] };
    expect(read([empty, data(1, 1, "kept"), { ...empty, baseOffset: 2 }], [])).toEqual({ values: ["kept"], next: 3n });
  });

  test("an answer with nothing but an aborted transaction moves the position behind it", () => {
    expect(read([data(0, 1, "gone", "gone"), end(2, 1, "abort")], [[1, 0]])).toEqual({ values: [], next: 3n });
  });

  test("any interleaving of transactions, read from any offset, gives the committed values and no others", () => {
    // Producers write, commit and abort as they like; a broker lists the aborted transactions that reach into the answer, in the
    // order in which they ended.
    const action = fc.record({
      producer: fc.integer({ min: 1, max: 4 }),
      what: fc.oneof(
        { weight: 4, arbitrary: fc.constant("write" as const) },
        { weight: 1, arbitrary: fc.constant("commit" as const) },
        { weight: 2, arbitrary: fc.constant("abort" as const) },
        { weight: 1, arbitrary: fc.constant("plain" as const) },
      ),
      size: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.nat(), (actions, startSeed) => {
        const batches: BatchInput[] = [];
        const written: { offset: number; value: string; transaction: { outcome: string } | null }[] = [];
        const open = new Map<number, { first: number; outcome: string }>();
        const aborted: { producer: number; first: number; last: number }[] = [];
        let offset = 0;
        const finish = (producer: number, outcome: "commit" | "abort"): void => {
          const transaction = open.get(producer);
          if (transaction === undefined) return;
          transaction.outcome = outcome;
          if (outcome === "abort") aborted.push({ producer, first: transaction.first, last: offset });
          batches.push(end(offset++, producer, outcome));
          open.delete(producer);
        };
        for (const { producer, what, size } of actions) {
          if (what === "commit" || what === "abort") {
            finish(producer, what);
            continue;
          }
          // A producer inside a transaction cannot write outside of it.
          const plain = what === "plain" && !open.has(producer);
          if (!plain && !open.has(producer)) open.set(producer, { first: offset, outcome: "open" });
          const transaction = plain ? null : (open.get(producer) ?? null);
          const values = Array.from({ length: size }, (_, i) => `${offset + i}`);
          for (const [i, value] of values.entries()) written.push({ offset: offset + i, value, transaction });
          batches.push({ ...data(offset, producer, ...values), transactional: !plain });
          offset += size;
        }
        for (const producer of open.keys()) finish(producer, "abort");
        const from = offset === 0 ? 0 : startSeed % offset;
        const answer = batches.filter((batch) => Number(batch.baseOffset) + Math.max(1, batch.records.length) > from);
        const listed = aborted
          .filter(({ last }) => last >= from)
          .map(({ producer, first }) => [producer, first] as const);
        const expected = written.filter(
          (record) => record.offset >= from && (record.transaction === null || record.transaction.outcome === "commit"),
        );
        const seen = read(answer, listed, from);
        expect(seen.values).toEqual(expected.map(({ value }) => value));
        if (offset > 0) expect(seen.next).toBe(BigInt(offset));
      }),
      { numRuns: 300 },
    );
  });
});
