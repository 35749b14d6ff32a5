import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installReaders } from "../readers/install.ts";
import { cached, type CacheEntry } from "./cache.ts";
import { requireJava } from "./java.ts";
import { ALONE, dependency, fetchJars, mavenProject, projectHash } from "./maven.ts";
import { type Progress, withHeartbeat } from "./progress.ts";
import { requireTool, runTool } from "./tools.ts";

/** Its Python package of libraries is a whole Flink. */
const flinkPackage = "apache-flink-libraries==2.1.3";

const artifacts = [
  ["org.apache.flink", "flink-sql-gateway", "2.1.3"],
  ["org.apache.iceberg", "iceberg-flink-runtime-2.1", "1.11.0"],
  ["org.apache.hadoop", "hadoop-client-api", "3.4.1"],
  ["org.apache.hadoop", "hadoop-client-runtime", "3.4.1"],
  ["commons-logging", "commons-logging", "1.2"],
  ["org.xerial", "sqlite-jdbc", "3.50.3.0"],
] as const;

/** What the package lacks for the SQL client, and Iceberg with what its catalog in SQLite needs; each stands alone. */
const project = mavenProject(
  "flink-writer",
  artifacts.map(([group, artifact, version]) => dependency(group, artifact, version, ALONE)),
);

const fetched = {
  program: "Apache Flink",
  fetching: "Apache Flink: fetching Iceberg for Flink and its company with Maven, 120 MB",
  into: "jars",
};

function flinkHome(python: string): CacheEntry {
  return {
    name: "flink",
    version: projectHash(12, project, flinkPackage),
    async build(folder, progress) {
      const tar = requireTool("tar", "Apache Flink", "install tar");
      await fetchJars(folder, project, fetched, progress);
      const download = join(folder, "download");
      mkdirSync(download);
      await withHeartbeat(progress, `Apache Flink: fetching ${flinkPackage} with pip, 230 MB`, async () => {
        await runTool(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", download, flinkPackage]);
        const [archive = ""] = readdirSync(download);
        await runTool(tar, ["-xzf", join(download, archive), "-C", download, "--strip-components=1"]);
        renameSync(join(download, "deps"), join(folder, "home"));
        rmSync(download, { recursive: true });
      });
    },
  };
}

/** The Java command, and the class path of a Flink in one process with its SQL client and Iceberg. */
export type FlinkInstall = { readonly java: string; readonly classPath: string };

/** Installs Flink with Iceberg on first use, about 500 MB; throws Unavailable when a tool for it is missing. */
export async function installFlink(progress: Progress): Promise<FlinkInstall> {
  const java = requireJava("Apache Flink");
  const folder = await cached(flinkHome(await installReaders(progress)), progress);
  const jarsIn = (path: string, wanted: RegExp): string[] =>
    readdirSync(join(folder, path))
      .filter((name) => wanted.test(name))
      .sort()
      .map((name) => join(folder, path, name));
  const classPath = [...jarsIn("home/lib", /\.jar$/), ...jarsIn("home/opt", /\.jar$/), ...jarsIn("jars", /\.jar$/)];
  return { java, classPath: classPath.join(":") };
}
