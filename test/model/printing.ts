import { explore, type Exploration, type Model } from "./explore.ts";

/** More than any configuration has: one that reaches it is cut off, and fails. */
const MAX_STATES = 3_000_000;

/** Explores a model and prints a line of it. */
export function explored(model: Model): Exploration {
  const result = explore(model, { maxStates: MAX_STATES, nowMs: () => performance.now() });
  const { states, steps, depth, seconds, violation } = result;
  const found = violation === null ? "" : `: ${violation.invariant}\n  ${violation.trace.join("\n  ")}`;
  process.stdout.write(
    `${model.name}: ${states} states, ${steps} steps, depth ${depth}, ${seconds.toFixed(1)} s${found}\n`,
  );
  return result;
}

/** Explores a model that lacks a protection and prints what it breaks after how many steps, and which. */
export function brokenBy(model: Model): Exploration {
  const result = explore(model, { maxStates: MAX_STATES, nowMs: () => performance.now() });
  const { violation } = result;
  const harm = violation === null ? "nothing breaks" : `${violation.invariant} | ${violation.trace.length} steps`;
  const trace = violation === null ? "" : `  ${violation.trace.join("; ")}\n`;
  process.stdout.write(`| ${model.name} | ${harm} |\n${trace}`);
  return result;
}
