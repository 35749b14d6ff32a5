import { type Command, InvalidArgumentError } from "commander";
import { durationMs, sizeBytes } from "../config/units.ts";
import type { CliContext } from "./context.ts";
import { globalsOf } from "./globals.ts";
import { endOnSignals } from "./signals.ts";

/** A commander action: the context first, then the verb's arguments and options as commander gives them. */
export function verb<A extends unknown[]>(run: (context: CliContext, ...args: A) => Promise<void>) {
  return async (...parameters: unknown[]): Promise<void> => {
    const command = parameters.at(-1) as Command;
    const globals = globalsOf(command);
    // The AWS SDK looks for its AWS_* in the process's own environment.
    Object.assign(process.env, globals.env);
    const { createContext } = await import("./context.ts");
    endOnSignals();
    await run(createContext(globals), ...(parameters.slice(0, -1) as A));
  };
}

/** An option's value as milliseconds. */
export function durationOption(text: string): number {
  const ms = durationMs(text);
  if (ms === null) throw new InvalidArgumentError("Write 30s, 10m or 2h.");
  return ms;
}

/** An option's value as a positive whole number. */
export function countOption(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("Expected a positive whole number.");
  return count;
}

/** An option's value as bytes. */
export function sizeOption(text: string): number {
  const bytes = sizeBytes(text);
  if (bytes === null) throw new InvalidArgumentError("Write 64MiB or 1GB.");
  return bytes;
}

/** An option's value as a ratio of two parts of a whole: from 0 to 1. */
export function ratioOption(text: string): number {
  const ratio = Number(text);
  if (text.trim() === "" || !(ratio >= 0 && ratio <= 1))
    throw new InvalidArgumentError("Expected a number from 0 to 1.");
  return ratio;
}

/** An option's value as a share of a whole: above 0, at most 1. */
export function shareOption(text: string): number {
  const share = Number(text);
  if (!(share > 0 && share <= 1)) throw new InvalidArgumentError("Expected a number above 0, at most 1.");
  return share;
}
