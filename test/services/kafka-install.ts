import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, cachedFolder, type CacheEntry } from "./cache.ts";
import { requireJava } from "./java.ts";
import { type Progress, withHeartbeat } from "./progress.ts";
import { requireTool, runTool } from "./tools.ts";

const kafkaVersion = "4.1.0";

/**
 * The broker, and the command-line tools for their console producer (an independent client that has every codec). The
 * tools' own dependencies are left out: they bring Connect and a web server, and what we run needs only the broker's.
 */
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>frazil</groupId><artifactId>kafka-server</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${kafkaVersion}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
  <build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
`;

const jars: CacheEntry = {
  name: "kafka",
  version: `${kafkaVersion}-${createHash("sha256").update(pom).digest("hex").slice(0, 8)}`,
  async build(folder, progress) {
    const maven = requireTool("mvn", "Apache Kafka", "install Maven, for example `apt-get install maven`");
    const pomFile = join(folder, "pom.xml");
    writeFileSync(pomFile, pom);
    await withHeartbeat(progress, `Apache Kafka ${kafkaVersion}: fetching about 45 jars with Maven`, () =>
      runTool(maven, [
        "-q",
        "-B",
        "-f",
        pomFile,
        "dependency:copy-dependencies",
        `-DoutputDirectory=${join(folder, "libs")}`,
      ]),
    );
  },
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
