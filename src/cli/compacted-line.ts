import { counted, grouped } from "../core/count-text.ts";
import type { CompactedGroup } from "../maintenance/compact/compact.ts";
import { jsonLine, type Output, sizeText } from "./output.ts";

/** What one commit of a compaction did, whichever engine made it: a record, or a line for people. */
export function compactedLine({ json }: Pick<Output, "json">, table: string, done: CompactedGroup): string {
  return json ? jsonLine(recordOf(table, done)) : textOf(done);
}

function recordOf(table: string, { durationMs, ...done }: CompactedGroup): Record<string, unknown> {
  return { event: "compacted", table, ...done, ms: Math.round(durationMs) };
}

function textOf(done: CompactedGroup): string {
  const where = done.partition === "" ? "" : `${done.partition}: `;
  if (done.snapshotId === null) return `${where}skipped: ${done.skipped}\n`;
  return `${where}snapshot ${done.snapshotId}: ${counted(done.filesBefore, "file")} (${sizeText(done.bytesBefore)}) -> ${grouped(done.filesAfter)} (${sizeText(done.bytesAfter)}), ${done.arrangement}, in ${Math.round(done.durationMs)} ms\n`;
}
