import type { MessageSlab } from "../../core/message-slab.ts";
import { rangesEqual } from "../json-bytes/text.ts";

const NONE = new Uint8Array(0);

/**
 * Tells whether a tombstone is the echo of a delete. Debezium sends each `d` and right after it a tombstone with the same message key.
 * Where a job's `key:` has columns that the message key lacks, a tombstone cannot name a row. As an echo it need not; alone
 * (compaction has taken the `d`) it would leave a row that the source no longer has.
 */
export class TombstoneEchoes {
  /** Message key of the last delete of each split that has been read. */
  private readonly lastKeys = new Map<string, Uint8Array>();
  private lastDelete = -1;

  begin(): void {
    this.lastDelete = -1;
  }

  /** Message `message` of the slab is a delete. */
  noteDelete(message: number): void {
    this.lastDelete = message;
  }

  /** Also true of the first message of a split since the start: its delete was the last change of the run before. */
  isEcho(slab: MessageSlab, message: number): boolean {
    return this.echoes(slab, message) ?? message === 0;
  }

  /** Whether the delete has been read. */
  isKnownEcho(slab: MessageSlab, message: number): boolean {
    return this.echoes(slab, message) === true;
  }

  /** Null: nobody knows, as the split is read from here on. */
  private echoes(slab: MessageSlab, message: number): boolean | null {
    const start = slab.keyStarts[message] as number;
    const end = slab.keyEnds[message] as number;
    if (this.lastDelete >= 0) {
      const from = slab.keyStarts[this.lastDelete] as number;
      return rangesEqual(slab.bytes, from, slab.keyEnds[this.lastDelete] as number, slab.bytes, start, end);
    }
    const last = this.lastKeys.get(slab.split);
    return last === undefined ? null : rangesEqual(last, 0, last.length, slab.bytes, start, end);
  }

  finish(slab: MessageSlab): void {
    if (this.lastDelete >= 0) {
      const start = slab.keyStarts[this.lastDelete] as number;
      this.lastKeys.set(slab.split, start < 0 ? NONE : slab.bytes.slice(start, slab.keyEnds[this.lastDelete]));
    } else if (slab.count > 0 && !this.lastKeys.has(slab.split)) {
      this.lastKeys.set(slab.split, NONE);
    }
  }
}
