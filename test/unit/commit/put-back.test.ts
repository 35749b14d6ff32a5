import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openSqliteCatalog } from "../../../src/catalogs/sqlite.ts";
import { pipelinePositions } from "../../../src/commit/pipeline-position.ts";
import { readPipeline } from "../../../src/commit/read-pipeline.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { planSetPosition } from "../../../src/commit/set-position.ts";
import { randomUuid } from "../../../src/core/runtime.ts";
import { planTagRepair } from "../../../src/maintenance/repair/tag.ts";
import { verifyPipeline } from "../../../src/maintenance/verify/pipeline.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  type Catalog,
  currentSnapshot,
  type FileIO,
  type LoadedTable,
  ObjectStoreCatalog,
  snapshotById,
} from "../../../table-format/index.ts";
import { change, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { plainJob } from "../../support/plain-job.ts";
import { scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, type VirtualRuntime, virtualRuntime } from "../../support/virtual-runtime.ts";

const TABLES = ["a", "b", "idle"];
/** `a` is the anchor, and `idle` has rows of the first checkpoint alone. */
const LOG = [
  ...["a +1:x:1", "b +1:y:1", "idle +1:z:1", "b +2:y:2"],
  ...["a +2:x:2", "b +3:y:3", "b ~1:y:10", "b -2"],
  ...["a +3:x:3", "b +4:y:4", "a +4:x:4", "b +5:y:5"],
].map((text) => {
  const [stream, rest] = text.split(" ") as [string, string];
  return change(stream, rest);
});
const WHOLE = {
  a: ["1|x|1", "2|x|2", "3|x|3", "4|x|4"],
  b: ["1|y|10", "3|y|3", "4|y|4", "5|y|5"],
  idle: ["1|z|1"],
};
const compare = (a: string, b: string): number => Number(a) - Number(b);
let seeds = 7_000;

/** A job of three tables and where it writes. */
class Lake {
  readonly io: FileIO;
  readonly location: string;
  readonly catalog: Catalog;
  readonly #backup = new Map<string, Uint8Array>();

  constructor(io: FileIO, location: string, open = objectStore) {
    this.io = io;
    this.location = location;
    this.catalog = open(io, location);
  }

  /** The job, from where it is, over so many changes of the log, of which each checkpoint takes four. */
  async run(upTo = LOG.length, runtime: VirtualRuntime = virtualRuntime(++seeds)): Promise<void> {
    await runJob({
      ...plainJob(this, 4),
      rules: TABLES.map((name) => upsertRule(name)),
      runtime,
      createSource: (router) => scriptSource(new Map([["t/0", LOG.slice(0, upTo)]]), router, { uint32: () => 4 }),
    });
  }

  /** The job dies at a step, the `nth` time that it comes to it. */
  async dyingRun(step: string, nth: number): Promise<void> {
    const runtime = virtualRuntime(++seeds);
    let left = nth;
    runtime.onStep = (name) => {
      if (name === step && --left === 0) throw new Error("crash");
    };
    await expect(this.run(LOG.length, runtime)).rejects.toThrow("crash");
  }

  get place() {
    const { io, catalog, location } = this;
    return { pipeline: "test", io, catalog, warehouseLocation: location, runtime: virtualRuntime(++seeds) };
  }

  async rows(name: string): Promise<string[]> {
    return tableRows(this.io, this.catalog, { namespace: ["shop"], name });
  }

  async expectWhole(): Promise<void> {
    const rows = await Promise.all(TABLES.map(async (name) => [name, await this.rows(name)] as const));
    expect(Object.fromEntries(rows)).toEqual(WHOLE);
  }

  async backUp(names: readonly string[]): Promise<void> {
    this.#backup.clear();
    for (const name of names) {
      for (const location of await this.#files(name)) this.#backup.set(location, await this.io.read(location));
    }
  }

  async restore(names: readonly string[]): Promise<void> {
    for (const name of names) for (const location of await this.#files(name)) await this.io.delete(location);
    for (const [location, bytes] of this.#backup) await this.io.write(location, bytes);
  }

  async #files(name: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { location } of this.io.list(`${this.location}/shop/${name}`)) found.push(location);
    return found;
  }

  hint(name: string): string {
    return `${this.location}/shop/${name}/metadata/version-hint.text`;
  }

  /** What the error of a commit that finds the copies of later versions tells to do. */
  async removeLaterCopies(name: string): Promise<void> {
    const version = Number.parseInt(new TextDecoder().decode(await this.io.read(this.hint(name))), 10) + 1;
    for (const location of await this.#files(name)) {
      const [, number] = /\/v(\d+)\.metadata\.json$/.exec(location) ?? [];
      if (Number(number) >= version) await this.io.delete(location);
    }
  }

  async ledger(): Promise<{ readonly tables: object; readonly checkpoints: object }> {
    const bytes = await this.io.read(`${this.location}/_ingest/test/ledger.json`);
    return JSON.parse(new TextDecoder().decode(bytes)) as { tables: object; checkpoints: object };
  }
}

function objectStore(io: FileIO, location: string): Catalog {
  let nowMs = Date.UTC(2026, 0, 1);
  const random = seededRandom(++seeds);
  return new ObjectStoreCatalog("test", io, location, { nowMs: () => ++nowMs, uuid: () => randomUuid(random) });
}

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "frazil-put-back-"));
  folders.push(folder);
  return folder;
}

describe("a table that somebody puts back to older metadata, where tables are committed one by one, has its rows read again", () => {
  const inMemory = () => new Lake(createMemoryStorage(), "mem://w");

  it("from an edited hint, in a folder", async () => {
    const lake = new Lake(createLocalStorage(), `file://${newFolder()}`);
    await lake.run(4);
    const older = await lake.io.read(lake.hint("b"));
    await lake.run();
    await lake.expectWhole();
    await lake.io.write(lake.hint("b"), older);
    await expect(lake.run()).rejects.toMatchObject({ code: "FOREIGN_COMMIT" });
    // That start has fenced the table and taken the ledger.
    await lake.removeLaterCopies("b");
    await lake.run();
    await lake.expectWhole();
  });

  it.each([[["a"]], [["b"]], [["idle"]], [["a", "b"]], [TABLES]])("from a backup of %j", async (names) => {
    const lake = inMemory();
    await lake.run(4);
    await lake.backUp(names);
    await lake.run();
    await lake.restore(names);
    await lake.run();
    await lake.expectWhole();
  });

  const putBack = async (): Promise<Lake> => {
    const lake = inMemory();
    await lake.run(4);
    await lake.backUp(["b"]);
    await lake.run();
    await lake.restore(["b"]);
    return lake;
  };

  it("when process after process dies: at its fence, and in the first checkpoint behind the ledger", async () => {
    const lake = await putBack();
    await lake.dyingRun("fence.answered", 2);
    await lake.dyingRun("fence.answered", 3);
    expect(Object.keys((await lake.ledger()).tables)).toContain("shop.b");
    await lake.dyingRun("commit.answered", 2);
    expect(Object.keys((await lake.ledger()).tables)).not.toContain("shop.b");
    await lake.run();
    await lake.expectWhole();
  });

  it("and is part of the cut again, when a process dies with all of them read", async () => {
    const lake = await putBack();
    await lake.dyingRun("ledger.sent", 1);
    expect(Object.keys((await lake.ledger()).tables)).not.toContain("shop.b");
    await lake.run();
    expect(Object.keys((await lake.ledger()).tables).sort()).toEqual(["shop.a", "shop.b", "shop.idle"]);
  });

  it("when another engine has gone on with it", async () => {
    const lake = await putBack();
    const b = new ForeignWriter(lake, "b");
    for (let id = 100n; id < 110n; id++) await b.append([{ id, part: "f", value: 0n }]);
    await lake.run();
    expect((await lake.rows("b")).filter((row) => !row.includes("|f|"))).toEqual(WHOLE.b);
  });

  it("when its positions are set, or its lost tag is repaired, before", async () => {
    const lake = await putBack();
    const state = await readPipeline(lake.place);
    await rollBack(lake.place, planSetPosition("test", state, new Map([["other/0", "7"]]), compare));
    await lake.run();
    await lake.expectWhole();

    await lake.restore(["b"]);
    await new ForeignWriter(lake, "b").update([{ action: "remove-snapshot-ref", name: "ingest.test" }]);
    const table = (await lake.catalog.loadTable({ namespace: ["shop"], name: "b" }))!;
    const { repairs } = await planTagRepair(lake.place, table);
    for (const each of repairs) await each.run();
    await lake.run();
    await lake.expectWhole();
  });

  it("and is told beforehand, with the position that it will go on from", async () => {
    const lake = await putBack();
    const { tables, resume } = pipelinePositions(await readPipeline(lake.place), compare);
    expect([...tables].map(([name, position]) => [name, position.get("t/0")])).toEqual([
      ["shop.a", "12"],
      ["shop.b", "4"],
      ["shop.idle", "12"],
    ]);
    expect(resume?.get("t/0")).toBe("4");
    const object = expect.stringMatching(/shop\.b$/) as string;
    expect(await verifyPipeline(lake.place, compare)).toMatchObject([{ object, found: "1" }]);
  });
});

it("a ledger of an older version, without numbers of checkpoints, is read", async () => {
  const lake = new Lake(createMemoryStorage(), "mem://w");
  await lake.run(4);
  const { checkpoints, ...older } = await lake.ledger();
  expect(Object.keys(checkpoints)).toEqual(["shop.a", "shop.b", "shop.idle"]);
  await lake.io.write("mem://w/_ingest/test/ledger.json", new TextEncoder().encode(JSON.stringify(older)));
  await lake.run();
  await lake.expectWhole();
  expect((await lake.ledger()).checkpoints).toEqual({ "shop.a": "3", "shop.b": "3", "shop.idle": "1" });
});

describe("a table that somebody puts back to older metadata, where one commit spans all of them", () => {
  let database: string;

  const inSqlite = (): Lake => {
    database = join(newFolder(), "catalog.sqlite");
    return new Lake(createMemoryStorage(), "mem://w", (io, warehouseLocation) => {
      let nowMs = Date.UTC(2026, 0, 1);
      const random = seededRandom(++seeds);
      const context = { nowMs: () => ++nowMs, uuid: () => randomUuid(random) };
      return openSqliteCatalog({ path: database, name: "test", warehouseLocation, io, ...context });
    });
  };

  function metadataOf(name: string): string {
    const open = new DatabaseSync(database);
    const row = open.prepare("SELECT metadata_location AS at FROM iceberg_tables WHERE table_name = ?").get(name);
    open.close();
    return (row as { at: string }).at;
  }

  function pointTo(name: string, location: string): void {
    const open = new DatabaseSync(database);
    open.prepare("UPDATE iceberg_tables SET metadata_location = ? WHERE table_name = ?").run(location, name);
    open.close();
  }

  const putBack = async (name: string): Promise<{ lake: Lake; newer: string }> => {
    const lake = inSqlite();
    await lake.run(4);
    const older = metadataOf(name);
    await lake.run();
    await lake.expectWhole();
    const newer = metadataOf(name);
    pointTo(name, older);
    return { lake, newer };
  };

  it.each(["a", "idle"])("is read again (the anchor), or lacks nothing (shop.%s)", async (name) => {
    const { lake } = await putBack(name);
    await lake.run();
    await lake.expectWhole();
    await lake.catalog.close();
  });

  it("stops the next start, which takes nothing over, however often it is tried, until its newer metadata is back", async () => {
    const { lake, newer } = await putBack("b");
    const anchor = metadataOf("a");
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(lake.run()).rejects.toMatchObject({
        kind: "data",
        code: "TABLE_PUT_BACK",
        message: expect.stringMatching(/shop\.b .* was 3 and is 1\./) as string,
      });
    }
    expect(metadataOf("a")).toBe(anchor);
    const object = expect.stringMatching(/shop\.b$/) as string;
    expect(await verifyPipeline(lake.place, compare)).toMatchObject([{ object, found: "1" }]);
    pointTo("b", newer);
    expect(await verifyPipeline(lake.place, compare)).toEqual([]);
    await lake.run();
    await lake.expectWhole();
    await lake.catalog.close();
  });

  it("is read again when all tables go back to where it is, as the error says", async () => {
    const { lake } = await putBack("b");
    const at = (await new ForeignWriter(lake, "b").load()).metadata.refs.get("ingest.test")!.snapshotId;
    const error: unknown = await lake.run().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ hint: expect.stringContaining(`--pipeline test --to ${at};`) as string });
    const find = (table: LoadedTable) => snapshotById(table.metadata, at);
    await rollBack(lake.place, await planRollback(lake.place, { pipeline: "test", find, keepPosition: false }));
    await lake.run();
    await lake.expectWhole();
    await lake.catalog.close();
  });

  it("stays without what it lacks when an operator says so, and is not given for whole before", async () => {
    const { lake } = await putBack("b");
    const state = await readPipeline(lake.place);
    const set = () => planSetPosition("test", state, new Map([["t/0", "12"]]), compare);
    expect(set).toThrow(expect.objectContaining({ code: "TABLE_PUT_BACK" }) as Error);
    const table = await new ForeignWriter(lake, "b").load();
    const target = currentSnapshot(table.metadata)!;
    await rollBack(lake.place, await planRollback(lake.place, { table, target, keepPosition: true }));
    await lake.run();
    expect(await lake.rows("b")).toEqual(["1|y|1", "2|y|2"]);
    expect(await verifyPipeline(lake.place, compare)).toEqual([]);
    await lake.catalog.close();
  });

  it("and loses its tag is not repaired", async () => {
    const { lake } = await putBack("b");
    await new ForeignWriter(lake, "b").update([{ action: "remove-snapshot-ref", name: "ingest.test" }]);
    const plan = await planTagRepair(lake.place, await new ForeignWriter(lake, "b").load());
    expect(plan).toMatchObject({
      repairs: [],
      refusals: [{ problem: expect.stringContaining("put it back") as string }],
    });
    await lake.catalog.close();
  });
});
