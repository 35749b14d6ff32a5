import { pino } from "pino";
import type { Log } from "../core/runtime.ts";
import { exactInteger } from "./exact-integer.ts";

/** From the most to the least. `silent` prints nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Text is for people, one line a message; JSON for machines, one object a line. */
  readonly format: "text" | "json";
  /** Whether text lines may carry colour. */
  readonly color: boolean;
  readonly nowMs: () => number;
  /** Takes whole lines, newline included. */
  readonly write: (line: string) => void;
}

/** A log that writes every message at once: what was said before a crash is there after it. */
export function createLog(options: LogOptions): Log {
  return options.format === "json" ? jsonLog(options) : textLog(options);
}

function jsonLog({ level, nowMs, write }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    debug: (message, fields) => logger.debug(plainFields(fields), message),
    info: (message, fields) => logger.info(plainFields(fields), message),
    warn: (message, fields) => logger.warn(plainFields(fields), message),
    error: (message, fields) => logger.error(plainFields(fields), message),
  };
}

/** JSON has no place for bigint, and pino prints an error only under its own key. */
function plainFields(fields: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields ?? {}).map(([key, value]) => {
      if (typeof value === "bigint") return [key, exactInteger(value)];
      return [key, value instanceof Error ? fieldText(value) : value];
    }),
  );
}

const COLOR_OF_LEVEL = { debug: "\u001b[2m", info: "", warn: "\u001b[33m", error: "\u001b[31m" } as const;

function textLog({ level, color, nowMs, write }: LogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const at =
    (name: keyof typeof COLOR_OF_LEVEL) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (LOG_LEVELS.indexOf(name) < threshold) return;
      const time = new Date(nowMs()).toISOString().slice(11, 19);
      const label = color && COLOR_OF_LEVEL[name] ? `${COLOR_OF_LEVEL[name]}${name}\u001b[0m` : name;
      const tail = Object.entries(fields ?? {})
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `  ${key}=${fieldText(value)}`);
      write(`${time} ${label}${" ".repeat(5 - name.length)} ${message}${tail.join("")}\n`);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  if (value instanceof Error) return value.message;
  if (typeof value === "object" && value !== null) {
    return JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? String(part) : part));
  }
  return String(value);
}
