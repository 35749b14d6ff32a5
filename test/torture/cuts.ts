import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { parsePosition, type Position } from "../../src/core/position.ts";
import type { Readers } from "../readers/reader.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import type { AuditedTable } from "./audit.ts";
import type { FedTable } from "./feed.ts";

/** All tables of the job as a reader may see them together. */
export interface Cut {
  readonly id: string;
  /** Every change at or below it is in the tables, and none beyond. */
  readonly position: Position;
  /** The snapshot of each table. */
  readonly tables: ReadonlyMap<FedTable, string>;
}

export interface Cuts extends Disposable {
  /** Null while there is none. @throws Error while the store cannot be reached */
  newest(): Promise<Cut | null>;
}

/** The ledger as it lies in the store: JSON, read without any code of the product. */
export function ledgerCuts(store: RunningS3, key: string): Cuts {
  const { endpoint, region, accessKeyId, secretAccessKey, bucket } = store;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  return {
    async newest() {
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key })).catch((error: Error) => {
        if (error.name === "NoSuchKey") return null;
        throw error;
      });
      if (answer === null) return null;
      const ledger = JSON.parse((await answer.Body?.transformToString()) ?? "{}") as {
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
    },
    [Symbol.dispose]: () => client.destroy(),
  };
}

/**
 * Where one commit spans all tables that a checkpoint changes: a cut is what the newest checkpoint left in each, by the stamps that PyIceberg
 * reads. The tables are looked at one after the other, so only a cut that none of them has moved beyond meanwhile is given.
 */
export function stampCuts(tables: readonly AuditedTable[], readers: Readers): Cuts {
  const heads = async (): Promise<readonly { name: FedTable; id: string; checkpoint: number; position: string }[]> => {
    const found = [];
    for (const { name, place } of tables) {
      const { snapshots } = await readers.describe(place);
      const head = snapshots.findLast(({ summary }) => summary["ingest.position"] !== undefined);
      if (head === undefined) return [];
      const { "ingest.ckpt": checkpoint, "ingest.position": position = "" } = head.summary;
      found.push({ name, id: head.snapshotId, checkpoint: Number(checkpoint), position });
    }
    return found;
  };
  return {
    async newest() {
      const [before, after] = [await heads(), await heads()];
      if (before.length === 0 || JSON.stringify(before) !== JSON.stringify(after)) return null;
      const newest = before.reduce((a, b) => (b.checkpoint > a.checkpoint ? b : a));
      const position = parsePosition(newest.position);
      return {
        id: `checkpoint ${newest.checkpoint}`,
        position,
        tables: new Map(before.map(({ name, id }) => [name, id])),
      };
    },
    [Symbol.dispose]: () => undefined,
  };
}
