import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cached, type CacheEntry } from "./cache.ts";
import { requireJava } from "./java.ts";
import { dependency, fetchJars, mavenProject, projectHash } from "./maven.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningServer, serverFolder, type StartOptions, startServer } from "./server.ts";

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

const project = mavenProject(
  "iceberg-rest",
  artifacts.map(([group, artifact, version, classifier]) =>
    dependency(group, artifact, version, classifier === undefined ? "" : `<classifier>${classifier}</classifier>`),
  ),
);

const fetched = {
  program: "Apache Iceberg's REST catalog",
  fetching: "Apache Iceberg's REST catalog: fetching it with Maven, 85 MB",
  into: "jars",
};

const jars: CacheEntry = {
  name: "iceberg-rest",
  version: `${iceberg}-${projectHash(12, project)}`,
  build: (folder, progress) => fetchJars(folder, project, fetched, progress),
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
