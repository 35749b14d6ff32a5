import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { MessageSlab } from "../../../../src/core/message-slab.ts";
import { readBatchHeaders } from "../../../../src/sources/kafka/record-batch.ts";
import { readSlabs, type RecordSet, type SlabStep } from "../../../../src/sources/kafka/record-slab.ts";
import { type BatchInput, encodeBatch } from "./batch-bytes.ts";

function recordSet(records: Buffer, aborted: RecordSet["aborted"] = []): RecordSet {
  return {
    topic: "t",
    split: "t/0",
    generation: 1,
    records,
    headers: readBatchHeaders(records, { split: "t/0" }),
    aborted,
  };
}

function read(batches: readonly BatchInput[], from = 0n): SlabStep[] {
  return [...readSlabs(recordSet(Buffer.concat(batches.map(encodeBatch))), from)];
}

function rows(steps: readonly SlabStep[]): { offset: bigint; at: number; key: string | null; value: string | null }[] {
  return steps.flatMap(({ slab }) =>
    slab === null
      ? []
      : Array.from({ length: slab.count }, (_, i) => ({
          offset: slab.offsets[i] as bigint,
          at: slab.timestampsMs[i] as number,
          key: text(slab, slab.keyStarts, slab.keyEnds, i),
          value: text(slab, slab.valueStarts, slab.valueEnds, i),
        })),
  );
}

function text(slab: MessageSlab, starts: Int32Array, ends: Int32Array, i: number): string | null {
  return starts[i] === -1 ? null : Buffer.from(slab.bytes.subarray(starts[i], ends[i])).toString();
}

const gzip = { id: 1, compress: (bytes: Buffer) => gzipSync(bytes) };
const zstd = { id: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) };

describe("messages of a record set", () => {
  test("keys, values, offsets and times, nulls and empty values told apart", () => {
    const steps = read([
      {
        baseOffset: 7,
        baseTimestampMs: 1_000,
        records: [
          { key: "a", value: "one" },
          { key: null, value: "", timestampDelta: 5 },
          { key: "", value: null, timestampDelta: -3 },
          { key: "ü", value: "x".repeat(300), timestampDelta: 3_000_000_000 },
        ],
      },
    ]);
    expect(rows(steps)).toEqual([
      { offset: 7n, at: 1_000, key: "a", value: "one" },
      { offset: 8n, at: 1_005, key: null, value: "" },
      { offset: 9n, at: 997, key: "", value: null },
      { offset: 10n, at: 3_000_001_000, key: "ü", value: "x".repeat(300) },
    ]);
    expect(steps.at(-1)?.nextOffset).toBe(11n);
    expect(steps[0]?.slab).toMatchObject({ stream: "t", split: "t/0" });
  });

  test("offsets beyond 2^32 and 2^53 stay exact, over the carry between their halves", () => {
    for (const baseOffset of [2n ** 32n - 2n, 2n ** 53n, 2n ** 62n + 2n ** 32n - 1n]) {
      const steps = read([{ baseOffset, records: [{}, {}, {}, {}] }], baseOffset);
      expect(rows(steps).map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n].map((i) => baseOffset + i));
    }
  });

  test("the broker's time wins where the topic says so", () => {
    const steps = read([
      { baseOffset: 0, appendTimestampMs: 99, records: [{ timestampDelta: 5 }, { timestampDelta: 6 }] },
    ]);
    expect(rows(steps).map(({ at }) => at)).toEqual([99, 99]);
  });

  test("headers are decoded on demand", () => {
    const headers: [string, string | null][] = [
      ["__debezium.newkey", '{"id":2}'],
      ["empty", ""],
      ["none", null],
    ];
    for (const codec of [undefined, gzip]) {
      const more = codec === undefined ? {} : { codec };
      const [step] = read([{ baseOffset: 0, records: [{ value: "v" }, { value: "w", headers }, {}], ...more }]);
      const found = step?.slab
        ?.headers(1)
        .map(([name, value]) => [name, value === null ? null : Buffer.from(value).toString()]);
      expect(found).toEqual(headers);
      expect(step?.slab?.headers(0)).toEqual([]);
      expect(step?.slab?.headers(2)).toEqual([]);
    }
  });

  test("a batch that begins before the offset asked for gives only what comes from there", () => {
    const batches = [
      { baseOffset: 0, records: [{ value: "a" }, { value: "b" }, { value: "c" }] },
      { baseOffset: 3, records: [{ value: "d" }] },
    ];
    expect(rows(read(batches, 2n)).map(({ value }) => value)).toEqual(["c", "d"]);
    expect(rows(read(batches, 3n)).map(({ value }) => value)).toEqual(["d"]);
    expect(read(batches, 4n)).toEqual([]);
  });

  test("compaction leaves holes, empties batches and keeps their last offsets", () => {
    const steps = read([
      { baseOffset: 0, records: [], lastOffsetDelta: 9 },
      {
        baseOffset: 10,
        records: [
          { value: "a", offsetDelta: 2 },
          { value: "b", offsetDelta: 7 },
        ],
        lastOffsetDelta: 9,
      },
      { baseOffset: 20, records: [], lastOffsetDelta: 4, codec: gzip },
    ]);
    expect(rows(steps).map(({ offset }) => offset)).toEqual([12n, 17n]);
    expect(steps.at(-1)?.nextOffset).toBe(25n);
    expect(read([{ baseOffset: 5, records: [], lastOffsetDelta: 2 }], 5n)).toEqual([{ slab: null, nextOffset: 8n }]);
  });

  test("mixed codecs keep their order, and those of one kind lie in one slab", () => {
    const batch = (i: number, codec?: typeof gzip): BatchInput => ({
      baseOffset: i * 2,
      records: [{ value: `${i}a` }, { value: `${i}b` }],
      ...(codec === undefined ? {} : { codec }),
    });
    const steps = read([batch(0), batch(1), batch(2, gzip), batch(3, zstd), batch(4)]);
    expect(rows(steps).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4].flatMap((i) => [`${i}a`, `${i}b`]));
    expect(steps.map(({ slab, nextOffset }) => [slab?.count, nextOffset])).toEqual([
      [4, 4n],
      [4, 8n],
      [2, 10n],
    ]);
  });

  test("large answers come in several slabs", () => {
    const value = "x".repeat(1024 * 1024);
    const steps = read(Array.from({ length: 20 }, (_, i) => ({ baseOffset: i, records: [{ value }], codec: zstd })));
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.at(-1)?.nextOffset).toBe(20n);
    expect(rows(steps).map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i)));
    for (const { slab } of steps) expect(slab?.bytes.length).toBeLessThan(10 * 1024 * 1024);
  });
});

describe("broken and strange batches", () => {
  const good = encodeBatch({ baseOffset: 5, records: [{ key: "k", value: "value" }, { value: "w" }] });

  test("a batch cut off at the end of the answer is left for the next fetch", () => {
    for (const cut of [1, 16, 17, 60, 61, good.length - 1]) {
      const steps = [...readSlabs(recordSet(Buffer.concat([good, good.subarray(0, cut)])), 0n)];
      expect(steps.at(-1)?.nextOffset).toBe(7n);
    }
    expect(readBatchHeaders(good.subarray(0, good.length - 1), { split: "t/0" })).toEqual([]);
  });

  test("every flipped bit behind the checksum is noticed", () => {
    for (let at = 21; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x10;
      expect(() => [...readSlabs(recordSet(bad), 0n)], `byte ${at}`).toThrow(/t\/0 offset 5: broken record batch/);
    }
  });

  test("records that do not fit their batch are refused though the checksum is right", () => {
    const wrong = (change: (batch: Buffer) => void): (() => unknown) => {
      const codec = {
        id: 1,
        compress(bytes: Buffer) {
          change(bytes);
          return gzipSync(bytes);
        },
      };
      const batch = encodeBatch({ baseOffset: 5, records: [{ key: "k", value: "value" }, { value: "w" }], codec });
      return () => [...readSlabs(recordSet(batch), 0n)];
    };
    // The first record: length, attributes, timestamp delta, offset delta, key length, key, value length, value, header count.
    expect(wrong((bytes) => bytes.writeUInt8(0x7e, 0))).toThrow(/runs past the batch/);
    expect(wrong((bytes) => bytes.writeUInt8(0x01, 0))).toThrow(/runs past the batch/);
    expect(wrong((bytes) => bytes.writeUInt8(8, 3))).toThrow(/offset delta 4/);
    expect(wrong((bytes) => bytes.writeUInt8(0x60, 4))).toThrow(/shorter than its key and value/);
    expect(wrong((bytes) => bytes.writeUInt8(0x60, 6))).toThrow(/shorter than its key and value/);
  });

  test("a count that the bytes cannot hold is refused before anything is allocated for it", () => {
    const batch = { baseOffset: 5, records: [{ value: "v" }] };
    expect(() => read([{ ...batch, count: 0x7fffffff }])).toThrow(/2147483647 records in/);
    expect(() => read([{ ...batch, count: 2 }])).toThrow(/broken record batch/);
    expect(() => read([{ ...batch, records: [{ value: "v" }, { value: "w" }], count: 1 }])).toThrow(/behind the last/);
  });

  test("a decompression bomb stops at the limit", () => {
    const bomb = { id: 4, compress: () => zstdCompressSync(Buffer.alloc(160 * 1024 * 1024)) };
    const set = recordSet(encodeBatch({ baseOffset: 3, records: [{ value: "v" }], codec: bomb }));
    expect(() => [...readSlabs(set, 0n)]).toThrow(
      expect.objectContaining({
        kind: "data",
        code: "KAFKA_BATCH_TOO_LARGE",
        message: expect.stringContaining("t/0 offset 3"),
      }),
    );
  });

  test("a batch beyond the limit is refused by its header, before it is here: it would be asked for again and again", () => {
    const huge = Buffer.from(good);
    huge.writeInt32BE(129 * 1024 * 1024, 8);
    expect(() => readBatchHeaders(Buffer.concat([good, huge]), { split: "t/0" })).toThrow(
      expect.objectContaining({
        kind: "data",
        code: "KAFKA_BATCH_TOO_LARGE",
        message: expect.stringContaining("t/0 offset 5: a batch of"),
        hint: expect.stringContaining("kafka-delete-records.sh"),
      }),
    );
  });

  test("unknown codecs and old message formats are named", () => {
    const codec = { id: 6, compress: (bytes: Buffer) => bytes };
    expect(() => read([{ baseOffset: 0, records: [{}], codec }])).toThrow(/unknown codec 6/);
    const old = Buffer.from(good);
    old.writeInt8(1, 16);
    expect(() => readBatchHeaders(old, { split: "t/0" })).toThrow(
      expect.objectContaining({ kind: "unsupported", message: expect.stringContaining("found message format 1") }),
    );
  });
});
