import { grouped } from "../../core/count-text.ts";
import { FrazilError } from "../../core/errors.ts";
import { replayedUpTo } from "../../pipeline/plan-replay.ts";
import { deadLetterOf } from "../../run.ts";
import { type Letter, LETTER_HEAD, readLetters } from "../../sources/dead-letters/letters.ts";
import { parseHeaders } from "../../sources/dead-letters/source.ts";
import { openWarehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { jsonLine, tableText } from "../output.ts";

/** Longest reason in a table for people; the whole one is a `show` away. */
const REASON_WIDTH = 80;

/** Bytes of a key or value that a terminal gets; `--json` has all. */
const SHOWN_BYTES = 4_096;

export interface ShowLetterOptions {
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
}

export interface ListLettersOptions {
  readonly all?: boolean;
}

type Head = Pick<Letter, (typeof LETTER_HEAD)[number]>;

/** Letters of one cause. */
interface Cause {
  readonly first: Head;
  count: number;
}

/** `frazil dead-letters list <job> [--all]`: one line for each code, column and table, the most frequent first. */
export async function listLetters(context: CliContext, path: string, options: ListLettersOptions): Promise<void> {
  const { output } = context;
  const causes = new Map<string, Cause>();
  let replayed = 0;
  for await (const { letter, isReplayed } of lettersOf(context, path, LETTER_HEAD)) {
    if (isReplayed) replayed++;
    if (isReplayed && options.all !== true) continue;
    const id = JSON.stringify([letter.code, letter.column, letter.target]);
    const cause = causes.get(id);
    if (cause === undefined) causes.set(id, { first: letter, count: 1 });
    else cause.count++;
  }
  const sorted = [...causes.values()].sort((a, b) => b.count - a.count);
  if (output.json) {
    for (const { first, count } of sorted) {
      const { code, column, target, reason, topic, partition, offset } = first;
      const example = { topic, partition, offset, timestamp: timestampText(first.timestamp), reason };
      await output.write(jsonLine({ code, column, target, count, first: example }));
    }
    return;
  }
  const rows = sorted.map(({ first, count }) => [
    grouped(count),
    first.code,
    first.column ?? "",
    first.target ?? "",
    placeOf(first),
    visible(first.reason.length > REASON_WIDTH ? `${first.reason.slice(0, REASON_WIDTH)}…` : first.reason).replaceAll(
      /\s/g,
      " ",
    ),
  ]);
  if (rows.length === 0) output.note("no dead letters");
  else await output.write(tableText(COLUMNS, rows));
  if (replayed > 0 && options.all !== true) output.note(`${grouped(replayed)} replayed; --all shows them too`);
}

const COLUMNS = [
  { name: "count", align: "right" },
  { name: "code", align: "left" },
  { name: "column", align: "left" },
  { name: "table", align: "left" },
  { name: "first", align: "left" },
  { name: "reason", align: "left" },
] as const;

/** `frazil dead-letters show <job> --topic … --partition … --offset …`. @throws FrazilError `not-found`. */
export async function showLetter(context: CliContext, path: string, options: ShowLetterOptions): Promise<void> {
  const { output } = context;
  const names = [...LETTER_HEAD, "key", "value", "headers"] as const;
  let found = 0;
  for await (const { letter, isReplayed } of lettersOf(context, path, names)) {
    const { topic, partition, offset } = letter;
    if (topic !== options.topic || String(partition) !== options.partition || String(offset) !== options.offset)
      continue;
    found++;
    await output.write(output.json ? jsonLine(letterRecord(letter, isReplayed)) : letterText(letter, isReplayed));
  }
  if (found > 0) return;
  throw new FrazilError(
    "not-found",
    "LETTER_NOT_FOUND",
    `there is no dead letter of ${options.topic}/${options.partition} at offset ${options.offset}`,
    { hint: `frazil dead-letters list ${path}` },
  );
}

async function* lettersOf<N extends keyof Letter>(
  context: CliContext,
  path: string,
  names: readonly N[],
): AsyncGenerator<{ readonly letter: Pick<Letter, N | "letter">; readonly isReplayed: boolean }> {
  const job = readJob(context, path);
  const { ident } = deadLetterOf(job);
  const { catalog, io, location } = await openWarehouse(job.warehouse, context.runtime, "read");
  try {
    const table = await catalog.loadTable(ident);
    // Created with the first letter.
    if (table === null) return;
    const next = await replayedUpTo({ pipeline: job.name, catalog, io, warehouseLocation: location });
    for await (const letters of readLetters(io, table, job.name, names)) {
      for (const letter of letters) yield { letter, isReplayed: letter.letter < next };
    }
  } finally {
    await catalog.close();
  }
}

function letterRecord(letter: Letter, isReplayed: boolean): Record<string, unknown> {
  const { key, value, headers, timestamp, ...head } = letter;
  return {
    ...head,
    timestamp: timestampText(timestamp),
    replayed: isReplayed,
    key: bytesRecord(key),
    value: bytesRecord(value),
    headers: parseHeaders(headers).map(([name, bytes]) => ({ name, value: bytesRecord(bytes) })),
  };
}

/** Text where the bytes are UTF-8, else hexadecimal digits: either gives the bytes back. */
function bytesRecord(bytes: Uint8Array | null): { text: string } | { hex: string } | null {
  if (bytes === null) return null;
  const text = utf8OrNull(bytes);
  return text === null ? { hex: Buffer.from(bytes).toString("hex") } : { text };
}

function letterText(letter: Letter, isReplayed: boolean): string {
  const { code, column, target, reason, timestamp } = letter;
  const lines = [
    `${placeOf(letter)}  ${timestampText(timestamp)}  letter ${letter.letter}${isReplayed ? ", replayed" : ""}`,
    `${code}${target === null ? "" : `  ${target}`}${column === null ? "" : `  column ${column}`}`,
    visible(reason),
    ...part("key", letter.key),
    ...part("value", letter.value),
    ...parseHeaders(letter.headers).flatMap(([name, bytes]) => part(`header ${visible(name)}`, bytes)),
  ];
  return `${lines.join("\n")}\n\n`;
}

function part(name: string, bytes: Uint8Array | null): string[] {
  if (bytes === null) return ["", `${name}: none`];
  const text = utf8OrNull(bytes);
  const rest =
    bytes.length > SHOWN_BYTES ? `… ${grouped(bytes.length - SHOWN_BYTES)} bytes more; --json prints all` : null;
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const body = text === null ? hexLines(shown) : visible(Buffer.from(shown).toString("utf8"));
  return [
    "",
    `${name}: ${grouped(bytes.length)} bytes, ${text === null ? "not UTF-8" : "text"}`,
    body,
    ...(rest === null ? [] : [rest]),
  ];
}

function hexLines(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString("hex");
  return (digits.match(/.{1,64}/g) ?? []).map((line) => line.replace(/(.{8})(?=.)/g, "$1 ")).join("\n");
}

/** Text without what a terminal would take for commands: messages may hold anything. Lines and tabs stay. */
function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function utf8OrNull(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function placeOf({ topic, partition, offset }: Head): string {
  return `${topic}/${partition ?? "?"} offset ${offset}`;
}

function timestampText(micros: bigint): string {
  return new Date(Number(micros / 1_000n)).toISOString();
}
