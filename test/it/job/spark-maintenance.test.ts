import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { parsePosition } from "../../../src/core/position.ts";
import { NeededFiles } from "../../../src/maintenance/clean-orphans/needed-files.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import type { LoadedTable } from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { installSpark, type SparkInstall } from "../../readers/spark-install.ts";
import { requireServers, withReason } from "../../require.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { frazil } from "./job-process.ts";

const missing = await requireServers("readers", "spark");
const IDENT = { namespace: ["shop"], name: "t" };
const DAY_MS = 86_400_000;

/** A job of this process that goes on until it is told to end, fed by the test. */
class LiveJob {
  readonly #changes: ScriptedChange[] = [];
  readonly #stop = new AbortController();
  readonly #expected = new Map<bigint, ScriptedChange>();
  readonly #ended: Promise<unknown>;
  readonly #warehouse: Warehouse;
  #over = false;
  checkpoints = 0;

  constructor(warehouse: Warehouse) {
    this.#warehouse = warehouse;
    this.#ended = runJob({
      pipeline: "test",
      rules: [upsertRule("t", { partitionBy: ["part"] })],
      checkpoint: { intervalMs: 1_000, maxRows: 10_000, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
      memoryBytes: 1 << 26,
      warehouseLocation: warehouse.location,
      catalog: warehouse.catalog,
      io: warehouse.io,
      runtime: createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined),
      createSource: (router) => {
        const source = scriptSource(new Map([["t/0", this.#changes]]), router, { uint32: () => 7 });
        return {
          ...source,
          async *read(from, signal) {
            for await (const batch of source.read(from, signal)) {
              yield batch;
              await sleep(20);
            }
          },
        };
      },
      end: { caughtUp: false, afterMs: null, maxRows: null },
      stop: this.#stop.signal,
      observer: { started() {}, progress() {}, committed: () => void this.checkpoints++, notice() {} },
    });
    const over = () => void (this.#over = true);
    this.#ended.then(over, over);
  }

  put(op: "update" | "delete", id: bigint, part: string): void {
    const change: ScriptedChange = { stream: "t", op, id, part, value: BigInt(this.#changes.length) };
    this.#changes.push(change);
    if (op === "delete") this.#expected.delete(id);
    else this.#expected.set(id, change);
  }

  /** Until what has been put so far is in the table. @throws what the job failed with. */
  async settled(): Promise<void> {
    const upTo = this.#changes.length;
    for (;;) {
      const loaded = await this.#warehouse.catalog.loadTable(IDENT);
      const stamps = loaded?.metadata.snapshots.flatMap(({ summary }) => summary.get("ingest.position") ?? []);
      if (Number(parsePosition(stamps?.at(-1) ?? "{}").get("t/0") ?? 0) >= upTo) return;
      await sleep(100);
      if (!this.#over) continue;
      await this.#ended;
      throw new Error("the job ended");
    }
  }

  rows(): string[] {
    return [...this.#expected.values()].map(({ id, part, value }) => `${id}|${part}|${value}`).toSorted();
  }

  /** Told to end, it commits what it has been given. */
  async end(): Promise<void> {
    await this.settled();
    this.#stop.abort();
    await this.#ended;
  }
}

describe.skipIf(missing !== null)(withReason("Spark's services beside a live job", missing), () => {
  let spark: SparkInstall;
  let sparkHome: string;
  let readers: Readers;
  let folder: string;
  let warehouse: Warehouse;
  let job: LiveJob;
  let feeding: NodeJS.Timeout;

  beforeAll(async () => {
    spark = await installSpark(() => undefined);
    const home = "import pyspark, os; print(os.path.dirname(pyspark.__file__))";
    sparkHome = execFileSync(spark.python, ["-c", home], { encoding: "utf8" }).trim();
    readers = await openReaders();
    folder = mkdtempSync(join(tmpdir(), "frazil-spark-services-"));
    const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
    job = new LiveJob(warehouse);
    // Four files of the cold partition, with deleted rows in the older ones.
    for (let part = 0n; part < 4n; part++) {
      for (let id = 0n; id < 60n; id++) job.put("update", part * 40n + id, "cold");
      job.put("delete", part * 7n, "cold");
      await job.settled();
    }
    // New keys all the time, now and then updates and deletes of those that came since. So no deletion vector is ever replaced: where one
    // is replaced twice while Iceberg's procedures work, whichever file it is of, they give up everywhere.
    let next = 1_000n;
    let touched = next;
    feeding = setInterval(() => {
      job.put("update", next++, "hot");
      if (next - touched < 30n) return;
      for (let id = touched; id < next; id += 3n) job.put(id % 2n === 0n ? "delete" : "update", id, "hot");
      touched = next;
    }, 100);
    await job.settled();
  }, 240_000);
  afterAll(async () => {
    clearInterval(feeding);
    await readers?.[Symbol.asyncDispose]();
    await warehouse?.catalog.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function bySpark(verb: string, ...options: readonly string[]) {
    const settings = {
      "spark.jars": spark.jars.join(","),
      "spark.ui.enabled": "false",
      "spark.driver.host": "127.0.0.1",
      "spark.driver.memory": "1g",
      "spark.sql.shuffle.partitions": "2",
      // Short runs: what is compiled less is done sooner.
      "spark.sql.codegen.wholeStage": "false",
      "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    };
    const process = frazil(
      [
        ...[verb, "shop.t", "--warehouse", folder, "--json", "--yes", ...options],
        ...["--engine", "spark", "--master", "local[2]"],
        ...Object.entries(settings).flatMap(([key, value]) => ["--spark-conf", `${key}=${value}`]),
      ],
      { PYSPARK_PYTHON: spark.python, SPARK_LOCAL_IP: "127.0.0.1", SPARK_HOME: sparkHome },
    );
    const code = await process.ended;
    const records = process.stdout().split("\n").filter(Boolean);
    return {
      code,
      stderr: process.stderr(),
      records: records.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    };
  }

  async function table(): Promise<LoadedTable> {
    const loaded = await warehouse.catalog.loadTable(IDENT);
    if (loaded === null) throw new Error("no table");
    return loaded;
  }

  /** Of the rows of the cold partition: id, row id and sequence number. */
  async function lineage(): Promise<readonly string[]> {
    const { metadataLocation } = await table();
    const columns = ["id", "part", "_row_id", "_last_updated_sequence_number"];
    const { lines } = await readers.duckdb({ location: metadataLocation }, { columns });
    return lines.filter((line) => line.includes("cold"));
  }

  it("compacts what the job leaves alone, and lets the job win elsewhere", async () => {
    const before = await lineage();
    expect(before.length).toBeGreaterThan(100);
    const checkpoints = job.checkpoints;
    // On a machine so slow that the job wins everywhere, it is done again, as the exit code asks for.
    let cold: Readonly<Record<string, unknown>>[] = [];
    for (let attempt = 0; attempt < 3 && cold.length === 0; attempt++) {
      const { code, records, stderr } = await bySpark("compact", "--min-files", "2");
      expect([0, 75], stderr).toContain(code);
      if (code === 75) expect(stderr).toMatch(/SPARK_CONFLICT.*\n.*the whole log is/);
      cold = records.filter((each) => each["snapshotId"] != null && each["partition"] === "part=cold");
    }
    expect(cold).toEqual([
      expect.objectContaining({ filesAfter: 1, skipped: null, arrangement: "joined by Spark", rows: before.length }),
    ]);
    expect(Number(cold[0]?.["filesBefore"])).toBeGreaterThan(3);
    const { metadata } = await table();
    const made = metadata.snapshots.find(({ snapshotId }) => String(snapshotId) === String(cold[0]?.["snapshotId"]));
    expect(made?.summary.get("operation")).toBe("replace");
    expect(made?.summary.has("ingest.pipe")).toBe(false);
    expect(job.checkpoints - checkpoints).toBeGreaterThan(2);
    // A job that has committed on top of it changes rows of the files that Spark wrote.
    expect(await lineage()).toEqual(before);
    for (let id = 22n; id < 42n; id++) job.put(id % 2n === 0n ? "delete" : "update", id, "cold");
    await job.settled();
    const after = await lineage();
    const untouched = new Set(before);
    expect(after.length).toBe(before.length - 10);
    expect(after.filter((line) => !untouched.has(line)).length).toBe(10);
  }, 600_000);

  it("expires snapshots and cleans orphans, and leaves what the job may still publish", async () => {
    const { metadata } = await table();
    const stamped = metadata.snapshots.findLast(({ summary }) => summary.has("ingest.pipe"));
    const epoch = Number(stamped?.summary.get("ingest.epoch") ?? 0);
    const data = join(folder, "shop", "t", "data");
    const plant = (name: string, ageMs: number): string => {
      const path = join(data, name);
      writeFileSync(path, "planted");
      const at = new Date(Date.now() - ageMs);
      utimesSync(path, at, at);
      return name;
    };
    const ownName = (e: number, rest: string) =>
      `test-e${String(e).padStart(10, "0")}-c000000000001-w00-0000-${rest}.parquet`;
    const kept = [
      // As if prepared by the job and not committed yet, also when its commit takes long.
      plant(ownName(epoch, "aaaaaaaa"), DAY_MS),
      plant(ownName(epoch + 1, "bbbbbbbb"), 2 * DAY_MS),
      plant("00000-1-of-another-engine.parquet", 3_600_000),
    ];
    const garbage = [plant(ownName(0, "cccccccc"), 0), plant("00000-2-of-another-engine.parquet", 5 * DAY_MS)];
    const [expired, cleaned, own] = await Promise.all([
      bySpark("expire", "--keep-last", "3", "--keep-for", "1s"),
      bySpark("clean-orphans", "--foreign"),
      frazil(["compact", "shop.t", "--warehouse", folder, "--min-files", "2", "--yes"]).ended,
    ]);
    expect(own).toBe(0);
    expect(expired.code, expired.stderr).toBe(0);
    const [plan, done] = expired.records;
    expect(done).toMatchObject({ event: "expired", snapshots: plan?.["snapshots"], notDeleted: 0 });
    expect(Number(done?.["snapshots"])).toBeGreaterThan(5);
    expect(Number(done?.["dataFiles"])).toBeGreaterThan(3);
    expect(cleaned.code, cleaned.stderr).toBe(0);
    expect(cleaned.records.at(-1)).toMatchObject({ event: "cleaned", files: 2, dataFiles: 2, kept: 0 });
    const left = readdirSync(data);
    expect(left).toEqual(expect.arrayContaining(kept));
    expect(left.filter((name) => garbage.includes(name))).toEqual([]);
  }, 600_000);

  it("leaves the rows right, every file in its place, and a job that resumes", async () => {
    for (let id = 50n; id < 60n; id++) job.put("delete", id, "cold");
    clearInterval(feeding);
    await job.end();
    const rows = job.rows();
    expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(rows);
    const loaded = await table();
    const located = { location: loaded.metadataLocation };
    const contents = await readers.duckdb(located);
    expect(contents.lines.map((line) => (JSON.parse(line) as string[]).join("|")).toSorted()).toEqual(rows);
    const ids = await readers.duckdb(located, { columns: ["_row_id"] });
    expect(new Set(ids.lines).size).toBe(rows.length);
    const absent: string[] = [];
    const reached: string[] = [];
    await new NeededFiles(warehouse.io, Number.MAX_SAFE_INTEGER).present(loaded, (location) => reached.push(location));
    for (const location of reached) if ((await warehouse.io.stat(location)) === null) absent.push(location);
    expect(reached.length).toBeGreaterThan(10);
    expect(absent).toEqual([]);
  }, 120_000);
});
