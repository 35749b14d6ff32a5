import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { unlz4 } from "../../../src/sources/kafka/codecs/lz4.ts";
import { unsnappy } from "../../../src/sources/kafka/codecs/snappy.ts";
import { readBatchHeaders } from "../../../src/sources/kafka/record-batch.ts";
import { readSlabs } from "../../../src/sources/kafka/record-slab.ts";

const bytesOf = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

const line = (i: number): string =>
  `${i} ${(i * 7919) % 1000} ${"abc".repeat(i % 5)} order shipped to region ${i % 7}\n`;
const text = Array.from({ length: 2000 }, (_, i) => line(i)).join("");
const limit = 1_000_000;

describe.each(["java", "librdkafka"])("record batches by %s", (client) => {
  test.each(["none", "gzip", "snappy", "lz4", "zstd"])("%s", (codec) => {
    const records = bytesOf(`${client}-${codec}.records`);
    const headers = readBatchHeaders(records, { split: "t/0" });
    expect(headers.map(({ codec: id }) => id)).toEqual(
      headers.map(() => ["none", "gzip", "snappy", "lz4", "zstd"].indexOf(codec)),
    );
    const steps = [...readSlabs({ topic: "t", split: "t/0", generation: 1, records, headers, aborted: [] }, 0n)];
    const found = steps.flatMap(({ slab }) => {
      if (slab === null) return [];
      const part = (starts: Int32Array, ends: Int32Array, i: number): string =>
        Buffer.from(slab.bytes.subarray(starts[i], ends[i])).toString();
      return Array.from({ length: slab.count }, (_, i) => ({
        offset: Number(slab.offsets[i]),
        time: client === "java" ? null : slab.timestampsMs[i],
        key: part(slab.keyStarts, slab.keyEnds, i),
        value: part(slab.valueStarts, slab.valueEnds, i),
        headers: slab.headers(i).map(([name, value]) => [name, Buffer.from(value ?? []).toString()]),
      }));
    });
    expect(found).toEqual(
      Array.from({ length: 300 }, (_, i) => ({
        offset: i,
        time: client === "java" ? null : 1_700_000_000_000 + i,
        key: `k${i}`,
        value: `${i} order shipped to region ${i % 7}`,
        headers: client === "java" ? [] : [["n", String(i)]],
      })),
    );
    expect(steps.at(-1)?.nextOffset).toBe(300n);
  });
});

describe.each([
  { decode: unlz4, names: ["linked-64k.lz4", "independent-64k.lz4", "checksums-size.lz4", "two-frames.lz4"] },
  { decode: unsnappy, names: ["raw.snappy", "xerial.snappy"] },
])("$decode.name", ({ decode, names }) => {
  test.each(names)("%s", (name) => expect(Buffer.from(decode(bytesOf(name), limit)).toString()).toBe(text));

  test.each(names)("%s stops at the limit", (name) => {
    expect(() => decode(bytesOf(name), text.length - 1)).toThrow(expect.objectContaining({ reason: "too-large" }));
    expect(decode(bytesOf(name), text.length)).toHaveLength(text.length);
  });

  test.each(names)("%s cut off anywhere is refused, but between its frames", (name) => {
    const bytes = bytesOf(name);
    const whole = name === "two-frames.lz4" ? [40_000] : name === "xerial.snappy" ? [0, 32_768, 65_536] : [];
    for (let length = 1; length < bytes.length; length += length < 64 ? 1 : 41) {
      try {
        const found = Buffer.from(decode(bytes.subarray(0, length), limit)).toString();
        expect(text.startsWith(found)).toBe(true);
        expect(whole, `${length} bytes`).toContain(found.length);
      } catch (error) {
        if ((error as Error).name !== "BadCompression") throw error;
      }
    }
  });

  test.each(names)("%s with broken bytes gives an error or other bytes, never more than the limit", (name) => {
    const bytes = bytesOf(name);
    for (let at = 0; at < bytes.length; at += at < 200 ? 1 : 97) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] as number) ^ 0xff;
      try {
        expect(decode(broken, limit).length).toBeLessThanOrEqual(limit);
      } catch (error) {
        expect(error).toMatchObject({ name: "BadCompression" });
      }
    }
  });
});

test("stored LZ4 blocks", () => {
  const stored = bytesOf("stored.lz4");
  expect(stored.indexOf(Buffer.from(unlz4(stored, limit)))).toBeGreaterThan(0);
  expect(unlz4(stored, limit)).toHaveLength(600);
});
