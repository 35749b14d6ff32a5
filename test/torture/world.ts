import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningKafka, startKafka } from "../services/kafka.ts";
import { startMinio } from "../services/minio.ts";
import { freePort } from "../services/ports.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { startTcpProxy, type TcpProxy } from "../services/toxiproxy.ts";
import { startVersitygw } from "../services/versitygw.ts";
import { choices } from "./choice.ts";
import { Feed } from "./feed.ts";
import { type HttpFaults, startHttpFaults } from "./http-faults.ts";
import { type Lake, type LakeKind, openLake } from "./lake.ts";
import { type LastingReaders, openLastingReaders } from "./lasting-readers.ts";

export const STORES = ["minio", "versitygw", "local"] as const;
export type StoreName = (typeof STORES)[number];

const STARTS = { minio: startMinio, versitygw: startVersitygw } as const;

/** The jobs that a run has by default: those on S3 beside one on a folder. */
const USUAL_LAKES: Readonly<Record<StoreName, readonly LakeKind[]>> = {
  minio: ["s3-object-store", "s3-sqlite", "folder-sqlite"],
  versitygw: ["s3-object-store", "s3-sqlite", "folder-object-store"],
  local: ["folder-sqlite", "folder-object-store"],
};

export interface TortureOptions {
  readonly kills: number;
  readonly seed: number;
  readonly store: StoreName;
  /** What the jobs write to, each one; by default `USUAL_LAKES`. */
  readonly lakes?: readonly LakeKind[];
  /** How long a process is suspended at most, and a request to the store late. */
  readonly longestStopMs: number;
  /** Ends the run early; what was done is judged all the same. */
  readonly cutOff?: AbortSignal;
  readonly progress: (line: string) => void;
}

/** A job that is tortured, and who reads what it writes. */
export interface VictimJob {
  readonly name: string;
  /** The job file. */
  readonly path: string;
  readonly lake: Lake;
  readonly readers: LastingReaders;
  /** How far a process' clock may be off, in milliseconds. */
  readonly clockSpanMs: number;
}

/** Real servers, what stands between them and the jobs, and the jobs. All jobs read the same topics. */
export interface World extends AsyncDisposable {
  readonly kafka: RunningKafka;
  /** Null where all jobs write to folders. */
  readonly store: RunningS3 | null;
  readonly network: TcpProxy;
  readonly http: HttpFaults | null;
  readonly feed: Feed;
  readonly jobs: readonly VictimJob[];
  /** What the servers and the jobs keep, and `<job>.log` of what its processes have said. */
  readonly folder: string;
  /** Leaves the folder behind, for somebody to look into. */
  keep(): void;
  /** One at a time disturbs the broker or the way to it, and one the store. */
  readonly turns: Readonly<Record<"broker" | "store", Turns>>;
}

/** Starts work when all that was handed in before is done. */
export type Turns = (work: () => Promise<void>) => Promise<void>;

function turns(): Turns {
  let last = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    // Who waits for its turn does not fail with the one before.
    last = mine.catch(() => undefined);
    return mine;
  };
}

/**
 * Starts them. The broker has two listeners: the one that the feed uses, and one that is reached through the proxy alone, as brokers tell
 * their clients where to connect.
 */
export async function openWorld({ store: storeName, lakes, seed, longestStopMs }: TortureOptions): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "frazil-torture-"));
  let isKept = false;
  stack.defer(() => {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  });
  const [plain, controller, behind, proxied] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const kafka = stack.use(
    await startKafka({
      folder: join(folder, "kafka"),
      port: plain,
      config: {
        "controller.quorum.voters": `1@127.0.0.1:${controller}`,
        listeners: `PLAINTEXT://127.0.0.1:${plain},PROXIED://127.0.0.1:${behind},CONTROLLER://127.0.0.1:${controller}`,
        "advertised.listeners": `PLAINTEXT://127.0.0.1:${plain},PROXIED://127.0.0.1:${proxied}`,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT",
      },
    }),
  );
  const network = stack.use(await startTcpProxy(`127.0.0.1:${proxied}`, `127.0.0.1:${behind}`));
  const store = storeName === "local" ? null : await STARTS[storeName]({ folder: join(folder, storeName) });
  if (store !== null) stack.use(store);
  const http =
    store === null ? null : stack.use(await startHttpFaults(store.endpoint, choices(seed + 1), longestStopMs));
  const feed = await Feed.open(kafka.brokers, "torture", seed);
  stack.defer(() => feed.close());
  const jobs: VictimJob[] = [];
  for (const kind of lakes ?? USUAL_LAKES[storeName]) {
    const lake = stack.use(openLake(kind, kind, folder, store));
    const path = join(folder, `${kind}.yaml`);
    writeFileSync(path, jobFile(kind, feed, network.address, warehouseOf(lake, http)));
    // S3 refuses signatures that are fifteen minutes off.
    const clockSpanMs = lake.s3 === null ? 3_600_000 : 600_000;
    jobs.push({ name: kind, path, lake, readers: stack.use(await openLastingReaders()), clockSpanMs });
  }
  const owned = stack.move();
  return {
    ...{ kafka, store, network, http, feed, jobs, folder },
    keep: () => void (isKept = true),
    turns: { broker: turns(), store: turns() },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** JSON, which is YAML, too. The job knows the store by the proxy's address alone. */
function warehouseOf({ warehouse, s3 }: Lake, http: HttpFaults | null): string {
  if (s3 === null) return JSON.stringify(warehouse);
  const { region, accessKeyId: access_key_id, secretAccessKey: secret_access_key } = s3;
  return JSON.stringify({ ...warehouse, s3: { endpoint: http?.endpoint, region, access_key_id, secret_access_key } });
}

function jobFile(name: string, feed: Feed, broker: string, warehouse: string): string {
  return `name: ${name}
source:
  type: kafka
  brokers: ["${broker}"]
  topics: [${feed.topics.join(", ")}]
  format: debezium-json
warehouse: ${warehouse}
tables:
  - { from: bank.accounts, to: bank.accounts, mode: upsert, columns: { balance: "decimal(18,2)", moved_at: timestamptz }, partition_by: ["bucket(4, id)"] }
  - { from: bank.stock, to: bank.stock, mode: upsert, columns: { quantity: int } }
  - { from: bank.entries, to: bank.entries, mode: append, columns: { amount: "decimal(18,2)" } }
  - { from: bank.checking, to: bank.checking, mode: upsert }
  - { from: bank.saving, to: bank.saving, mode: upsert }
  - { from: bank.registers, to: bank.registers, mode: append }
checkpoint: { interval: 400ms }
maintenance:
  compact: { every: 6s, min_files: 4, pace: 1 }
  rewrite_manifests: { every: 12s }
  expire: { every: 5s, keep: 60s, min_snapshots: 8 }
  clean_orphans: { every: 4s }
`;
}
