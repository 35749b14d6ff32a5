/**
 * One case of the upsert bench, in a process of its own so that its peak memory is its own:
 * `node upsert-case.ts fill|cold|warm <folder> <keys> <int64|uuid|composite> [seed]`. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Op, type ChangeBatch, type ChangeColumn, offsetPoints } from "../../src/core/change-batch.ts";
import { must } from "../../src/core/errors.ts";
import { randomUuid } from "../../src/core/runtime.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { systemRandom } from "../../src/system.ts";
import {
  type Column,
  createBuilder,
  currentSchema,
  ObjectStoreCatalog,
  openDataFileWriter,
} from "../../table-format/index.ts";
import { Process, upsertRule, type Warehouse } from "../support/checkpoints.ts";
import { ForeignWriter } from "../support/foreign-writer.ts";
import { seededRandom } from "../support/virtual-runtime.ts";

const MEMORY_BYTES = 512 * 2 ** 20;
const KEY_SHARE = 0.25;
const TOUCHED = 100_000;
const CHECKPOINTS = 5;
const ROWS_A_FILE = 4_000_000;
const ROWS_A_BATCH = 100_000;
const KEYS: Readonly<Record<string, readonly ChangeColumn[]>> = {
  int64: [{ name: "id", type: { kind: "long" }, required: true }],
  uuid: [{ name: "id", type: { kind: "uuid" }, required: true }],
  composite: [
    { name: "tenant", type: { kind: "string" }, required: true },
    { name: "id", type: { kind: "long" }, required: true },
  ],
};

const [phase, folder = "", count = "0", kind = "int64", seed = "7"] = process.argv.slice(2);
const KEY = must(KEYS[kind], "a kind of keys");
const FIELDS: readonly ChangeColumn[] = [
  ...KEY,
  { name: "part", type: { kind: "string" }, required: false },
  { name: "value", type: { kind: "long" }, required: false },
];
const RULES = [upsertRule("a", { key: KEY.map(({ name }) => name) })];
const keys = Number(count);
const io = createLocalStorage();
const random = seededRandom(Number(seed));
const location = join(folder, "warehouse");
const clock = { nowMs: () => Date.now(), uuid: () => randomUuid(systemRandom) };
const warehouse: Warehouse = {
  io,
  location,
  catalog: new ObjectStoreCatalog("bench", io, location, clock),
  fault: () => undefined,
};

/** Distinct 64-bit keys without order: the lower half is a mix of 32 bits that can be undone. */
function mixed(index: number): number {
  let h = Math.imul(index ^ (index >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function columnsOf(indexes: ArrayLike<number>, value: bigint): Column[] {
  const { length } = indexes;
  const words = kind === "uuid" ? 4 : 2;
  const ids = new Uint32Array(length * words);
  const part = createBuilder({ kind: "string" });
  const tenant = createBuilder({ kind: "string" });
  for (let i = 0; i < length; i++) {
    const index = indexes[i] as number;
    ids[i * words] = mixed(index);
    ids[i * words + 1] = mixed(index ^ 0x5bd1e995);
    if (kind === "uuid") ids[i * words + 3] = mixed(index ^ 0x2545f491);
    tenant.appendString(`tenant-${index % 1_000}`);
    part.appendString("p");
  }
  const all = { length, nullCount: 0, validity: null };
  const long = { ...all, type: { kind: "long" }, layout: "i64" } as const;
  const id: Column =
    kind === "uuid"
      ? { ...all, type: { kind: "uuid" }, layout: "fixed", width: 16, values: new Uint8Array(ids.buffer) }
      : { ...long, values: new BigInt64Array(ids.buffer) };
  const values = new BigInt64Array(length).fill(value);
  const key = kind === "composite" ? [tenant.finish(), id] : [id];
  return [...key, part.finish(), { ...long, values }];
}

async function fill(): Promise<object> {
  const first = await Process.start(warehouse, RULES, systemRandom.uint32());
  await first.checkpointOf([updates([0], 0, first)], 1);
  const foreign = new ForeignWriter(warehouse, "a");
  const base = await foreign.load();
  const schema = currentSchema(base.metadata);
  const files: Parameters<ForeignWriter["addFiles"]>[0][number][] = [];
  for (let start = 1; start < keys; start += ROWS_A_FILE) {
    const filePath = `${base.metadata.location}/data/filled-${start}.parquet`;
    const writer = openDataFileWriter({ schema, output: await io.openWrite(filePath) });
    const end = Math.min(keys, start + ROWS_A_FILE);
    for (let from = start; from < end; from += ROWS_A_BATCH) {
      const indexes = Uint32Array.from({ length: Math.min(ROWS_A_BATCH, end - from) }, (_, i) => from + i);
      await writer.write({ length: indexes.length, columns: columnsOf(indexes, 0n) });
    }
    files.push({ filePath, ...(await writer.finish()) });
  }
  await foreign.addFiles(files);
  return {};
}

/** Checkpoints of a process that starts with a cache or without, after the one that it starts with. */
async function run(): Promise<object> {
  const limitBytes = MEMORY_BYTES * KEY_SHARE;
  const writer = await Process.start(warehouse, RULES, systemRandom.uint32(), {
    folder: join(folder, "cache"),
    limitBytes,
  });
  const started = performance.now();
  await checkpoint(writer, [0]);
  const startMs = performance.now() - started;
  const cpuMs: number[] = [];
  if (phase === "warm") return { startMs, peakMib: peakMib() };
  const times = { uniform: [] as number[], power: [] as number[] };
  for (let i = 0; i < CHECKPOINTS; i++) {
    for (const [shape, exponent] of [
      ["uniform", 1],
      ["power", 4],
    ] as const) {
      const draw = (): number => Math.floor((random.uint32() / 2 ** 32) ** exponent * keys);
      const indexes = Uint32Array.from({ length: TOUCHED }, draw);
      const before = process.cpuUsage();
      times[shape].push(await checkpoint(writer, indexes));
      const { user, system } = process.cpuUsage(before);
      if (shape === "uniform") cpuMs.push((user + system) / 1000);
    }
  }
  const [uniformMs, powerMs] = [median(times.uniform), median(times.power)];
  return { startMs, uniformMs, uniformCpuMs: median(cpuMs), powerMs, peakMib: peakMib() };
}

/** Commits updates. @returns how long that took, all in all. */
async function checkpoint(writer: Process, indexes: ArrayLike<number>): Promise<number> {
  const from = Number(writer.reached.get("t/0"));
  const batch = updates(indexes, from, writer);
  const distinct = new Set(Array.from(indexes)).size;
  const started = performance.now();
  await writer.checkpointOf([batch], from + indexes.length);
  const ms = performance.now() - started;
  const { inserts, updates: updated } = must(writer.events.at(-1), "a commit");
  if (inserts !== 0 || updated !== distinct) {
    throw new Error(`expected ${distinct} updates, found ${updated} and ${inserts} inserts`);
  }
  return ms;
}

function updates(indexes: ArrayLike<number>, from: number, { router }: Process): ChangeBatch {
  const { length } = indexes;
  return {
    table: must(router.byStream("a"), "the table").table,
    split: "t/0",
    length,
    ops: new Uint8Array(length).fill(Op.update),
    fields: FIELDS,
    columns: columnsOf(indexes, BigInt(from)),
    absent: FIELDS.map(() => null),
    key: KEY.map(({ name }) => name),
    points: offsetPoints(BigInt64Array.from({ length }, (_, i) => BigInt(from + i + 1))),
    sizeBytes: length * 40,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** The high-water mark of this process's resident memory. */
function peakMib(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

process.stdout.write(`${JSON.stringify(phase === "fill" ? await fill() : await run())}\n`);
