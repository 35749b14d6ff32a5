import { describe, expect, it } from "vitest";
import { consumerLocation, listConsumers } from "../../../src/core/consumer-state.ts";
import { planExpiry, runExpiry } from "../../../src/maintenance/expire/expire.ts";
import { type CommitChanges, type FollowOptions, tableChanges } from "../../../src/query/changes.ts";
import { Consumer, type ConsumerPlace } from "../../../src/query/consumer.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { createManifestCache, type FileIO, FrazilError } from "../../../table-format/index.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";
import { type Row, TestTable } from "../table-format/test-table.ts";
import { commit, jsonLines, temporaryWarehouse } from "./local-warehouse.ts";

type State = Map<number, string>;
interface Change {
  readonly _op: string;
  readonly id: number;
  readonly name: string | null;
}

const row = (id: number, name: string | null = null): Row => ({ id: BigInt(id), name, day: null });
const stateOf = (rows: readonly Row[]): State => new Map(rows.map(({ id, name }) => [Number(id), String(name)]));
const sorted = (state: State): [number, string][] => [...state].sort(([a], [b]) => a - b);
const tableIn = (warehouse: Warehouse) => TestTable.create(warehouse.io, warehouse.catalog, { formatVersion: 3 });
const loaded = async (warehouse: Warehouse, table: TestTable) => (await warehouse.catalog.loadTable(table.ident))!;

function placeOf(warehouse: Warehouse, seed = 1): ConsumerPlace {
  return { io: warehouse.io, location: warehouse.location, runtime: virtualRuntime(seed) };
}

function optionsOf(given: Partial<FollowOptions>): FollowOptions {
  return {
    from: "now",
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: () => undefined,
    ...given,
  };
}

/** Rows may be there or not, as after a crash in the middle of them. */
function applyRow(state: State, { _op: op, id, name }: Change): void {
  if (op === "delete") state.delete(id);
  else if (op !== "update_before") state.set(id, String(name));
}

async function changesIn(changes: CommitChanges): Promise<Change[]> {
  return (await jsonLines(changes)).map((line) => JSON.parse(line) as Change);
}

async function expire(warehouse: Warehouse, table: TestTable, consumerHoldsMs?: bigint): Promise<number> {
  const context = {
    ...warehouse,
    runtime: virtualRuntime(3),
    manifests: createManifestCache(100),
    warehouseLocation: warehouse.location,
  };
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -(10n ** 15n), consumerHoldsMs };
  const plan = await planExpiry(context, await loaded(warehouse, table), policy);
  return (await runExpiry(context, plan))?.snapshots ?? 0;
}

/** A store that now and then does what it is told and then says that it cannot be reached, or does not do it. */
function unreliable(io: FileIO, random: { uint32(): number }): FileIO {
  const away = new FrazilError("unavailable", "TEST", "no answer");
  return new Proxy(io, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...given: unknown[]) => unknown;
      if (property !== "replace" && property !== "create") return call;
      return async (...given: unknown[]) => {
        const fate = random.uint32() % 8;
        if (fate === 0) throw away;
        const result = await call(...given);
        if (fate === 1) throw away;
        return result;
      };
    },
  });
}

interface Reader {
  readonly name: string;
  readonly from: string;
  readonly net: boolean;
  readonly state: State;
  /** Snapshots that were committed: their changes must not come again. */
  readonly done: Set<bigint>;
  begun: boolean;
}

/** Reads until a number of steps has been taken (a row, a commit), and then is gone; true when all was read. */
async function readUntilKilled(
  warehouse: Warehouse,
  table: TestTable,
  reader: Reader,
  place: ConsumerPlace,
  steps: number,
): Promise<boolean> {
  const at = await loaded(warehouse, table);
  if (!reader.begun && reader.from === "latest")
    for (const [id, name] of stateOf(table.rows())) reader.state.set(id, name);
  const consumer = await Consumer.claim(place, at, reader.name, reader.from);
  reader.begun = true;
  let left = steps;
  for await (const each of tableChanges(warehouse, at, optionsOf({ from: reader.from, net: reader.net, consumer }))) {
    const { snapshotId } = each.snapshot;
    expect(reader.done, `${reader.name} gets ${snapshotId} again`).not.toContain(snapshotId);
    for (const change of await changesIn(each)) {
      if (left-- === 0) return false;
      applyRow(reader.state, change);
    }
    expect(sorted(reader.state)).toEqual(sorted(stateOf(table.history.get(snapshotId)!)));
    if (left-- <= 0) return false;
    await each.commit();
    reader.done.add(snapshotId);
    if (left-- <= 0) return false;
  }
  return true;
}

it(
  "three consumers killed 50 times miss no change, and repeat none that they have committed",
  { timeout: 300_000 },
  async () => {
    const random = seededRandom(11);
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    const place = { ...placeOf(warehouse), io: unreliable(warehouse.io, random) };
    const readers = [
      ["all", "earliest", false],
      ["net", "now", true],
      ["new", "latest", false],
    ].map(([name, from, net]): Reader => ({
      name: name as string,
      from: from as string,
      net: net as boolean,
      state: new Map(),
      done: new Set(),
      begun: false,
    }));
    await table.change({ insert: [row(1, "first"), row(2, "first")] });
    let kills = 0;
    for (let turn = 0; kills < 50; turn++) {
      const ids = [...new Set([random.uint32() % 8, random.uint32() % 8])];
      const isMove = turn % 7 === 6 && table.paths.length > 0;
      await table.change(
        isMove
          ? { rewrite: table.paths.slice(0, 2), operation: "replace" }
          : {
              delete: ids.map(BigInt),
              insert: ids.filter(() => random.uint32() % 2 > 0).map((id) => row(id, `t${turn}`)),
            },
      );
      const reader = readers[random.uint32() % readers.length]!;
      if (!(await readUntilKilled(warehouse, table, reader, place, random.uint32() % (reader.net ? 24 : 9)))) kills++;
      // Before it has begun, a reader holds nothing.
      if (turn % 10 === 9 && readers.every(({ begun }) => begun)) await expire(warehouse, table);
    }
    // Back to an older state: what was given out of the newer one is taken back.
    const held = (await loaded(warehouse, table)).metadata.snapshots;
    const target = held.at(-4)!.snapshotId;
    await readUntilKilled(warehouse, table, readers[1]!, place, 1);
    await commit(warehouse, table.ident, [
      { action: "set-snapshot-ref", name: "main", ref: { snapshotId: target, type: "branch" } },
    ]);
    for (const reader of readers) {
      // The way back leads to a snapshot that was committed before.
      reader.done.clear();
      expect(await readUntilKilled(warehouse, table, reader, place, Number.MAX_SAFE_INTEGER)).toBe(true);
      expect(sorted(reader.state), reader.name).toEqual(sorted(stateOf(table.history.get(target)!)));
    }
  },
);

describe("a consumer", () => {
  it("that two processes claim belongs to the last, and the first is told so", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const at = await loaded(warehouse, table);
    const first = await Consumer.claim(placeOf(warehouse, 1), at, "c", "now");
    const changes = tableChanges(warehouse, at, optionsOf({ consumer: first }));
    const { value } = (await changes.next()) as { value: CommitChanges };
    const second = await Consumer.claim(placeOf(warehouse, 2), at, "c", "now");
    await expect(value.commit()).rejects.toMatchObject({ kind: "fenced", code: "CONSUMER_TAKEN" });
    await changes.return(undefined);
    // What the first one was given and had not committed comes again.
    const again = [];
    for await (const each of tableChanges(warehouse, at, optionsOf({ consumer: second }))) {
      again.push(...(await changesIn(each)));
      await each.commit();
    }
    expect(again).toMatchObject([{ _op: "insert", id: 1 }]);
    const [listed] = await listConsumers(warehouse.io, warehouse.location, table.ident);
    expect(listed).toMatchObject({ name: "c", state: { epoch: 2n, after: table.snapshot.snapshotId, given: [] } });
  });

  it("is not told that another process has it when its own write took effect without an answer", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const lost = { away: false };
    // What is sent takes effect, and nothing is answered.
    const io = new Proxy(warehouse.io, {
      get(target, property) {
        const call = Reflect.get(target, property, target) as (...given: unknown[]) => Promise<unknown>;
        return async (...given: unknown[]) => {
          const result = await call.apply(target, given);
          if (lost.away) throw new FrazilError("unavailable", "TEST", "no answer");
          return result;
        };
      },
    });
    const consumer = await Consumer.claim(
      { ...placeOf(warehouse), io },
      await loaded(warehouse, table),
      "mailer",
      "now",
    );
    await consumer.begin(7n);
    lost.away = true;
    await expect(consumer.commit(7n)).rejects.toMatchObject({ kind: "unavailable" });
    lost.away = false;
    await consumer.begin(8n);
    await consumer.commit(7n);
    const [found] = await listConsumers(warehouse.io, warehouse.location, table.ident);
    expect(found?.state).toMatchObject({ after: 7n, given: [8n] });
    // Another process is another one still.
    await Consumer.claim(placeOf(warehouse, 2), await loaded(warehouse, table), "mailer", "now");
    await expect(consumer.commit(8n)).rejects.toMatchObject({ code: "CONSUMER_TAKEN" });
  });

  it("that was killed gets the same step again, so that what came and went meanwhile is taken back", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    await table.change({ insert: [row(2)] });
    const read = async (commits: boolean): Promise<string[][]> => {
      const at = await loaded(warehouse, table);
      const consumer = await Consumer.claim(placeOf(warehouse), at, "c", "now");
      const told: string[][] = [];
      for await (const each of tableChanges(warehouse, at, optionsOf({ consumer, net: true }))) {
        told.push((await changesIn(each)).map(({ _op, id }) => `${_op} ${id}`));
        if (!commits) break;
        await each.commit();
      }
      return told;
    };
    expect(await read(false)).toEqual([["insert 1", "insert 2"]]);
    await table.change({ delete: [1n], insert: [row(3)] });
    expect(await read(true)).toEqual([
      ["insert 1", "insert 2"],
      ["delete 1", "insert 3"],
    ]);
  });

  it("keeps what it has yet to read from expiry, as long as it may", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    for (const id of [1, 2, 3]) await table.change({ insert: [row(id)] });
    const [first] = [...table.history.keys()];
    await Consumer.claim(placeOf(warehouse), await loaded(warehouse, table), "c", String(first));
    await table.change({ insert: [row(4)] });
    expect(await expire(warehouse, table)).toBe(0);
    expect(await expire(warehouse, table, -1n)).toBe(3);
    await expect(Consumer.claim(placeOf(warehouse), await loaded(warehouse, table), "c", "now")).resolves.toBeDefined();
    const at = await loaded(warehouse, table);
    const consumer = await Consumer.claim(placeOf(warehouse), at, "c", "now");
    await expect(tableChanges(warehouse, at, optionsOf({ consumer })).next()).rejects.toMatchObject({
      kind: "data",
      code: "LOST_START",
      message: expect.stringMatching(/up to which the consumer c has read.* it holds 1 from /) as string,
    });
  });

  it("that waits says every hour that it is there, so that expiry keeps what comes next", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    let nowMs = 0;
    const place = placeOf(warehouse);
    const clock = { ...place.runtime.clock, nowMs: () => nowMs };
    const at = await loaded(warehouse, table);
    const consumer = await Consumer.claim({ ...place, runtime: { ...place.runtime, clock } }, at, "c", "latest");
    const stop = new AbortController();
    const written: number[] = [];
    const sleep = async () => {
      written.push(consumer.state.updatedMs);
      nowMs += 1_200_000;
      if (written.length === 5) stop.abort();
    };
    const options = optionsOf({ consumer, follow: true, stop: stop.signal, clock: { sleep } });
    expect(await tableChanges(warehouse, at, options).next()).toMatchObject({ done: true });
    expect(written).toEqual([0, 0, 0, 3_600_000, 3_600_000]);
  });

  it("moves over commits without changes, so that they need not be kept", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const consumer = await Consumer.claim(placeOf(warehouse), await loaded(warehouse, table), "c", "latest");
    await table.change({ rewrite: table.paths, operation: "replace" });
    const changes = tableChanges(warehouse, await loaded(warehouse, table), optionsOf({ consumer }));
    expect(await changes.next()).toMatchObject({ done: true });
    expect(consumer.state.after).toBe(table.snapshot.snapshotId);
  });

  it("does not go on with a table that was made anew under the name", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    const at = await loaded(warehouse, table);
    await Consumer.claim(placeOf(warehouse), at, "c", "now");
    const anew = { ...at, metadata: { ...at.metadata, tableUuid: "8a3c4d5e-0000-4000-8000-000000000002" } };
    await expect(Consumer.claim(placeOf(warehouse), anew, "c", "now")).rejects.toMatchObject({
      code: "TABLE_REPLACED",
    });
  });

  it("has a name that is one of a file, whatever the table is called", async () => {
    await using warehouse = await temporaryWarehouse();
    const at = await loaded(warehouse, await tableIn(warehouse));
    for (const name of ["", "../x", "a b", "-a", "a".repeat(65)]) {
      await expect(Consumer.claim(placeOf(warehouse), at, name, "now")).rejects.toMatchObject({ code: "BAD_CONSUMER" });
    }
    const place = (...parts: string[]) =>
      consumerLocation("/w", { namespace: parts.slice(0, -1), name: parts.at(-1)! }, "c");
    expect(place("a", "b", "t")).toBe("/w/_frazil/consumers/a.b/t/c.json");
    expect(place("a.b", "t")).toBe("/w/_frazil/consumers/a~2eb/t/c.json");
    expect(place("..", "ä/b")).toBe("/w/_frazil/consumers/~2e~2e/~c3~a4~2fb/c.json");
  });
});
