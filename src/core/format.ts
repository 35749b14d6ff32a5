import type { ChangeBatch } from "./change-batch.ts";
import type { FrazilError } from "./errors.ts";
import type { MessageSlab } from "./message-slab.ts";
import type { DecodeNotices, TableRouter } from "./table-binding.ts";

/** Decodes messages into change batches. Keeps state between calls (learned schemas), so one decoder serves one job. */
export interface Decoder {
  /**
   * Decodes the whole slab: batches in message order per table; a change of the columns' set or types starts another batch.
   * @throws FrazilError kind `data` naming stream, split, offset, column, what was expected and what was found.
   */
  decode(slab: MessageSlab): ChangeBatch[];
}

export interface Format {
  /** What it is, in one line, for `frazil list formats`. */
  readonly summary: string;
  /** Whether its messages name the columns that tell rows apart, so that an upsert table can do without `key:`. */
  readonly namesKey: boolean;
  /** Whether its times come without a zone, so that `timestamptz` takes them as UTC. */
  readonly zoneless?: boolean;
  /** @param rejects where messages go that cannot be decoded; null: the first one ends the job with its error. */
  createDecoder(router: TableRouter, notices: DecodeNotices, rejects: Rejects | null): Decoder;
}

/** Keeps messages that cannot be decoded, so that the job goes on without them. */
export interface Rejects {
  /**
   * Takes message `message` of the slab; the decoder leaves no row of it behind.
   * @param error kind `data`: why. @param column the column that it is about, where one is.
   * @param target `namespace.table` that the message is for, where that is known.
   * @throws FrazilError kind `data` when the job has had enough of them.
   */
  reject(slab: MessageSlab, message: number, error: FrazilError, column: string | null, target?: string | null): void;
}
