import { describe, expect, it } from "vitest";
import { createFigures } from "../../../src/observe/figures.ts";

const counts = { rows: 3, inserts: 1, updates: 1, deletes: 1, dropped: 1, files: 2, bytes: 700 };

describe("figures", () => {
  it("add up by table and over all of them", () => {
    const figures = createFigures({ nowMs: () => 0 });
    figures.committed("a", counts);
    figures.committed("b", counts);
    figures.committed("a", counts);
    const { tables, written } = figures.read();
    expect(tables.get("a")).toEqual({
      rows: 6,
      inserts: 2,
      updates: 2,
      deletes: 2,
      dropped: 2,
      files: 4,
      bytes: 1_400,
    });
    expect(written).toEqual({ rows: 9, inserts: 3, updates: 3, deletes: 3, dropped: 3, files: 6, bytes: 2_100 });
  });

  it("tell how far writing and committing are behind reading", () => {
    const figures = createFigures({ nowMs: () => 10_000 });
    figures.taken(5, 6, 100);
    figures.prepared();
    figures.taken(2, 2, null);
    expect(figures.read()).toMatchObject({ rows: 7, records: 8, readBytes: 100, writeLagRows: 2, commitLagRows: 7 });
    figures.settled(4_000);
    expect(figures.read()).toMatchObject({ writeLagRows: 0, commitLagRows: 0, freshnessSeconds: 6 });
  });

  it("say unknown instead of zero where nothing is told", () => {
    const figures = createFigures({ nowMs: () => 0 });
    figures.taken(1, 1, null);
    expect(figures.read()).toMatchObject({
      readBytes: null,
      readLag: null,
      validThroughMs: null,
      freshnessSeconds: null,
    });
  });

  it("do not move under a reader", () => {
    const figures = createFigures({ nowMs: () => 0 });
    const before = figures.read();
    figures.committed("a", counts);
    figures.deadLetters(new Map([["BAD_JSON", 2]]));
    figures.retry();
    expect(before).toMatchObject({ tables: new Map(), deadLetters: 0, retries: 0 });
    expect(figures.read()).toMatchObject({ deadLetters: 2, retries: 1, deadLettersByCode: new Map([["BAD_JSON", 2]]) });
  });
});
