#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT, FrazilError } from "../core/errors.ts";
import { errorReport } from "./output.ts";
import { createProgram } from "./program.ts";

const program = createProgram();

// A reader that has seen enough (`frazil query … | head`) is no failure; a full disk is.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  fail(
    new FrazilError("io", "OUTPUT", `standard output cannot be written: ${error.message}`, {
      cause: error,
      hint: "make room where the output goes, then run it again",
    }),
  );
});
// Nobody reads what is told: a job ends as by SIGTERM, after its checkpoint; nothing else minds.
process.stderr.once("error", () => {
  process.stderr.on("error", () => undefined);
  process.emit("SIGTERM");
});

try {
  await program.parseAsync();
  process.exit();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  fail(error);
}

function fail(error: unknown): never {
  const { color, logLevel } = program.opts<{ color?: string; logLevel?: string }>();
  const paints = color === "always" || (color !== "never" && process.stderr.isTTY && !process.env["NO_COLOR"]);
  const report = errorReport(error, { color: paints, verbose: logLevel === "debug" });
  process.stderr.write(report.text);
  process.exit(report.exitCode);
}
