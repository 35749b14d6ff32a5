#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT } from "../core/errors.ts";
import { errorReport } from "./output.ts";
import { createProgram } from "./program.ts";

// A reader that has seen enough (`frazil query … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

const program = createProgram();
try {
  await program.parseAsync();
  process.exit();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  const { color, logLevel } = program.opts<{ color?: string; logLevel?: string }>();
  const paints = color === "always" || (color !== "never" && process.stderr.isTTY && !process.env["NO_COLOR"]);
  const report = errorReport(error, { color: paints, verbose: logLevel === "debug" });
  process.stderr.write(report.text);
  process.exit(report.exitCode);
}
