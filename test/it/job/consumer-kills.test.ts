import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { consumerLocation, listConsumers } from "../../../src/core/consumer-state.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { must } from "../../../table-format/index.ts";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { testWarehouse } from "../../unit/query/local-warehouse.ts";
import { frazil, hasWritten, type JobProcess } from "./job-process.ts";

const missing = await requireServers("minio");

/** More of them by FRAZIL_CONSUMER_KILLS. */
const KILLS = Number(process.env["FRAZIL_CONSUMER_KILLS"] ?? 12);
const TABLE = { namespace: ["shop"], name: "orders" };
const TRAIL = { namespace: ["mart"], name: "trail" };

interface Change {
  readonly _op: string;
  readonly _snapshot_id: string;
  readonly id: number;
}

/** What one process has told: whole lines only, as whoever reads lines takes them. */
interface Told {
  readonly consumer: string;
  /** The stored position when it began; null: none yet. */
  readonly after: bigint | null;
  readonly lines: readonly string[];
}

const parsed = (line: string) => JSON.parse(line) as Change & Record<string, unknown>;

function withoutCommit({ _op, _snapshot_id, _commit_ts, ...row }: Record<string, unknown>): string {
  return JSON.stringify(row);
}

function wholeLines(text: string): string[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter(Boolean);
}

/** The rows that changes come to, applied by key. */
function replayed(lines: readonly string[]): string[] {
  const rows = new Map<unknown, string>();
  for (const change of lines.map(parsed)) {
    if (change._op === "delete") rows.delete(change.id);
    else if (change._op !== "update_before") rows.set(change.id, withoutCommit(change));
  }
  return [...rows.values()].sort();
}

describe.skipIf(missing !== null)(withReason("consumers of a table on S3", missing), () => {
  let store: RunningS3;
  let folder: string;
  let location: string;
  let env: Record<string, string>;
  let warehouse: Warehouse;
  let writer: JobProcess;

  beforeAll(async () => {
    store = await startMinio();
    folder = mkdtempSync(join(tmpdir(), "frazil-consumers-"));
    location = `s3://${store.bucket}/consumers`;
    env = {
      AWS_ENDPOINT_URL: store.endpoint,
      AWS_REGION: store.region,
      AWS_ACCESS_KEY_ID: store.accessKeyId,
      AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
    };
    Object.assign(process.env, env);
    warehouse = await testWarehouse(location, env);
    writer = frazil(["run", jobFile("shop", SOURCE, ORDERS)]);
    expect(await hasWritten(writer, /checkpoint/), writer.stderr()).toBe(true);
  });
  afterAll(async () => {
    writer?.child.kill("SIGKILL");
    await warehouse?.catalog.close();
    await store?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Commits more. */
  async function more(): Promise<void> {
    const job = frazil(["run", jobFile("shop", SOURCE, ORDERS), "--for", "2s"]);
    expect(await job.ended, job.stderr()).toBe(0);
  }

  const SOURCE = "{ type: generator, seed: 7, events: 2000000, rate: 300 }";
  const ORDERS = `{ from: shop.orders, to: shop.orders, mode: upsert }
maintenance:
  compact: { every: 2s, min_files: 4 }
  expire: { every: 3s, min_snapshots: 40, keep: 1s }`;

  function jobFile(name: string, source: string, tables: string): string {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(
      path,
      `name: ${name}
source: ${source}
warehouse: { location: "${location}", s3: { endpoint: "${store.endpoint}", region: ${store.region} } }
checkpoint: { interval: 300ms }
tables:
  - ${tables}
`,
    );
    return path;
  }

  const follow = (consumer: string, ...options: string[]) =>
    frazil(["read", "shop.orders", "--follow", "--consumer", consumer, ...options, "--json", "--warehouse", location]);

  async function ended(args: readonly string[], code = 0): Promise<JobProcess> {
    const process = frazil([...args, "--warehouse", location]);
    expect(await process.ended, process.stderr()).toBe(code);
    return process;
  }

  async function positionOf(consumer: string): Promise<bigint | null> {
    const all = await listConsumers(warehouse.io, location, TABLE);
    return all.find(({ name }) => name === consumer)?.state.after ?? null;
  }

  /** Adds the snapshots that the table holds now to those that it held. */
  async function learn(sequences: Map<bigint, bigint>): Promise<void> {
    const { metadata } = must(await warehouse.catalog.loadTable(TABLE), "the table");
    for (const { snapshotId, sequenceNumber } of metadata.snapshots) sequences.set(snapshotId, sequenceNumber);
  }

  it(
    `killed ${KILLS} times miss no change and repeat none that they had stored; a job that reads the table repeats none`,
    { timeout: 1_200_000 },
    async () => {
      const random = seededRandom(50);
      const trail = jobFile(
        "trail",
        "{ type: table, table: shop.orders, poll: 200ms }",
        "{ from: shop.orders, to: mart.trail, mode: history }",
      );
      const readers = {
        all: ["--from", "earliest"],
        now: [],
        net: ["--net"],
      } as const;
      type Name = keyof typeof readers;
      const names = Object.keys(readers) as Name[];
      const told: Told[] = [];
      const sequences = new Map<bigint, bigint>();
      const running = new Map<Name, { process: JobProcess; after: bigint | null }>();
      for (const name of names) running.set(name, { process: follow(name, ...readers[name]), after: null });
      for (const { process } of running.values()) expect(await hasWritten(process, /_op/), process.stderr()).toBe(true);
      let copying = frazil(["run", trail]);
      const stop = async (name: Name, signal: "SIGKILL" | "SIGINT") => {
        const { process, after } = must(running.get(name), name);
        process.child.kill(signal);
        expect(await process.ended, process.stderr()).toBe(signal === "SIGKILL" ? signal : 0);
        told.push({ consumer: name, after, lines: wholeLines(process.stdout()) });
      };
      for (let kill = 0; kill < KILLS; kill++) {
        await sleep(200 + (random.uint32() % 1_800));
        if (kill % 4 === 3) {
          copying.child.kill("SIGKILL");
          expect(await copying.ended, copying.stderr()).toBe("SIGKILL");
          copying = frazil(["run", trail]);
        }
        const name = must(names[kill % names.length], "a name");
        await stop(name, "SIGKILL");
        running.set(name, { after: await positionOf(name), process: follow(name, ...readers[name]) });
        await learn(sequences);
      }
      writer.child.kill("SIGTERM");
      expect(await writer.ended, writer.stderr()).toBe(0);
      copying.child.kill("SIGTERM");
      expect([0, "SIGTERM"], copying.stderr()).toContain(await copying.ended);
      for (const name of names) {
        await stop(name, "SIGINT");
        const after = await positionOf(name);
        const last = await ended(["read", "shop.orders", "--consumer", name, "--json"]);
        told.push({ consumer: name, after, lines: wholeLines(last.stdout()) });
      }
      const copied = frazil(["run", trail, "--until", "caught-up"]);
      expect(await copied.ended, copied.stderr()).toBe(0);
      await learn(sequences);

      const rows = wholeLines((await ended(["read", "shop.orders", "--json"])).stdout())
        .map((line) => JSON.stringify(JSON.parse(line)))
        .sort();
      expect(rows.length).toBeGreaterThan(20);
      const snapshots = new Map<string, Map<string, string[]>>();
      for (const name of names) {
        const lines = told.filter(({ consumer }) => consumer === name).flatMap(({ lines: own }) => own);
        expect(replayed(lines), name).toEqual(rows);
        snapshots.set(
          name,
          Map.groupBy(new Set(lines), (line) => parsed(line)._snapshot_id),
        );
      }
      const sequence = (id: bigint | string) => must(sequences.get(BigInt(id)), `snapshot ${id}`);
      for (const { consumer, after, lines } of told) {
        if (after === null) continue;
        const repeated = lines.map(parsed).filter((change) => sequence(change._snapshot_id) <= sequence(after));
        expect(repeated, `${consumer} behind ${after}`).toEqual([]);
      }
      // Commit by commit, two readers are told the same of every commit that both were there for.
      const [all, now] = [must(snapshots.get("all"), "all"), must(snapshots.get("now"), "now")];
      const [first] = [...now.keys()].toSorted((a, b) => Number(sequence(a) - sequence(b)));
      const later = [...all.keys()].filter((id) => sequence(id) > sequence(must(first, "a snapshot")));
      expect(later.length).toBeGreaterThan(3);
      for (const id of later) expect(now.get(id)?.toSorted(), id).toEqual(all.get(id)?.toSorted());

      const trailed = wholeLines((await ended(["read", "mart.trail", "--json"])).stdout()).map(
        (line) => JSON.parse(line) as Change & { readonly _position: string } & Record<string, unknown>,
      );
      const given = trailed.map(({ _op, id, _position }) => `${_op} ${id} ${_position}`);
      expect(new Set(given).size).toBe(given.length);
      const point = (text: string) => must(/^(\d+):(\d+)(?:([+=])(\d+))?$/.exec(text), text);
      const ordered = trailed.toSorted((a, b) => {
        const [left, right] = [point(a._position), point(b._position)];
        return Number(left[1]) - Number(right[1]) || Number(left[4] ?? Infinity) - Number(right[4] ?? Infinity);
      });
      const state = new Map<number, string>();
      for (const { _op: op, _ts, _split, _position, ...row } of ordered) {
        if (op === "delete" || op === "update_before")
          expect(state.get(row.id), `${op} of ${row.id}`).toBe(JSON.stringify(row));
        if (op === "insert") expect(state.has(row.id), `insert of ${row.id}`).toBe(false);
        if (op === "delete" || op === "update_before") state.delete(row.id);
        else state.set(row.id, JSON.stringify(row));
      }
      expect([...state.values()].sort()).toEqual(rows);
      // Each has told expiry what it still needs, the job too.
      const listed = await listConsumers(warehouse.io, location, TABLE);
      expect(listed.map(({ name }) => name)).toEqual(["all", "job.trail", "net", "now"]);
      expect(await listConsumers(warehouse.io, location, TRAIL)).toEqual([]);
    },
  );

  it("of two processes the first is told that the second has taken over", async () => {
    const first = follow("pair", "--from", "latest");
    while ((await positionOf("pair")) === null) await sleep(50);
    const second = follow("pair");
    await sleep(1_500);
    await more();
    expect(await first.ended, first.stderr()).toBe(76);
    expect(first.stderr()).toContain(
      "error CONSUMER_TAKEN: the consumer pair of shop.orders was taken over by another process",
    );
    expect(await hasWritten(second, /_op/), second.stderr()).toBe(true);
    second.child.kill("SIGINT");
    expect(await second.ended, second.stderr()).toBe(0);
  });

  it("whose position was removed end, and a position that cannot be read is named, with the way out", async () => {
    const at = consumerLocation(location, TABLE, "broken");
    const reader = follow("broken");
    expect(await hasWritten(reader, /_op/), reader.stderr()).toBe(true);
    await warehouse.io.delete(at);
    await more();
    expect(await reader.ended, reader.stderr()).toBe(76);
    expect(reader.stderr()).toContain("error CONSUMER_TAKEN: the consumer broken of shop.orders was removed");

    await warehouse.io.write(at, Buffer.from('{"version":1,"table_uu'));
    for (const args of [["read", "shop.orders", "--consumer", "broken"], ["consumers"], ["expire", "shop.orders"]]) {
      const refused = await ended(args, 1);
      expect(refused.stderr(), args.join(" ")).toContain(`error CONSUMER_CORRUPT: the consumer ${at} cannot be read`);
      expect(refused.stderr()).toContain("frazil consumers");
    }
    await ended(["consumers", "shop.orders", "--delete", "broken", "--yes"]);
    await ended(["read", "shop.orders", "--consumer", "broken"]);
  });
});
