import type { FileIO } from "../../../table-format/index.ts";
import { randomHex8, type Runtime } from "../../core/runtime.ts";
import { historyFolder } from "./names.ts";
import { recordFields, type RunRecord } from "./run-record.ts";
import {
  MAINTENANCE_HISTORY_OBJECT_BYTES,
  MAINTENANCE_HISTORY_OBJECTS,
  MAINTENANCE_UNSAVED_RECORDS,
} from "../../core/limits.ts";

const DAY_MS = 86_400_000;

export interface HistoryWriter {
  /** Keeps a record for the next `save`. */
  add(record: RunRecord): void;
  /** Makes what was added durable. Never rejects: a store that is gone is told, and the records wait for the next time. */
  save(): Promise<void>;
}

/**
 * Appends to the history. Each process has objects of its own, which it replaces as they grow and leaves when they are full, so that
 * nobody waits for anybody; a reader puts them together by the records' ids.
 *
 * @param keepMs objects of days older than this are deleted, and beyond `MAINTENANCE_HISTORY_OBJECTS` the oldest.
 */
export function createHistoryWriter(
  io: FileIO,
  warehouseLocation: string,
  runtime: Runtime,
  keepMs: number,
): HistoryWriter {
  const { clock, random, log } = runtime;
  const folder = historyFolder(warehouseLocation);
  const instance = randomHex8(random);
  let unsaved: string[] = [];
  let current: { readonly location: string; readonly etag: string; readonly text: string } | null = null;
  let objects = 0;
  let sweptMs = Number.NEGATIVE_INFINITY;
  let saving: Promise<void> = Promise.resolve();

  const put = async (lines: readonly string[]): Promise<void> => {
    const added = lines.join("");
    const [day = "", time = ""] = new Date(clock.nowMs()).toISOString().split("T");
    // Readers go day by day: what was saved on a day lies in its folder.
    const open = current?.location.startsWith(`${folder}/${day}/`) === true;
    const full = (current?.text.length ?? 0) + added.length > MAINTENANCE_HISTORY_OBJECT_BYTES;
    const before = open && !full ? current : null;
    // Until an answer is there it cannot be told what the object holds: then the next records get a new one.
    current = null;
    const text = (before?.text ?? "") + added;
    const bytes = Buffer.from(text);
    if (before !== null) {
      const replaced = await io.replace(before.location, bytes, before.etag);
      if (replaced.outcome === "replaced") current = { ...before, etag: replaced.etag, text };
    }
    if (current !== null) return;
    const number = String(++objects).padStart(4, "0");
    const location = `${folder}/${day}/${time.replace(/\D/g, "")}-${instance}-${number}.jsonl`;
    const created = await io.create(location, Buffer.from(added));
    if (created.outcome === "created") current = { location, etag: created.etag, text: added };
  };

  const saveNow = async (): Promise<void> => {
    const lines = unsaved;
    if (lines.length === 0) return;
    unsaved = [];
    try {
      await put(lines);
      if (clock.nowMs() - sweptMs < DAY_MS) return;
      sweptMs = clock.nowMs();
      await sweep(io, folder, sweptMs - keepMs);
    } catch (error) {
      log.warn("the history of maintenance cannot be written; trying again later", { cause: String(error) });
      // Written twice, a record is the same by its id.
      unsaved = [...lines, ...unsaved].slice(-MAINTENANCE_UNSAVED_RECORDS);
    }
  };

  return {
    add: (record) => void unsaved.push(`${JSON.stringify(recordFields(record))}\n`),
    save: () => (saving = saving.then(saveNow)),
  };
}

/** Deletes objects of days before a time, and the oldest of those that are too many. */
async function sweep(io: FileIO, folder: string, beforeMs: number): Promise<void> {
  const found = (await Array.fromAsync(io.list(folder), ({ location }) => location)).sort().reverse();
  const oldest = new Date(beforeMs).toISOString().slice(0, 10);
  for (const [index, location] of found.entries()) {
    const day = location.slice(folder.length + 1, folder.length + 11);
    if (index >= MAINTENANCE_HISTORY_OBJECTS || day < oldest) await io.delete(location);
  }
}
