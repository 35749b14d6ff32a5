import { describe, expect, test } from "vitest";
import {
  decodeMetadataAnswer,
  encodeMetadataRequest,
  metadataRequest,
} from "../../../../src/sources/kafka/metadata.ts";

// A topic `orders` (id 00010203..0f), partition 0 led by broker 1, written down byte by byte from the protocol's description.
const id = "000102030405060708090a0b0c0d0e0f";
const partition = "0000 00000000 00000001 00000005 0200000001 0200000001 01 00";
const answerOf = (version: number, topicId = id): Buffer =>
  hex(
    "00 00000007", // the header's tags, the throttle time
    "02 00000001 0a 6c6f63616c686f7374 00002384 00 00", // broker 1: localhost:9092, no rack
    "05 6b726166 00000001", // cluster `kraf`, its controller
    `02 0000 07 6f7264657273 ${topicId} 00 02 ${partition} 80000000 00`,
    version <= 10 ? "80000000" : "",
    "00",
  );

function hex(...parts: string[]): Buffer {
  return Buffer.from(parts.join("").replaceAll(" ", ""), "hex");
}

describe("metadata", () => {
  test.each([10, 11, 12])("an answer of version %i", (version) => {
    expect(decodeMetadataAnswer(answerOf(version), version)).toEqual({
      clientSideThrottleTime: 7,
      brokers: [{ nodeId: 1, host: "localhost", port: 9092 }],
      topicMetadata: [
        {
          topicErrorCode: 0,
          topic: "orders",
          topicId: "AAECAwQFBgcICQoLDA0ODw",
          isInternal: false,
          partitionMetadata: [{ partitionId: 0, leader: 1 }],
        },
      ],
    });
  });

  test("a topic of a cluster that uses no ids", () => {
    const [topic] = decodeMetadataAnswer(answerOf(12, "00".repeat(16)), 12).topicMetadata;
    expect(topic?.topicId).toBeNull();
  });

  test("tagged fields that are not known are passed over", () => {
    const bytes = Buffer.concat([hex("02 05 01 ff 8101 02 eeee"), answerOf(12).subarray(1)]);
    expect(decodeMetadataAnswer(bytes, 12).topicMetadata[0]?.topic).toBe("orders");
  });

  test("an answer that ends early says so", () => {
    for (const end of [0, 5, 20, 40, 60]) {
      expect(() => decodeMetadataAnswer(answerOf(12).subarray(0, end), 12)).toThrow(/ends early/);
    }
  });

  test("requests of each version", () => {
    const orders = `00 02 ${"00".repeat(16)} 07 6f7264657273 00`;
    expect(encodeMetadataRequest(10, ["orders"])).toEqual(hex(orders, "00 00 00 00"));
    expect(encodeMetadataRequest(12, ["orders"])).toEqual(hex(orders, "00 00 00"));
    expect(encodeMetadataRequest(12, null)).toEqual(hex("00 00 00 00 00"));
    // A name of 200 characters takes two bytes for its length.
    expect(encodeMetadataRequest(12, ["a".repeat(200)]).subarray(18, 20)).toEqual(hex("c901"));
  });

  test.each([
    [5, 5],
    [6, 6],
    [9, 6],
    [10, 10],
    [12, 12],
  ])("a broker that speaks up to version %i is asked in version %i", (broker, asked) => {
    const call = metadataRequest.protocol({ version: broker })({ topics: ["orders"] });
    expect(call.request.apiVersion).toBe(asked);
  });
});
