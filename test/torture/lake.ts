import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { parsePosition, type Position } from "../../src/core/position.ts";
import type { TableDescription } from "../readers/reader.ts";
import type { LocatedTable, S3Location, SqliteTable } from "../readers/requests.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { FED_TABLES, type FedTable } from "./feed.ts";

/** Where the tables of a job lie, and the catalog that they are found by. */
export const LAKES = ["s3-object-store", "s3-sqlite", "folder-sqlite", "folder-object-store"] as const;
export type LakeKind = (typeof LAKES)[number];

/** All tables of a job as a reader may see them together. */
export interface Cut {
  readonly id: string;
  /** Every change at or below it is in the tables, and none beyond. */
  readonly position: Position;
  /** The snapshot of each table. */
  readonly tables: ReadonlyMap<FedTable, string>;
}

/** The tables of a job as they lie in a store, found without any code of the product. */
export interface Lake extends Disposable {
  readonly kind: LakeKind;
  /** `warehouse:` of the job, but for how the store is reached. */
  readonly warehouse: object;
  /** How to reach the store; null for a folder. */
  readonly s3: S3Location | null;
  /** Where PyIceberg finds a table. */
  place(table: FedTable): LocatedTable | SqliteTable;
  /** The newest metadata file of each table that there is. @throws Error while the store cannot be reached */
  heads(): Promise<ReadonlyMap<FedTable, string>>;
  /** Reads a cut from the ledger; null where one commit spans all tables, and what `heads` gives is one. */
  readonly ledger: (() => Promise<Cut | null>) | null;
}

/** Opens what a job of this name writes. @param store of a kind that begins with `s3` */
export function openLake(kind: LakeKind, name: string, folder: string, store: RunningS3 | null): Lake {
  const remote = kind.startsWith("s3");
  if (remote && store === null) throw new Error(`expected a store for ${kind}, found none`);
  const root = remote ? `s3://${store?.bucket}/${name}` : join(folder, name);
  const s3 = remote ? store : null;
  const objects = s3 === null ? folderObjects(root) : storeObjects(s3, name);
  if (kind.endsWith("sqlite")) {
    const sqlite = join(folder, `${name}.sqlite`);
    return {
      ...{ kind, s3, ledger: null },
      warehouse: { location: root, catalog: { type: "sqlite", path: sqlite } },
      place: (table) => ({ sqlite, table: `bank.${table}` }),
      heads: async () => sqliteHeads(sqlite),
      [Symbol.dispose]: objects.close,
    };
  }
  const place = (table: FedTable): LocatedTable => ({ location: `${root}/bank/${table}` });
  return {
    ...{ kind, s3, place },
    warehouse: { location: root, catalog: { type: "object-store" } },
    async heads() {
      const heads = new Map<FedTable, string>();
      for (const table of FED_TABLES) {
        const hint = await objects.read(`bank/${table}/metadata/version-hint.text`);
        if (hint !== null) heads.set(table, `${place(table).location}/metadata/${hint}.metadata.json`);
      }
      return heads;
    },
    ledger: async () => ledgerCut(await objects.read(`_ingest/${name}/ledger.json`)),
    [Symbol.dispose]: objects.close,
  };
}

/** Objects by their path below a root; null is one that is not there. */
interface Objects {
  read(path: string): Promise<string | null>;
  close(): void;
}

function folderObjects(root: string): Objects {
  return {
    read: (path) =>
      readFile(join(root, path), "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return null;
        throw error;
      }),
    close: () => undefined,
  };
}

function storeObjects({ endpoint, region, accessKeyId, secretAccessKey, bucket }: RunningS3, prefix: string): Objects {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  return {
    async read(path) {
      const command = new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${path}` });
      const answer = await client.send(command).catch((error: Error) => {
        if (error.name === "NoSuchKey") return null;
        throw error;
      });
      return (await answer?.Body?.transformToString()) ?? null;
    },
    close: () => client.destroy(),
  };
}

/** What the catalog's file names: one statement sees all tables as of one commit. */
function sqliteHeads(path: string): ReadonlyMap<FedTable, string> {
  try {
    using database = new DatabaseSync(path, { readOnly: true });
    const rows = database
      .prepare("SELECT table_name, metadata_location FROM iceberg_tables WHERE table_namespace = 'bank'")
      .all();
    return new Map(rows.map((row) => [String(row["table_name"]) as FedTable, String(row["metadata_location"])]));
  } catch (error) {
    // Before the first job has made the file and its tables.
    if (/unable to open database|no such table/.test((error as Error).message)) return new Map();
    throw error;
  }
}

/** The cut that a ledger tells of; it is read as the JSON that it is. */
function ledgerCut(text: string | null): Cut | null {
  if (text === null) return null;
  const ledger = JSON.parse(text) as {
    epoch: string;
    checkpoint: string;
    position: string;
    tables: Record<string, string>;
  };
  const position = parsePosition(ledger.position);
  if (position.size === 0) return null;
  const tables = new Map(
    Object.entries(ledger.tables).map(([name, id]) => [name.replace(/^bank\./, "") as FedTable, id]),
  );
  return { id: `${ledger.epoch}/${ledger.checkpoint}`, position, tables };
}

/** The cut that all tables make as they stand, by the newest stamp in any of them; null while there is none in one. */
export function headsCut(tables: ReadonlyMap<FedTable, TableDescription>): Cut | null {
  const snapshots = new Map<FedTable, string>();
  let newest = { checkpoint: -1, position: "" };
  for (const [name, { currentSnapshotId, snapshots: all }] of tables) {
    const stamped = all.findLast(({ summary }) => summary["ingest.position"] !== undefined);
    if (stamped === undefined || currentSnapshotId === null) return null;
    const { "ingest.ckpt": checkpoint, "ingest.position": position = "" } = stamped.summary;
    if (Number(checkpoint) > newest.checkpoint) newest = { checkpoint: Number(checkpoint), position };
    snapshots.set(name, currentSnapshotId);
  }
  if (newest.position === "") return null;
  const position = parsePosition(newest.position);
  if (position.size === 0) return null;
  return { id: [...snapshots.values()].join(" "), position, tables: snapshots };
}
