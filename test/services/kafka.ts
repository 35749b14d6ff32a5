import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withAdmin } from "./kafka-admin.ts";
import { installKafka, type KafkaInstall } from "./kafka-install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningServer, serverFolder, type StartOptions, startServer } from "./server.ts";
import { requireTool, runTool } from "./tools.ts";

export type KafkaOptions = StartOptions & {
  /** Adds listeners for SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), TLS, and SASL over TLS beside the plain one. */
  readonly secure?: boolean;
  /** Broker settings added to ours, or in their place. */
  readonly config?: Readonly<Record<string, string>>;
  readonly progress?: Progress;
};

/** The listeners that `secure` adds; all of them lead to the same broker. */
export type KafkaSecurity = {
  readonly username: string;
  readonly password: string;
  /** The broker's self-signed certificate, PEM: the authority to trust. */
  readonly caPem: string;
  /** `host:port` of each listener. */
  readonly saslPlaintext: string;
  readonly ssl: string;
  readonly saslSsl: string;
};

export type RunningKafka = RunningServer & {
  readonly brokers: readonly string[];
  readonly security: KafkaSecurity | null;
};

const secret = { username: "frazil", password: "frazil-secret" } as const;

/** Starts a single Apache Kafka node (broker and controller in one, topics are not created by themselves). */
export async function startKafka(options: KafkaOptions = {}): Promise<RunningKafka> {
  const install = await installKafka(options.progress ?? progressOnStderr);
  const folder = await serverFolder("kafka", options);
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const controller = `127.0.0.1:${await freePort()}`;
  const security = options.secure === true ? await makeSecurity(folder.path) : null;
  const configFile = join(folder.path, "server.properties");
  const config = {
    ...baseConfig(address, controller, join(folder.path, "log")),
    ...(security === null ? {} : securityConfig(address, controller, security, folder.path)),
    ...options.config,
  };
  writeFileSync(
    configFile,
    Object.entries(config)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  // Kept data has its identity already, and the tool refuses to give it another.
  if (!existsSync(join(folder.path, "log", "meta.properties"))) await format(install, configFile, security !== null);
  const server = await startServer({
    name: "kafka",
    address,
    env: { KAFKA_BROKERS: address },
    folder,
    command: [install.java, "-Xmx512m", ...jvmOptions, "-cp", install.classPath, "kafka.Kafka", configFile],
    async answers() {
      await withAdmin([address], (admin) => admin.listTopics());
      return true;
    },
  });
  return Object.assign(server, { brokers: [address], security });
}

const jvmOptions = ["-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"] as const;

function baseConfig(address: string, controller: string, logFolder: string): Record<string, string> {
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${controller}`,
    listeners: `PLAINTEXT://${address},CONTROLLER://${controller}`,
    "advertised.listeners": `PLAINTEXT://${address}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": logFolder,
    "auto.create.topics.enable": "false",
    // One node cannot hold three copies, and few internal partitions make the first use of a group or transaction quick.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    // After a kill the node's new life is refused until the old session runs out: 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    // Tests of compaction and retention set short times on a topic and expect them to be looked at.
    "log.initial.task.delay.ms": "1000",
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
  };
}

/** Writes the storage's identity, and the SCRAM users. */
async function format(install: KafkaInstall, configFile: string, scram: boolean): Promise<void> {
  const users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${secret.username},password=${secret.password}]`,
  ]);
  await runTool(install.java, [
    "-cp",
    install.classPath,
    "kafka.tools.StorageTool",
    "format",
    "-t",
    clusterId(),
    "-c",
    configFile,
    ...(scram ? users : []),
  ]);
}

/** 16 random bytes in URL-safe base64, not starting with a dash, which the tool would take for an option. */
function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}

/** Makes a key and a self-signed certificate for the loopback address, and picks the ports of the secure listeners. */
async function makeSecurity(folder: string): Promise<KafkaSecurity> {
  const keytool = requireTool("keytool", "Kafka over TLS", "install a Java runtime that brings it");
  const store = ["-keystore", join(folder, "broker.p12"), "-storepass", secret.password, "-alias", "broker"];
  const certificate = join(folder, "broker.pem");
  if (!existsSync(certificate)) {
    const identity = ["-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost", "-validity", "3650"];
    await runTool(keytool, ["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", ...store, ...identity]);
    await runTool(keytool, ["-exportcert", "-rfc", "-file", certificate, ...store]);
  }
  const listener = async () => `127.0.0.1:${await freePort()}`;
  return {
    ...secret,
    caPem: readFileSync(certificate, "utf8"),
    saslPlaintext: await listener(),
    ssl: await listener(),
    saslSsl: await listener(),
  };
}

function securityConfig(
  address: string,
  controller: string,
  security: KafkaSecurity,
  folder: string,
): Record<string, string> {
  const secured = `SASL_PLAINTEXT://${security.saslPlaintext},SSL://${security.ssl},SASL_SSL://${security.saslSsl}`;
  const advertised = `PLAINTEXT://${address},${secured}`;
  const plain = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT";
  const { username, password } = secret;
  const jaas = ["sasl_plaintext", "sasl_ssl"].flatMap((listener) => [
    [
      `listener.name.${listener}.plain.sasl.jaas.config`,
      `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
    ],
    ...["scram-sha-256", "scram-sha-512"].map((mechanism) => [
      `listener.name.${listener}.${mechanism}.sasl.jaas.config`,
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ]),
  ]) as [string, string][];
  return {
    listeners: `${advertised},CONTROLLER://${controller}`,
    "advertised.listeners": advertised,
    "listener.security.protocol.map": `${plain},SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL`,
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": join(folder, "broker.p12"),
    "ssl.keystore.password": password,
    ...Object.fromEntries(jaas),
  };
}
