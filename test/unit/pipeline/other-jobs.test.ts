import { describe, expect, it } from "vitest";
import { addColumns, currentSchema } from "../../../table-format/index.ts";
import { exitCodeOf, type FrazilError } from "../../../src/core/errors.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { change, memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

let seeds = 40;

function job(
  warehouse: Warehouse,
  changes: readonly ScriptedChange[],
  { seed = ++seeds, ...given }: Partial<JobRun> & { seed?: number } = {},
): Promise<JobSummary> {
  const runtime = virtualRuntime(seed);
  return runJob({
    ...plainJob(warehouse, 2),
    rules: [upsertRule("a")],
    runtime,
    createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 2 }),
    ...given,
  });
}

const rowsOf = (warehouse: Warehouse, name = "a") =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });
const story = (stream: string, ...texts: string[]) => texts.map((text) => change(stream, text));

describe.each(["memory", "object-store"] as const)("on a catalog of kind %s", (kind) => {
  it("two jobs that write one keyed table follow each other: a key is there once, with its last writer's row", async () => {
    const warehouse = memoryWarehouse(kind);
    const even = story("a", "+1:x:1", "+2:x:2", "+4:x:4", "~2:x:20", "-4", "+6:x:6");
    const odd = story("a", "+3:y:3", "+5:y:5", "~3:y:30", "+7:y:7", "-7", "+9:y:9");
    await Promise.all([job(warehouse, even, { pipeline: "even" }), job(warehouse, odd, { pipeline: "odd" })]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|20", "3|y|30", "5|y|5", "6|x|6", "9|y|9"]);
    await job(warehouse, [...odd, ...story("a", "~1:y:100")], { pipeline: "odd" });
    await job(warehouse, [...even, ...story("a", "~9:x:900")], { pipeline: "even" });
    expect(await rowsOf(warehouse)).toEqual(["1|y|100", "2|x|20", "3|y|30", "5|y|5", "6|x|6", "9|x|900"]);
  });

  it("a job whose first change is a truncate empties the table that another one has filled", async () => {
    const warehouse = memoryWarehouse(kind);
    await job(warehouse, story("a", "+1:x:1", "+2:x:2"), { pipeline: "one" });
    const truncate = { value: { before: null, after: null, op: "t" } };
    await job(warehouse, [], {
      pipeline: "two",
      createSource: (router, notices, rejects) =>
        messageSource(new Map([["a", [truncate]]]), debeziumJson.createDecoder(router, notices, rejects), {
          uint32: () => 1,
        }),
    });
    expect(await rowsOf(warehouse)).toEqual([]);
  });

  it("a job of the same name with other tables takes the first one's place, which then cannot commit", async () => {
    const warehouse = memoryWarehouse(kind);
    const changes = story("a", "+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4");
    let commits = 0;
    const first = job(warehouse, changes, {
      createSource: (router) => {
        const source = scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 2 });
        return {
          ...source,
          async *read(from, signal) {
            for await (const batch of source.read(from, signal)) {
              // The other one starts after this one's first checkpoint.
              if (commits > 0) await job(warehouse, story("b", "+9:z:9"), { rules: [upsertRule("b")] });
              yield batch;
            }
          },
        };
      },
      observer: { started() {}, progress() {}, notice() {}, committed: () => void commits++ },
    });
    await expect(first).rejects.toMatchObject({ kind: "fenced", code: "FENCED" });
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2"]);
    await job(warehouse, changes);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2", "3|x|3", "4|x|4"]);
  });

  it.each([
    ["append", { mode: "append", key: null }, "MODE_CHANGED", "mode: upsert"],
    ["another key", { key: ["part"] }, "KEY_CHANGED", "key: [id]"],
  ] as const)("a job file that now says %s is refused before it reads", async (_, rule, code, hint) => {
    const warehouse = memoryWarehouse(kind);
    const changes = story("a", "+1:x:1", "+2:x:2");
    await job(warehouse, changes);
    const rules = [upsertRule("a", rule)];
    await expect(job(warehouse, [...changes, ...story("a", "+1:x:7")], { rules })).rejects.toMatchObject({
      kind: "config",
      code,
      hint: expect.stringContaining(hint),
    });
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2"]);
    await job(warehouse, [...changes, ...story("a", "~1:x:7")]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|7", "2|x|2"]);
  });

  // A changed mode was refused only for tables with identifier fields: an append table took upserts, which doubled the keys that it held.
  const modes = ["upsert", "append", "history"] as const;
  it.each(modes.flatMap((made) => modes.filter((now) => now !== made).map((now) => [made, now] as const)))(
    "a table made with mode: %s is refused to a job that says mode: %s, also to another one, and as tables from before say it",
    async (made, now) => {
      const warehouse = memoryWarehouse(kind);
      const ruleFor = (mode: (typeof modes)[number]) =>
        upsertRule("a", { mode, key: mode === "upsert" ? ["id"] : null });
      const first = story("a", "+1:x:1", "+2:x:2");
      const more = [...first, ...story("a", "+3:x:3")];
      await job(warehouse, first, { rules: [ruleFor(made)] });
      const rows = await rowsOf(warehouse);
      const foreign = new ForeignWriter(warehouse, "a");
      expect((await foreign.load()).metadata.properties.get("frazil.mode")).toBe(made);
      const refused = {
        kind: "config",
        code: "MODE_CHANGED",
        message: expect.stringContaining(`written with mode: ${made}`),
        hint: expect.stringContaining(`set mode: ${made} again`),
      };
      await expect(job(warehouse, more, { rules: [ruleFor(now)] })).rejects.toMatchObject(refused);
      await expect(job(warehouse, more, { rules: [ruleFor(now)], pipeline: "other" })).rejects.toMatchObject(refused);
      await foreign.update([{ action: "remove-properties", removals: ["frazil.mode"] }]);
      await expect(job(warehouse, more, { rules: [ruleFor(now)] })).rejects.toMatchObject(refused);
      expect(await rowsOf(warehouse)).toEqual(rows);
      await job(warehouse, more, { rules: [ruleFor(made)] });
      expect((await rowsOf(warehouse)).length).toBe(3);
    },
  );

  it("a table that another engine made takes the mode of the first job that writes to it", async () => {
    const warehouse = memoryWarehouse(kind);
    await job(warehouse, story("a", "+1:x:1"), { rules: [upsertRule("a", { mode: "append", key: null })] });
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.update([
      { action: "remove-properties", removals: ["frazil.mode", "ingest.test"] },
      { action: "remove-snapshot-ref", name: "ingest.test" },
    ]);
    await job(warehouse, story("a", "~1:x:7", "+2:x:2"), { pipeline: "other" });
    expect((await foreign.load()).metadata.properties.get("frazil.mode")).toBe("upsert");
    expect(await rowsOf(warehouse)).toEqual(["1|x|7", "2|x|2"]);
    await job(warehouse, story("a", "~1:x:7", "+2:x:2", "-1"), { pipeline: "other" });
    expect(await rowsOf(warehouse)).toEqual(["2|x|2"]);
  });

  it("a clock that was set back does no harm: snapshots stay in order, also in time", async () => {
    const warehouse = memoryWarehouse(kind);
    const changes = story("a", "+1:x:1", "+2:x:2", "~1:x:3");
    await job(warehouse, changes.slice(0, 2));
    const runtime = virtualRuntime(++seeds);
    const clock = { ...runtime.clock, nowMs: () => runtime.clock.nowMs() - 7 * 86_400_000 };
    await job(warehouse, changes, { runtime: { ...runtime, clock } });
    const loaded = await warehouse.catalog.loadTable({ namespace: ["shop"], name: "a" });
    const times = loaded?.metadata.snapshots.map(({ timestampMs }) => timestampMs) ?? [];
    expect(times.every((time, index) => index === 0 || time > (times[index - 1] as bigint))).toBe(true);
    expect(await rowsOf(warehouse)).toEqual(["1|x|3", "2|x|2"]);
  });

  it("a column that somebody adds or drops: a running job asks to be started again, and then goes on", async () => {
    const warehouse = memoryWarehouse(kind);
    const changes = story("a", "+1:x:1", "+2:x:2", "+3:x:3", "~1:x:4");
    const foreign = new ForeignWriter(warehouse, "a");
    let commits = 0;
    const running = job(warehouse, changes, {
      createSource: (router) => {
        const source = scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 2 });
        return {
          ...source,
          async *read(from, signal) {
            for await (const batch of source.read(from, signal)) {
              if (commits === 1) {
                const { metadata } = await foreign.load();
                const { schema, lastColumnId } = addColumns(currentSchema(metadata), metadata.lastColumnId, [
                  { name: "note", type: { kind: "string" } },
                ]);
                const kept = { ...schema, fields: schema.fields.filter(({ name }) => name !== "value") };
                await foreign.update([
                  { action: "add-schema", schema: kept, lastColumnId },
                  { action: "set-current-schema", schemaId: -1 },
                ]);
              }
              yield batch;
            }
          },
        };
      },
      observer: { started() {}, progress() {}, notice() {}, committed: () => void commits++ },
    });
    const error: unknown = await running.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "SCHEMA_MOVED", hint: expect.stringContaining("start the job again") });
    expect(exitCodeOf(error as FrazilError)).toBe(75);
    await job(warehouse, changes);
    const fields = currentSchema((await foreign.load()).metadata).fields;
    expect(fields.map(({ name }) => name)).toEqual(["id", "part", "note", "value"]);
    // What was written before the column went away went with it: the new one has another field id.
    expect(await rowsOf(warehouse)).toEqual(["1|x|null|4", "2|x|null|null", "3|x|null|3"]);
  });

  it("main rolled back by hand while the job is down stops the next start", async () => {
    const warehouse = memoryWarehouse(kind);
    const changes = story("a", "+1:x:1", "+2:x:2", "+3:x:3");
    await job(warehouse, changes);
    const foreign = new ForeignWriter(warehouse, "a");
    const { snapshots } = (await foreign.load()).metadata;
    await foreign.rollback(snapshots[0]?.snapshotId as bigint);
    await expect(job(warehouse, changes)).rejects.toMatchObject({
      kind: "data",
      code: "TABLE_ROLLED_BACK",
      hint: expect.stringContaining("roll main forward again"),
    });
  });
});
