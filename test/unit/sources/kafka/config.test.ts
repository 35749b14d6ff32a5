import { describe, expect, test } from "vitest";
import { kafkaSourceSchema, parseAddress } from "../../../../src/sources/kafka/config.ts";

const schema = kafkaSourceSchema(["debezium-json", "json"]);
const minimal = { type: "kafka", brokers: ["localhost:9092"], topics: ["orders"], format: "json" };

test("the defaults", () => {
  expect(schema.parse(minimal)).toEqual({
    type: "kafka",
    brokers: ["localhost:9092"],
    topics: ["orders"],
    format: "json",
    start: "earliest",
    onLostOffsets: "stop",
    tls: null,
    sasl: null,
  });
});

test.each([
  [{ start: "2026-11-20T09:00:00Z" }, { start: { atMs: Date.UTC(2026, 10, 20, 9) } }],
  [{ start: "latest" }, { start: "latest" }],
  [{ on_lost_offsets: "earliest" }, { onLostOffsets: "earliest" }],
  [{ tls: true }, { tls: {} }],
  [{ tls: "false" }, { tls: null }],
  [{ tls: { ca: "ca.pem" } }, { tls: { ca: "ca.pem" } }],
  [{ topics: [String.raw`/shop\.public\..*/`] }, { topics: [String.raw`/shop\.public\..*/`] }],
])("%j", (more, expected) => expect(schema.parse({ ...minimal, ...more })).toMatchObject(expected));

test.each([
  [{ start: "yesterday" }, "earliest, latest or a time"],
  [{ topics: [] }, ""],
  [{ topics: ["/(/"] }, "a regular expression"],
  [{ topics: ["a b"] }, "letters, digits"],
  [{ brokers: ["localhost:kafka"] }, 'found "localhost:kafka"'],
  [{ brokers: [] }, ""],
  [{ format: "xml" }, ""],
  [{ sasl: { mechanism: "gssapi", username: "u", password: "p" } }, ""],
  [{ broker: "localhost" }, ""],
])("%j is refused", (more, message) => {
  const { success, error } = schema.safeParse({ ...minimal, ...more });
  expect(success).toBe(false);
  expect(error?.message).toContain(message.replaceAll('"', String.raw`\"`));
});

describe("broker addresses", () => {
  test.each([
    ["localhost", { host: "localhost", port: 9092 }],
    ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
    ["[::1]:9093", { host: "::1", port: 9093 }],
  ])("%s", (text, address) => expect(parseAddress(text)).toEqual(address));

  test.each(["", "host:0", "host:65536", "http://host:9092", "::1", "a,b"])("%j is refused", (text) =>
    expect(() => parseAddress(text)).toThrow(/expected a broker as host:port/),
  );
});
