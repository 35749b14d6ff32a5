import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type Command, Option } from "commander";
import type { Environment } from "../config/interpolate.ts";
import { FrazilError } from "../core/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/log.ts";

/** The options that every verb takes; each is also an environment variable (`FRAZIL_LOG_LEVEL`). */
export interface Globals {
  /** JSON lines on stdout, whatever it is. */
  readonly json: boolean;
  /** Nothing on stderr but errors. */
  readonly quiet: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
  readonly color: boolean;
  /** Null when not given. */
  readonly warehouse: string | null;
  /** By the command line itself, not by a variable. */
  readonly warehouseGiven: boolean;
  /** The process's environment over that of `--env-file`. */
  readonly env: Environment;
}

const LOG_FORMATS = ["auto", "text", "json"] as const;
const COLORS = ["auto", "always", "never"] as const;

/** Declares the options on the program. Their defaults and variables are settled by `globalsOf`, which knows `--env-file`. */
export function addGlobalOptions(program: Command): void {
  program
    .option("--json", "print JSON lines on stdout")
    .option("--quiet", "print nothing on stderr but errors")
    .addOption(new Option("--log-level <level>", "least level to log (default: info)").choices(LOG_LEVELS))
    .addOption(
      new Option("--log-format <format>", "auto: JSON lines for a run off a terminal, else text").choices(LOG_FORMATS),
    )
    .addOption(new Option("--color <when>", "default: auto").choices(COLORS))
    .option("--env-file <file>", "read variables from a file; those of the process win")
    .option(
      "--warehouse <location>",
      "a folder, s3://bucket/prefix, postgres://user@host/database?location=<folder or s3://…>, or a job file, for its warehouse",
    );
}

/** Verbs that go on for long, mostly under a supervisor: what they say is a log. */
const LOGGING_VERBS: ReadonlySet<string> = new Set(["run"]);

/**
 * The global options of a call: command line, then `FRAZIL_*`, then the default.
 *
 * @param command The verb, parsed.
 * @throws FrazilError kind `config` for an env file that cannot be read or a variable with a wrong value.
 */
export function globalsOf(command: Command): Globals {
  const processEnv: Environment = process.env;
  const stderrIsTerminal = process.stderr.isTTY;
  const options: Record<string, unknown> = command.optsWithGlobals();
  const envFile = textOption(options["envFile"]) ?? processEnv["FRAZIL_ENV_FILE"] ?? null;
  const env = envFile === null ? processEnv : { ...readEnvFile(envFile), ...processEnv };
  const variable = (name: string): string | null => (env[name] === "" ? null : (env[name] ?? null));
  const choice = <T extends string>(key: string, name: string, valid: readonly T[], fallback: T): T => {
    const text = textOption(options[key]) ?? variable(name) ?? fallback;
    const found = valid.find((value) => value === text);
    if (found !== undefined) return found;
    throw new FrazilError("config", "BAD_VARIABLE", `${name} must be one of ${valid.join(", ")}, found "${text}"`);
  };
  const flag = (key: string, name: string): boolean =>
    options[key] === true || ["1", "true"].includes(choice(key, name, ["1", "true", "0", "false"], "0"));
  const quiet = flag("quiet", "FRAZIL_QUIET");
  const logFormat = choice("logFormat", "FRAZIL_LOG_FORMAT", LOG_FORMATS, "auto");
  const autoFormat = LOGGING_VERBS.has(command.name()) && !stderrIsTerminal ? "json" : "text";
  const when = choice("color", "FRAZIL_COLOR", COLORS, "auto");
  return {
    json: flag("json", "FRAZIL_JSON"),
    quiet,
    logLevel: choice("logLevel", "FRAZIL_LOG_LEVEL", LOG_LEVELS, quiet ? "error" : "info"),
    logFormat: logFormat === "auto" ? autoFormat : logFormat,
    color: when === "always" || (when === "auto" && stderrIsTerminal && variable("NO_COLOR") === null),
    warehouse: textOption(options["warehouse"]) ?? variable("FRAZIL_WAREHOUSE"),
    warehouseGiven: textOption(options["warehouse"]) !== null,
    env,
  };
}

function textOption(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function readEnvFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new FrazilError("config", "ENV_FILE", `the env file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: "write the file, name another one, or leave out --env-file and FRAZIL_ENV_FILE",
    });
  }
}
