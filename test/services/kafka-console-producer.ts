import { installKafka } from "./kafka-install.ts";
import { progressOnStderr } from "./progress.ts";
import { runTool } from "./tools.ts";

/** The codecs of Java's client. */
export type JavaCompression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/**
 * Sends text records with Java's own producer, through Kafka's console producer: the bytes of every codec exactly as the
 * reference client frames them. Keys and values hold no tab and no line break. Starts a JVM, about one second a call.
 */
export async function produceWithJava(
  brokers: readonly string[],
  topic: string,
  compression: JavaCompression,
  records: readonly { readonly key: string; readonly value: string }[],
): Promise<void> {
  const { java, classPath } = await installKafka(progressOnStderr);
  const lines = records.map(({ key, value }) => {
    if (/[\t\n\r]/.test(key + value))
      throw new Error(`expected text without tab or line break, found ${key}: ${value}`);
    return `${key}\t${value}\n`;
  });
  const settings = [
    "--compression-codec",
    compression,
    "--property",
    "parse.key=true",
    "--property",
    "key.separator=\t",
  ];
  await runTool(
    java,
    [
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
      "-cp",
      classPath,
      "org.apache.kafka.tools.ConsoleProducer",
      "--bootstrap-server",
      brokers.join(","),
      "--topic",
      topic,
      ...settings,
    ],
    { input: lines.join("") },
  );
}
