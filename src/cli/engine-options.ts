import { type Command, Option } from "commander";

/** Which engine does the work. */
export interface EngineOptions {
  readonly engine?: "frazil" | "spark";
  readonly master?: string;
  readonly sparkSubmit?: string;
  readonly sparkConf?: readonly string[];
}

/** Declares on a verb that Spark may do its work. */
export function addEngineOptions(command: Command): Command {
  return command
    .addOption(new Option("--engine <name>", "who does the work (default frazil)").choices(["frazil", "spark"]))
    .option("--master <url>", "of --engine spark: spark://host:7077, yarn, local[4]; without it as Spark is set up")
    .option("--spark-submit <path>", "of --engine spark: its program (default: of SPARK_HOME, else of PATH)")
    .option(
      "--spark-conf <key=value>",
      "of --engine spark: a setting for it; may be repeated",
      (setting: string, others?: readonly string[]) => [...(others ?? []), setting],
    );
}
