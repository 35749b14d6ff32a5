import { describe, expect, test } from "vitest";
import { decodeFetchAnswer } from "../../../../src/sources/kafka/fetch.ts";
import { errorName } from "../../../../src/sources/kafka/kafkajs.ts";

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const string = (text: string): Buffer => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);

/** Two topic partitions, written from the protocol's description of each version. */
function answer(version: number): Buffer {
  const partition = (
    id: number,
    error: number,
    aborted: readonly (readonly [bigint, bigint])[] | null,
    records: string,
  ): Buffer =>
    Buffer.concat([
      int32(id),
      int16(error),
      int64(100n),
      int64(90n),
      ...(version >= 5 ? [int64(10n)] : []),
      int32(aborted?.length ?? -1),
      ...(aborted ?? []).flatMap(([producer, first]) => [int64(producer), int64(first)]),
      ...(version >= 11 ? [int32(-1)] : []),
      int32(records.length === 0 ? -1 : records.length),
      Buffer.from(records),
    ]);
  return Buffer.concat([
    int32(7),
    ...(version >= 7 ? [int16(0), int32(0)] : []),
    int32(1),
    string("orders"),
    int32(2),
    partition(0, 0, [[2n ** 60n, 3n]], "batches"),
    partition(3, 6, null, ""),
  ]);
}

describe("fetch answers", () => {
  test.each([4, 5, 7, 10, 11])("version %i", (version) => {
    const payload = answer(version);
    const { clientSideThrottleTime, errorCode, partitions } = decodeFetchAnswer(payload, version);
    expect({ clientSideThrottleTime, errorCode }).toEqual({ clientSideThrottleTime: 7, errorCode: 0 });
    const both = {
      topic: "orders",
      highWatermark: 100n,
      lastStableOffset: 90n,
      logStartOffset: version >= 5 ? 10n : null,
    };
    expect(partitions).toEqual([
      {
        ...both,
        partition: 0,
        errorCode: 0,
        aborted: [{ producerId: 2n ** 60n, firstOffset: 3n }],
        records: Buffer.from("batches"),
      },
      { ...both, partition: 3, errorCode: 6, aborted: [], records: Buffer.alloc(0) },
    ]);
    // Records stay where they are.
    expect(partitions[0]?.records.buffer).toBe(payload.buffer);
  });

  test("an answer that ends early is not taken for a whole one", () => {
    const whole = answer(11);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeFetchAnswer(whole.subarray(0, length), 11)).toThrow(
        expect.objectContaining({ kind: "unavailable", code: "KAFKA_ANSWER" }),
      );
    }
  });

  test("brokers before 0.11 are refused by name", () => {
    expect(() => decodeFetchAnswer(answer(4), 3)).toThrow(expect.objectContaining({ kind: "unsupported" }));
  });
});

test("error codes have Kafka's names", () => {
  expect([0, 1, 6, -1, 29, 12345].map(errorName)).toEqual([
    null,
    "OFFSET_OUT_OF_RANGE",
    "NOT_LEADER_FOR_PARTITION",
    "UNKNOWN",
    "TOPIC_AUTHORIZATION_FAILED",
    "ERROR_12345",
  ]);
});
