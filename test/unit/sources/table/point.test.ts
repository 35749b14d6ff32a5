import { describe, expect, it } from "vitest";
import { comparePoints, parsePoint, pointText } from "../../../../src/sources/table/point.ts";

describe("points of a table", () => {
  const ordered = ["0", "1:7=0", "1:7=12", "1:7", "2:3+1", "2:3+10", "2:3", "10:1", "0@2", "1:7=0@2", "1:7@2"];

  it("are ordered by life, sequence number and rows taken", () => {
    expect(ordered.toReversed().toSorted(comparePoints)).toEqual(ordered);
    expect(comparePoints("2:3+4", "2:3+4")).toBe(0);
  });

  it("keep their text", () => {
    for (const text of ordered) expect(pointText(parsePoint(text))).toBe(text);
    expect(parsePoint("9:9223372036854775807+5@3")).toEqual({
      generation: 3,
      sequence: 9n,
      snapshotId: 2n ** 63n - 1n,
      part: { of: "changes", taken: 5 },
    });
  });

  it("are nothing else", () => {
    for (const text of ["", "7", "7:", "1:2:3", "1:2+", "1:2=3+4", "1:2@0", "x"]) {
      expect(() => parsePoint(text), text).toThrow("expected a point of a table");
    }
  });
});
