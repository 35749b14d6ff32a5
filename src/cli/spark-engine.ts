import { resolve } from "node:path";
import { FrazilError } from "../core/errors.ts";
import { type SparkCall, sparkConfiguration, type SparkResult } from "../maintenance/spark/application.ts";
import { sparkFailure } from "../maintenance/spark/failure.ts";
import { localPath } from "../storage/local-path.ts";
import type { CliContext } from "./context.ts";
import type { EngineOptions } from "./engine-options.ts";
import { runSpark, type SparkLaunch } from "./spark-submit.ts";
import { warehouseSettings } from "./warehouse-option.ts";

/** Spark, ready to run calls against the warehouse of the command. */
export interface SparkEngine {
  /** The catalog's name, here and in Spark. */
  readonly catalog: string;
  /**
   * Runs the calls in one application and hands over what became of them, in their order.
   *
   * @param report told of it also where a call failed @throws FrazilError of the first that failed, after the report.
   */
  run(
    name: string,
    calls: readonly SparkCall[],
    report: (applicationId: string, results: readonly SparkResult[]) => Promise<void>,
  ): Promise<void>;
}

/**
 * The engine that the options name; null for our own.
 *
 * @throws FrazilError `config` for options that do not go together, and for a catalog that Spark cannot commit to.
 */
export function sparkEngine(context: CliContext, options: EngineOptions): SparkEngine | null {
  const { engine = "frazil", master, sparkSubmit, sparkConf = [] } = options;
  if (engine === "frazil") {
    if (master === undefined && sparkSubmit === undefined && sparkConf.length === 0) return null;
    throw new FrazilError("config", "USAGE", "--master, --spark-submit and --spark-conf are for --engine spark", {
      hint: "add --engine spark",
    });
  }
  checkSettings(sparkConf);
  const { location, catalog } = warehouseSettings(context);
  if (catalog.type !== "sqlite") {
    throw new FrazilError(
      "config",
      "SPARK_CATALOG",
      `the tables of ${location} are in a catalog of type ${catalog.type}; --engine spark works with sqlite alone`,
      { hint: "leave out --engine spark" },
    );
  }
  if (!/^[A-Za-z_][\w-]*$/.test(catalog.name)) {
    throw new FrazilError("config", "SPARK_CATALOG", `Spark takes no catalog of the name ${catalog.name}`, {
      hint: "leave out --engine spark",
    });
  }
  const folder = location.startsWith("file://") ? localPath(location) : resolve(location);
  const path = resolve(catalog.path ?? `${folder}/catalog.sqlite`);
  const conf = sparkConfiguration({ name: catalog.name, path, warehouseLocation: folder });
  return {
    catalog: catalog.name,
    async run(name, calls, report) {
      const launch: SparkLaunch = {
        ...{ master: master ?? null, submit: sparkSubmit ?? null, settings: sparkConf },
        ...{ env: context.globals.env, name },
      };
      const done = await runSpark(launch, conf, calls, (line) => context.output.note(line));
      const failed = done.results.find((result) => result.error !== undefined);
      await done.close(failed !== undefined);
      await report(done.applicationId, done.results);
      if (failed?.error !== undefined) throw sparkFailure(failed.error, done.logPath);
    },
  };
}

/** @throws FrazilError `config`, code `USAGE`, for what others on the machine must not read off the list of processes. */
function checkSettings(settings: readonly string[]): void {
  for (const setting of settings) {
    const [key = ""] = setting.split("=", 1);
    if (key === "" || !setting.includes("=")) {
      throw new FrazilError("config", "USAGE", `--spark-conf takes key=value, found ${JSON.stringify(setting)}`, {
        hint: "--spark-conf spark.executor.memory=4g",
      });
    }
    if (!/secret|password|token|access[.-]?key/i.test(key)) continue;
    throw new FrazilError("config", "USAGE", `${key} would stand on a command line that others can read`, {
      hint: "put it into Spark's own spark-defaults.conf, in a folder that SPARK_CONF_DIR names",
    });
  }
}
