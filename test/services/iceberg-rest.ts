import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, type CacheEntry } from "./cache.ts";
import { requireJava } from "./java.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr, withHeartbeat } from "./progress.ts";
import { type RunningServer, serverFolder, type StartOptions, startServer } from "./server.ts";
import { requireTool, runTool } from "./tools.ts";

const iceberg = "1.11.0";
const artifacts = [
  ["org.apache.iceberg", "iceberg-open-api", iceberg, "test-fixtures"],
  ["org.apache.iceberg", "iceberg-core", iceberg],
  ["org.apache.iceberg", "iceberg-core", iceberg, "tests"],
  ["org.apache.iceberg", "iceberg-api", iceberg, "tests"],
  ["org.apache.iceberg", "iceberg-aws", iceberg],
  ["org.apache.iceberg", "iceberg-gcp", iceberg],
  ["org.apache.iceberg", "iceberg-azure", iceberg],
  ["org.apache.hadoop", "hadoop-client-api", "3.4.1"],
  ["org.apache.hadoop", "hadoop-client-runtime", "3.4.1"],
  ["org.eclipse.jetty.ee10", "jetty-ee10-servlet", "12.1.5"],
  ["org.eclipse.jetty.compression", "jetty-compression-server", "12.1.5"],
  ["org.eclipse.jetty.compression", "jetty-compression-gzip", "12.1.5"],
  ["org.xerial", "sqlite-jdbc", "3.50.3.0"],
  ["org.slf4j", "slf4j-simple", "2.0.17"],
] as const;

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>frazil</groupId><artifactId>iceberg-rest</artifactId><version>1</version>
  <dependencies>
${artifacts
  .map(([group, artifact, version, classifier]) => {
    const told = classifier === undefined ? "" : `<classifier>${classifier}</classifier>`;
    return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${told}</dependency>`;
  })
  .join("\n")}
  </dependencies>
  <build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
`;

const jars: CacheEntry = {
  name: "iceberg-rest",
  version: `${iceberg}-${createHash("sha256").update(pom).digest("hex").slice(0, 12)}`,
  async build(folder, progress) {
    const maven = requireTool(
      "mvn",
      "Apache Iceberg's REST catalog",
      "install Maven, for example `apt-get install maven`",
    );
    const pomFile = join(folder, "pom.xml");
    writeFileSync(pomFile, pom);
    await withHeartbeat(progress, "Apache Iceberg's REST catalog: fetching it with Maven, 85 MB", () =>
      runTool(maven, [
        ...["-q", "-B", "-f", pomFile, "dependency:copy-dependencies"],
        `-DoutputDirectory=${join(folder, "jars")}`,
      ]),
    );
  },
};

/** The Java command and the class path of the server, installed on first use. */
export async function installIcebergRest(progress: Progress): Promise<{ java: string; classPath: string }> {
  const java = requireJava("Apache Iceberg's REST catalog");
  return { java, classPath: join(await cached(jars, progress), "jars", "*") };
}

/** A REST catalog over local files. */
export type RunningRestCatalog = RunningServer & {
  readonly uri: string;
  /** The folder that holds its tables unless they are placed elsewhere. */
  readonly warehouse: string;
};

/**
 * Starts Apache Iceberg's own REST catalog, the one that its compatibility kit is tried on, over a catalog in SQLite. It checks all
 * tables of a transaction before it commits them one after the other.
 */
export async function startIcebergRest(
  options: StartOptions & { readonly progress?: Progress } = {},
): Promise<RunningRestCatalog> {
  const { java, classPath } = await installIcebergRest(options.progress ?? progressOnStderr);
  const folder = await serverFolder("iceberg-rest", options);
  const warehouse = join(folder.path, "warehouse");
  mkdirSync(warehouse, { recursive: true });
  const port = options.port ?? (await freePort());
  const uri = `http://127.0.0.1:${port}`;
  const server = await startServer({
    name: "iceberg-rest",
    address: `127.0.0.1:${port}`,
    env: {},
    folder,
    command: [java, "-Xmx256m", "-cp", classPath, "org.apache.iceberg.rest.RESTCatalogServer"],
    processEnv: {
      PATH: process.env["PATH"],
      HOME: folder.path,
      CATALOG_REST_PORT: String(port),
      CATALOG_URI: `jdbc:sqlite:${join(folder.path, "catalog.sqlite")}`,
      CATALOG_WAREHOUSE: warehouse,
      CATALOG_JDBC_SCHEMA__VERSION: "V1",
    },
    answers: async () => (await fetch(`${uri}/v1/config`)).ok,
  });
  return Object.assign(server, { uri, warehouse });
}
