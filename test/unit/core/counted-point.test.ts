import { describe, expect, test } from "vitest";
import { compareCounted, countedText, parseCounted } from "../../../src/core/counted-point.ts";
import { latestIds, parseStreamIds, streamIdsText } from "../../../src/core/stream-id.ts";

describe("counted points", () => {
  test("are written as plain numbers in a stream's first life", () => {
    expect([countedText(7n, 1), countedText(7n, 2)]).toEqual(["7", "7@2"]);
    expect(parseCounted("9223372036854775807")).toEqual({ offset: 2n ** 63n - 1n, generation: 1 });
    expect(parseCounted("0@12")).toEqual({ offset: 0n, generation: 12 });
    for (const text of ["", "-1", "1@", "1@0", "@2", "1@2@3", "3e5"]) expect(parseCounted(text)).toBeNull();
  });

  test("are ordered by life first", () => {
    const ordered = ["0", "9", "10", "9007199254740993", "0@2", "10@2", "3@10"];
    expect(ordered.toSorted(compareCounted)).toEqual(ordered);
    expect(ordered.toReversed().toSorted(compareCounted)).toEqual(ordered);
    expect(compareCounted("7@2", "7@2")).toBe(0);
    expect(() => compareCounted("x", "1")).toThrow(RangeError);
  });
});

describe("stream ids", () => {
  test("come back from their text, whatever the names are", () => {
    const ids = new Map([
      ["__proto__", { id: "a-_@b", generation: 3 }],
      ["orders", { id: "AAECAwQFBgcICQoLDA0ODw", generation: 1 }],
    ]);
    expect(streamIdsText(ids)).toBe('{"__proto__":"a-_@b@3","orders":"AAECAwQFBgcICQoLDA0ODw"}');
    expect(parseStreamIds(streamIdsText(ids))).toEqual(ids);
  });

  test("of several tables: the latest generation of each stream", () => {
    const ids = (generation: number) => new Map([["orders", { id: `g${generation}`, generation }]]);
    const other = new Map([["other", { id: "x", generation: 1 }]]);
    expect(latestIds([ids(1), undefined, ids(3), ids(2), other])).toEqual(new Map([...ids(3), ...other]));
  });
});
