import { once } from "node:events";
import { EXIT, exitCodeOf, FrazilError } from "../core/errors.ts";
import type { Log } from "../core/runtime.ts";
import { exactInteger } from "../observe/exact-integer.ts";
import type { Globals } from "./globals.ts";

/** Where a verb prints: data on stdout, everything else on stderr. */
export interface Output {
  /** One JSON object a line on stdout: asked for, or stdout is no terminal. */
  readonly json: boolean;
  /** Whether stderr may carry colour. */
  readonly color: boolean;
  /** Columns of the terminal on stdout. */
  readonly widthColumns: number;
  /** Data. Resolves when the reader can take more. */
  write(data: string | Uint8Array): Promise<void>;
  /** Resolves when the system has taken everything written so far. */
  flush(): Promise<void>;
  /** A line for people on stderr; nothing with `--quiet`. */
  note(line: string): void;
}

/** Standard output and error of this process. @param log takes what is noted where standard error holds JSON lines. */
export function processOutput(globals: Globals, log: Log): Output {
  const { stdout, stderr } = process;
  return {
    json: globals.json || !stdout.isTTY,
    color: globals.color,
    widthColumns: stdout.columns ?? 80,
    async write(data) {
      if (!stdout.write(data)) await once(stdout, "drain");
    },
    flush: () =>
      new Promise((resolve, reject) => {
        stdout.write("", (error) => (error == null ? resolve() : reject(error)));
      }),
    note(line) {
      if (globals.quiet) return;
      if (globals.logFormat === "json") log.info(line);
      else stderr.write(`${line}\n`);
    },
  };
}

/** A column of a table for people. */
export interface TableColumn {
  readonly name: string;
  readonly align: "left" | "right";
}

/** Rows in aligned columns under a heading; nothing wraps, and a long line is the terminal's matter. */
export function tableText(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    rows.reduce((width, row) => Math.max(width, textWidth(row[index] ?? "")), textWidth(column.name)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const padding = " ".repeat((widths[index] ?? 0) - textWidth(cell));
        return columns[index]?.align === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width));
  return [columns.map((column) => column.name), rule, ...rows].map((cells) => `${line(cells)}\n`).join("");
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;

/** Terminal columns that a text takes: East Asian characters take two, combining marks none. */
function textWidth(text: string): number {
  const plain = text.replace(/\p{Mn}/gu, "");
  return Array.from(plain).length + (plain.match(WIDE)?.length ?? 0);
}

/** A record as one line of JSON; a bigint is a number where a double holds it and a string otherwise, absent fields are left out. */
export function jsonLine(record: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(record, (_key, value: unknown) => (typeof value === "bigint" ? exactInteger(value) : value))}\n`;
}

/** `1.4 MiB`, for people only. */
export function sizeText(bytes: bigint): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Errors of the command line's own words, which are no setting: usage, like a wrong option. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  "BAD_BRANCH",
  "BAD_CONSUMER",
  "BAD_KEYS",
  "BAD_PART",
  "BAD_RANGE",
  "BAD_TAG",
  "COLUMN_NOT_FOUND",
  "COMPACT_SCOPE",
  "FILE_EXISTS",
  "ROLLBACK_CHOICE",
  "SORT_ORDER",
  "SQL_ERROR",
  "UNKNOWN_SOURCE",
  "USAGE",
  "Z_ORDER",
]);

/** A job file that cannot be used. */
const JOB_FILE_CODES: ReadonlySet<string> = new Set(["JOB_FILE", "JOB_INVALID"]);

/** What is told of an error, and the exit code. */
export interface ErrorReport {
  /** `error CODE: message`, then `hint: …`. */
  readonly text: string;
  /** The same for a log; null for slips of whoever typed the command or the job file, who reads text. */
  readonly fields: Readonly<Record<string, unknown>> | null;
  readonly exitCode: number;
}

/** @param options `verbose` adds the stack and the causes. */
export function errorReport(error: unknown, options: { color: boolean; verbose: boolean }): ErrorReport {
  const paint = (code: string, text: string): string => (options.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const known = error instanceof FrazilError ? error : null;
  const code = known?.code ?? "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  const hint =
    known === null ? "this is a bug; run again with --log-level debug to see where it comes from" : known.hint;
  const stacks: string[] = [];
  for (let cause: unknown = options.verbose ? error : null; cause instanceof Error; cause = cause.cause)
    stacks.push(cause.stack ?? cause.message);
  const lines = [`${paint("1;31", "error")} ${code}: ${message}`];
  if (hint !== undefined) lines.push(`${paint("1", "hint")}: ${hint}`);
  const exitCode = USAGE_CODES.has(code) ? EXIT.usage : exitCodeOf(error);
  const fields = { code, kind: known?.kind ?? "internal", error: message, hint, exitCode };
  return {
    text: `${[...lines, ...stacks].join("\n")}\n`,
    fields:
      exitCode === EXIT.usage || JOB_FILE_CODES.has(code)
        ? null
        : { ...fields, ...(stacks.length === 0 ? {} : { stack: stacks.join("\n") }) },
    exitCode,
  };
}
