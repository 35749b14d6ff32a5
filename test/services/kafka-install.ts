import { readdirSync } from "node:fs";
import { join } from "node:path";
import { cached, cachedFolder, type CacheEntry } from "./cache.ts";
import { requireJava } from "./java.ts";
import { ALONE, dependency, fetchJars, mavenProject, projectHash } from "./maven.ts";
import type { Progress } from "./progress.ts";

const kafkaVersion = "4.1.0";

/**
 * The broker, and the command-line tools for their console producer (an independent client that has every codec). The
 * tools' own dependencies are left out: they bring Connect and a web server, and what we run needs only the broker's.
 */
const project = mavenProject("kafka-server", [
  dependency("org.apache.kafka", "kafka_2.13", kafkaVersion),
  `    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${kafkaVersion}</version>${ALONE}
    </dependency>`,
  dependency("org.slf4j", "slf4j-simple", "1.7.36"),
]);

const fetched = {
  program: "Apache Kafka",
  fetching: `Apache Kafka ${kafkaVersion}: fetching about 45 jars with Maven`,
  into: "libs",
};

const jars: CacheEntry = {
  name: "kafka",
  version: `${kafkaVersion}-${projectHash(8, project)}`,
  build: (folder, progress) => fetchJars(folder, project, fetched, progress),
};

/** The Java command and the class path of Kafka's server and tools. */
export type KafkaInstall = { readonly java: string; readonly classPath: string };

/** Where Kafka is already installed on this machine; throws Unavailable when a tool for it is missing. */
export async function installKafka(progress: Progress): Promise<KafkaInstall> {
  const java = requireJava("Apache Kafka");
  await cached(jars, progress);
  // The jars one by one, not `libs/*`: the order of a wildcard is up to the JVM.
  const libs = join(cachedFolder(jars), "libs");
  const classPath = readdirSync(libs)
    .sort()
    .map((jar) => join(libs, jar))
    .join(process.platform === "win32" ? ";" : ":");
  return { java, classPath };
}
