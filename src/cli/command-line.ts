import { type Command, CommanderError } from "commander";
import { EXIT, FrazilError } from "../core/errors.ts";
import { type Globals, globalsOf } from "./globals.ts";
import { errorReport } from "./output.ts";
import { createProgram } from "./program.ts";

let called: Command | null = null;

/** Runs the verb that this process was called with, and ends the process. */
export async function runCommandLine(): Promise<never> {
  const program = createProgram();
  program.hook("preAction", (_program, command) => void (called = command));

  // A reader that has seen enough (`frazil query … | head`) is no failure; a full disk is.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.ok);
    void fail(
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
    return fail(error);
  }
}

/** Tells of the error, in the form that the call's options ask for, and ends the process. */
async function fail(error: unknown): Promise<never> {
  const globals = settledGlobals();
  const report = errorReport(error, { color: globals?.color ?? false, verbose: globals?.logLevel === "debug" });
  if (globals?.logFormat === "json" && report.fields !== null) {
    const { processLog } = await import("./context.ts");
    processLog({ ...globals, logLevel: "error" }).error("failed", report.fields);
  } else {
    process.stderr.write(report.text);
  }
  process.exit(report.exitCode);
}

/** Null where the call's own options are what is wrong. */
function settledGlobals(): Globals | null {
  try {
    return called === null ? null : globalsOf(called);
  } catch {
    return null;
  }
}
