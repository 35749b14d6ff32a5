import { z } from "zod";
import { FrazilError } from "../../core/errors.ts";
import { foundText, text } from "../../config/scalars.ts";
import { type TlsSettings, tlsSchema } from "../../config/tls-schema.ts";
import { rfc3339Ms } from "../../config/units.ts";
import type { Address } from "./address.ts";
import { parseTopic } from "./subscription.ts";

/** What the Kafka source is told. */
export interface KafkaSettings {
  /** `host:port`, at least one; the port defaults to 9092. */
  readonly brokers: readonly string[];
  /** Topic names, and patterns between slashes, which stand for whole names. */
  readonly topics: readonly string[];
  /** Where splits start that have no position. */
  readonly start: KafkaStart;
  /** What to do when a position is no longer held: stop with an error, or go on at one end, with a warning. */
  readonly onLostOffsets: "stop" | "earliest" | "latest";
  readonly tls: TlsSettings | null;
  readonly sasl: KafkaSasl | null;
  /** How the brokers' logs and quotas name us. */
  readonly clientId: string;
  /** The group whose offsets follow the commits, for lag tools: the pipeline's name. */
  readonly groupId: string;
}

/** `atMs`: at the first record that is as young as this time, in milliseconds since 1970 UTC. */
export type KafkaStart = "earliest" | "latest" | { readonly atMs: number };

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** The `source:` block of a job: the settings but for the names that follow from the job, and the messages' format. */
export type KafkaJobSource = Omit<KafkaSettings, "clientId" | "groupId"> & {
  readonly type: "kafka";
  readonly format: string;
};

/** The same block as it is written. `F`: the formats there are. */
export interface KafkaJobSourceInput<F extends string> {
  readonly type: "kafka";
  /** `host:port` of some brokers. */
  readonly brokers: string[];
  /** Topic names, and `/patterns/` that stand for whole names. */
  readonly topics: string[];
  readonly format: F;
  /** `earliest` (default), `latest` or an RFC 3339 time; used only where the tables hold no position. */
  readonly start?: string | undefined;
  readonly on_lost_offsets?: "stop" | "earliest" | "latest" | undefined;
  readonly tls?: z.input<typeof tlsSchema> | undefined;
  readonly sasl?: KafkaSasl | undefined;
}

const sasl = z.strictObject({
  mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).describe("As the brokers are set up."),
  username: text().describe("The user."),
  password: text().describe("Its password; better a `${VARIABLE}` than the text itself."),
});

const start = z.string().transform((value, context): KafkaStart => {
  if (value === "earliest" || value === "latest") return value;
  const atMs = rfc3339Ms(value);
  if (atMs !== null) return { atMs };
  const expected = "earliest, latest or a time such as 2026-11-20T09:00:00Z";
  context.addIssue({ code: "custom", message: `must be ${expected}, found ${foundText(value)}` });
  return z.NEVER;
});

/** A string setting that `read` must accept; what it throws is the problem. */
function readable(read: (value: string) => unknown): z.ZodType<string, string> {
  return text().superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    }
  });
}

/** The schema of a Kafka `source:` block over the formats there are. */
export function kafkaSourceSchema<const F extends string>(
  formats: readonly [F, ...F[]],
): z.ZodType<KafkaJobSource, KafkaJobSourceInput<F>> {
  return z
    .strictObject({
      type: z.literal("kafka"),
      brokers: z
        .array(readable(parseAddress))
        .min(1)
        .meta({ example: ["localhost:9092"] })
        .describe("`host:port` of some brokers; the rest is found through them."),
      topics: z
        .array(readable(parseTopic))
        .min(1)
        .meta({ example: ["shop.public.orders"] })
        .describe("Topic names, and `/patterns/` that stand for whole names."),
      format: z.enum(formats).describe("How the messages are written."),
      start: start
        .prefault("earliest")
        .describe("`earliest`, `latest` or an RFC 3339 time. Used only where the tables hold no position."),
      on_lost_offsets: z
        .enum(["stop", "earliest", "latest"])
        .default("stop")
        .describe(
          "When the broker no longer has the position, or has another topic under its name: end with exit 65, or go on at one end, with a warning.",
        ),
      tls: tlsSchema.prefault(false).describe("`true`, or whom to trust and who we are. Default: false."),
      sasl: sasl.optional().describe("How we log in. Default: not at all."),
    })
    .transform(({ on_lost_offsets, sasl: login, ...rest }) => ({
      ...rest,
      onLostOffsets: on_lost_offsets,
      sasl: login ?? null,
    }))
    .describe("Topics of Apache Kafka, without a consumer group: positions live in the tables.");
}

/** `host`, `host:port`, `[::1]:9092`. @throws FrazilError `config`. */
export function parseAddress(broker: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/,[\]]+))(?::(\d{1,5}))?$/.exec(broker);
  const port = Number(match?.[3] ?? 9092);
  if (match === null || port < 1 || port > 65535) {
    throw new FrazilError("config", "KAFKA_BROKER", `expected a broker as host:port, found "${broker}"`);
  }
  return { host: (match[1] ?? match[2]) as string, port };
}
