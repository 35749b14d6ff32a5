import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openReaders, type Readers } from "../readers/reader.ts";
import { type RunningKafka, startKafka } from "../services/kafka.ts";
import { startMinio } from "../services/minio.ts";
import { freePort } from "../services/ports.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { startTcpProxy, type TcpProxy } from "../services/toxiproxy.ts";
import { startVersitygw } from "../services/versitygw.ts";
import type { AuditedTable } from "./audit.ts";
import type { SeededRandom } from "./choice.ts";
import { type Cuts, ledgerCuts, stampCuts } from "./cuts.ts";
import { FED_TABLES, Feed, type FedTable } from "./feed.ts";
import { type HttpFaults, startHttpFaults } from "./http-faults.ts";

export const STORES = ["minio", "versitygw", "local"] as const;
export type StoreName = (typeof STORES)[number];

/** The key of the job's ledger, by which readers find a cut over all its tables. */
const LEDGER = "lake/_ingest/bank/ledger.json";

/** Real servers, what stands between them and a job, and the job. */
export interface World extends AsyncDisposable {
  readonly kafka: RunningKafka;
  /** Null for a local folder. */
  readonly store: RunningS3 | null;
  readonly network: TcpProxy;
  readonly http: HttpFaults | null;
  readonly feed: Feed;
  readonly readers: Readers;
  readonly job: string;
  readonly tables: readonly AuditedTable[];
  readonly cuts: Cuts;
  /** How far a process' clock may be off, in milliseconds: S3 refuses signatures that are fifteen minutes off. */
  readonly clockSpanMs: number;
}

/**
 * Starts them. The broker has two listeners: the one that the feed uses, and one that is reached through the proxy alone, as brokers tell
 * their clients where to connect.
 */
export async function openWorld(storeName: StoreName, seed: number, random: SeededRandom): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "frazil-torture-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [plain, controller, behind, proxied] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const kafka = stack.use(
    await startKafka({
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
  const store = storeName === "local" ? null : await (storeName === "minio" ? startMinio() : startVersitygw());
  if (store !== null) stack.use(store);
  const http = store === null ? null : stack.use(await startHttpFaults(store.endpoint, random));
  const readers = stack.use(await openReaders());
  const feed = await Feed.open(kafka.brokers, "torture", seed);
  stack.defer(() => feed.close());
  const location = store === null ? join(folder, "lake") : `s3://${store.bucket}/lake`;
  const job = join(folder, "bank.yaml");
  writeFileSync(job, jobFile(feed, network.address, location, store, http));
  const places = (table: FedTable): AuditedTable["place"] =>
    store === null
      ? { sqlite: join(location, "catalog.sqlite"), table: `bank.${table}` }
      : { location: `${location}/bank/${table}` };
  const tables = FED_TABLES.map((name) => ({ name, place: places(name) }));
  const cuts = stack.use(store === null ? stampCuts(tables, readers) : ledgerCuts(store, LEDGER));
  const owned = stack.move();
  return {
    kafka,
    store,
    network,
    http,
    feed,
    readers,
    job,
    tables,
    cuts,
    clockSpanMs: store === null ? 3_600_000 : 600_000,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function jobFile(
  feed: Feed,
  broker: string,
  location: string,
  store: RunningS3 | null,
  http: HttpFaults | null,
): string {
  const s3 =
    store === null
      ? ""
      : `  s3: { endpoint: "${http?.endpoint}", region: ${store.region}, access_key_id: ${store.accessKeyId}, secret_access_key: ${store.secretAccessKey} }\n`;
  return `name: bank
source:
  type: kafka
  brokers: ["${broker}"]
  topics: [${feed.topics.join(", ")}]
  format: debezium-json
warehouse:
  location: ${location}
${s3}tables:
  - { from: bank.accounts, to: bank.accounts, mode: upsert, columns: { balance: "decimal(18,2)", moved_at: timestamptz }, partition_by: ["bucket(4, id)"] }
  - { from: bank.stock, to: bank.stock, mode: upsert, columns: { quantity: int } }
  - { from: bank.entries, to: bank.entries, mode: append, columns: { amount: "decimal(18,2)" } }
  - { from: bank.checking, to: bank.checking, mode: upsert }
  - { from: bank.saving, to: bank.saving, mode: upsert }
  - { from: bank.registers, to: bank.registers, mode: append }
checkpoint: { interval: 400ms }
maintenance:
  compact: { every: 3s, min_files: 4, pace: 1 }
  rewrite_manifests: { every: 7s }
`;
}
