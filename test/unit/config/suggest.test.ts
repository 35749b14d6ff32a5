import { expect, it } from "vitest";
import { editDistance, nearest } from "../../../src/config/suggest.ts";

it("counts edits, a swap as one", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("kafak", "kafka")).toBe(1);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("abc", "abc")).toBe(0);
});

it("suggests only what is near", () => {
  expect(nearest("brokrs", ["topics", "brokers"])).toBe("brokers");
  expect(nearest("tyep", ["type", "topics"])).toBe("type");
  expect(nearest("zzz", ["type", "to"])).toBeNull();
});
