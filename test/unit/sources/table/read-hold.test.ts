import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../table-format/index.ts";
import { jobConsumerName, listConsumers } from "../../../../src/core/consumer-state.ts";
import type { TablePoint } from "../../../../src/sources/table/point.ts";
import { ReadHold } from "../../../../src/sources/table/read-hold.ts";
import { memoryWarehouse, type Warehouse } from "../../../support/checkpoints.ts";
import { randomEraChanges } from "../../../support/era-changes.ts";
import {
  compactTable,
  copyTable,
  type EraChange,
  expireTable,
  identOf,
  writeChanges,
} from "../../../support/table-chain.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../../support/virtual-runtime.ts";

const IDENT = identOf("shop.a");
const CHANGES: readonly EraChange[] = randomEraChanges(seededRandom(3), 60).filter(({ op }) => op !== "truncate");

const write = (place: Warehouse, upTo: number) =>
  writeChanges(place, CHANGES.slice(0, upTo), { seed: upTo, checkpointRows: 4 });
const copy = (place: Warehouse, seed: number, given: { maxRows?: number; holds?: boolean } = {}) =>
  copyTable(place, "shop.a", "shop.b", { seed, holds: true, checkpointRows: 5, ...given });
const consumersOf = (place: Warehouse) => listConsumers(place.io, "mem://w", IDENT);
const rowsOf = (place: Warehouse, table: string) => tableRows(place.io, place.catalog, identOf(table));
const load = async (place: Warehouse) => (await place.catalog.loadTable(IDENT))!;

describe("a job that reads a table", () => {
  it("keeps what it has yet to read from expiry, also from the middle of a snapshot", async () => {
    const place = memoryWarehouse("memory");
    let [seed, expired] = [0, 0];
    await write(place, 10);
    for (let upTo = 15; upTo <= CHANGES.length; upTo += 5) {
      // Ends somewhere, often within a snapshot.
      await copy(place, ++seed, { maxRows: 1 + (upTo % 4) });
      await write(place, upTo);
      if (upTo % 10 === 0) await compactTable(place, "shop.a", ++seed);
      expired += await expireTable(place, "shop.a", 1, ++seed, "always");
    }
    await copy(place, ++seed);
    expect(await rowsOf(place, "shop.b")).toEqual(await rowsOf(place, "shop.a"));
    expect(expired).toBeGreaterThan(3);
    const [held] = await consumersOf(place);
    expect(held).toMatchObject({
      name: "job.shop-b",
      state: { after: (await load(place)).metadata.currentSnapshotId },
    });
    // Nothing is left to be read.
    await expireTable(place, "shop.a", 1, ++seed, "always");
    expect((await load(place)).metadata.snapshots.length).toBeLessThan(4);
  });

  it("keeps it for as long as consumers may; then the run ends and says what is held", async () => {
    const place = memoryWarehouse("memory");
    await write(place, 10);
    await copy(place, 1, { maxRows: 6 });
    await write(place, 30);
    expect(await expireTable(place, "shop.a", 1, 2, "never")).toBeGreaterThan(3);
    await expect(copy(place, 3)).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      message: expect.stringMatching(/has expired before it was read; it holds \d+ from /) as string,
    });
  });

  it("leaves no trace where it only looks, and goes on where it may not write", async () => {
    const place = memoryWarehouse("memory");
    await write(place, 10);
    await copy(place, 1, { holds: false });
    expect(await consumersOf(place)).toEqual([]);
    place.fault = (operation, location) => {
      if (operation === "create" && location.includes("/consumers/"))
        throw new FrazilError("permission", "DENIED", "read only");
    };
    await write(place, 20);
    const { lines } = await copy(place, 2);
    expect(lines.filter((line) => line.startsWith("expiry of the table"))).toHaveLength(1);
    expect(await rowsOf(place, "shop.b")).toEqual(await rowsOf(place, "shop.a"));
  });

  it("has a name that no reader can have, another one for each warehouse that it writes to", () => {
    expect(jobConsumerName("orders", null)).toBe("job.orders");
    const names = ["./one", "./two"].map((warehouse) => jobConsumerName("orders", warehouse));
    for (const name of names) expect(name).toMatch(/^job\.orders\.[0-9a-f]{8}$/);
    expect(new Set(names).size).toBe(2);
  });

  it("tells at most every ten seconds, in any case every hour, and at the end", async () => {
    const place = memoryWarehouse("memory");
    await write(place, 20);
    const table = await load(place);
    const [first, second] = table.metadata.snapshots;
    let [nowMs, writes] = [0, 0];
    const io = new Proxy(place.io, {
      get(target, property) {
        if (property === "create" || property === "replace") writes++;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { log, random, clock } = virtualRuntime(1);
    const runtime = { log, random, clock: { ...clock, nowMs: () => nowMs } };
    const hold = new ReadHold({ io, location: "mem://w" }, IDENT, "job.x", runtime);
    const at = (snapshot = first!): TablePoint => ({
      generation: 1,
      sequence: snapshot.sequenceNumber,
      snapshotId: snapshot.snapshotId,
      part: null,
    });
    const told = async (ms: number, atEnd = false): Promise<number> => {
      nowMs += ms;
      await hold.write(table, atEnd);
      return writes;
    };
    expect(await told(0)).toBe(0);
    hold.reached(at());
    expect(await told(0)).toBe(1);
    hold.reached(at(second));
    expect(await told(9_999)).toBe(1);
    expect(await told(1)).toBe(2);
    expect(await told(3_599_999)).toBe(2);
    expect(await told(1)).toBe(3);
    hold.reached(at());
    expect(await told(1)).toBe(3);
    expect(await told(1, true)).toBe(4);
    expect(await told(1, true)).toBe(4);
  });
});
