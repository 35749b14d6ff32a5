import { readdirSync } from "node:fs";
import { join } from "node:path";
import { cached, type CacheEntry } from "../services/cache.ts";
import { requireJava } from "../services/java.ts";
import { dependency, fetchJars, mavenProject, projectHash } from "../services/maven.ts";
import type { Progress } from "../services/progress.ts";
import { pythonWith } from "./install.ts";

const artifacts = [
  ["org.apache.iceberg", "iceberg-spark-runtime-4.0_2.13", "1.11.0"],
  ["org.apache.iceberg", "iceberg-aws-bundle", "1.11.0"],
  ["org.xerial", "sqlite-jdbc", "3.50.3.0"],
  ["org.postgresql", "postgresql", "42.7.8"],
  // Hadoop's own way to S3, of the release that Spark brings, for folders; Iceberg's bundle has most of the SDK that it asks for.
  ["org.apache.hadoop", "hadoop-aws", "3.4.1"],
  ["software.amazon.awssdk", "s3-transfer-manager", "2.44.4"],
] as const;

/** Iceberg for Spark 4.0 with its S3 client, and the drivers of the JDBC catalog; each stands alone. */
const project = mavenProject(
  "spark-reader",
  artifacts.map(([group, artifact, version]) => dependency(group, artifact, version)),
);

const fetched = {
  program: "Iceberg for Spark",
  fetching: "Iceberg for Spark: fetching six jars of 125 MB with Maven",
  into: "libs",
  options: ["-DexcludeTransitive=true"],
};

const jars: CacheEntry = {
  name: "spark-jars",
  version: projectHash(12, project),
  build: (folder, progress) => fetchJars(folder, project, fetched, progress),
};

/** A Python interpreter that has Spark, and the jars for Spark's class path. */
export type SparkInstall = { readonly python: string; readonly jars: readonly string[] };

/** Installs Spark with Iceberg on first use, about 900 MB; throws Unavailable when a tool for it is missing. */
export async function installSpark(progress: Progress): Promise<SparkInstall> {
  requireJava("Apache Spark");
  const python = await pythonWith("spark", "Apache Spark", "spark-requirements.txt", progress);
  const libs = join(await cached(jars, progress), "libs");
  return {
    python,
    jars: readdirSync(libs)
      .sort()
      .map((jar) => join(libs, jar)),
  };
}
