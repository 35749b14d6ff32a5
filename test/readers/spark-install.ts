import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, type CacheEntry } from "../services/cache.ts";
import { requireJava } from "../services/java.ts";
import { type Progress, withHeartbeat } from "../services/progress.ts";
import { requireTool, runTool } from "../services/tools.ts";
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
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>frazil</groupId><artifactId>spark-reader</artifactId><version>1</version>
  <dependencies>
${artifacts
  .map(
    ([group, artifact, version]) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  .join("\n")}
  </dependencies>
  <build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
`;

const jars: CacheEntry = {
  name: "spark-jars",
  version: createHash("sha256").update(pom).digest("hex").slice(0, 12),
  async build(folder, progress) {
    const maven = requireTool("mvn", "Iceberg for Spark", "install Maven, for example `apt-get install maven`");
    const pomFile = join(folder, "pom.xml");
    writeFileSync(pomFile, pom);
    await withHeartbeat(progress, "Iceberg for Spark: fetching six jars of 125 MB with Maven", () =>
      runTool(maven, [
        "-q",
        "-B",
        "-f",
        pomFile,
        "dependency:copy-dependencies",
        "-DexcludeTransitive=true",
        `-DoutputDirectory=${join(folder, "libs")}`,
      ]),
    );
  },
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
