import type { JobOver, WarehouseSettings } from "./config/job-schema.ts";
import type { SourceTraits } from "./config/lint-rules.ts";
import type { Format, Rejects } from "./core/format.ts";
import { FrazilError } from "./core/errors.ts";
import { jobConsumerName } from "./core/consumer-state.ts";
import { keepMessages } from "./core/kept-messages.ts";
import type { Runtime } from "./core/runtime.ts";
import type { Source } from "./core/source.ts";
import type { DecodeNotices, TableRouter } from "./core/table-binding.ts";
import { canalJson } from "./formats/canal-json/format.ts";
import { debeziumJson } from "./formats/debezium-json/format.ts";
import { json } from "./formats/json/format.ts";
import { createLetterSource, type LetterSourceDeps } from "./sources/dead-letters/source.ts";
import { generatorSchema } from "./sources/generator/config.ts";
import { createGeneratorSource } from "./sources/generator/source.ts";
import { kafkaSourceSchema } from "./sources/kafka/config.ts";
import { createKafkaSource } from "./sources/kafka/source.ts";
import { tableSourceSchema } from "./sources/table/config.ts";
import { createTableSource, type TableStore } from "./sources/table/source.ts";

/** Message formats by the name that `format:` takes. */
export const FORMATS = {
  "debezium-json": debeziumJson,
  "canal-json": canalJson,
  json,
} as const satisfies Record<string, Format>;

/** Settings of each source type. The only file that knows the concrete sources and formats: a new one is one line here. */
export const SOURCES = [
  generatorSchema,
  kafkaSourceSchema(Object.keys(FORMATS) as [keyof typeof FORMATS]),
  tableSourceSchema,
] as const;

export type AnyJob = JobOver<(typeof SOURCES)[number]>;

/** What a source gets besides its settings. */
export interface SourceDeps {
  readonly pipeline: string;
  /** Whether what is read gets committed; else somebody only looks, and leaves no trace. */
  readonly commits: boolean;
  readonly runtime: Runtime;
  readonly router: TableRouter;
  readonly notices: DecodeNotices;
  /** Null: the first message that cannot be decoded ends the job. */
  readonly rejects: Rejects | null;
  /** How long a server may stay away before the first answer; by default as long as a stack takes that starts all at once. */
  readonly startLimitMs?: number;
  /** The budget of the process; by default an ample one. */
  readonly memoryBytes?: number;
  /** The job's own warehouse, and how one is opened for reading. */
  readonly warehouse: WarehouseSettings;
  readonly openWarehouse: (settings: WarehouseSettings) => Promise<TableStore>;
}

/** Makes the source that a job names. */
export function createSource(settings: AnyJob["source"], deps: SourceDeps): Source {
  const { pipeline, runtime, router } = deps;
  if (settings.type === "generator") return createGeneratorSource(settings, { router, runtime });
  const limit = deps.startLimitMs === undefined ? {} : { startLimitMs: deps.startLimitMs };
  if (settings.type === "table") {
    const warehouse = settings.warehouse ?? deps.warehouse;
    const isOwn = warehouse.location === deps.warehouse.location;
    const open = () => deps.openWarehouse(warehouse);
    const consumer = deps.commits ? jobConsumerName(pipeline, isOwn ? null : deps.warehouse.location) : null;
    return createTableSource(settings, { open, isOwn, consumer, router, notices: deps.notices, runtime, ...limit });
  }
  const decoder = decoderOf(settings.format, deps);
  return createKafkaSource(
    { ...settings, clientId: `frazil-${pipeline}`, groupId: pipeline },
    { decoder, runtime, memoryBytes: deps.memoryBytes, ...limit },
  );
}

/** Makes the source that replays a job's dead letters: they are decoded as the job says today. */
export function createReplaySource(
  settings: AnyJob["source"],
  deps: Pick<SourceDeps, "router" | "notices" | "rejects"> & Omit<LetterSourceDeps, "decoder">,
): Source {
  const { router, notices, rejects, ...letters } = deps;
  if (settings.type !== "kafka") {
    throw new FrazilError("config", "NO_MESSAGES", `a ${settings.type} sends no messages that could be dead letters`);
  }
  return createLetterSource({
    ...letters,
    decoder: decoderOf(settings.format, { router, notices, rejects }),
  });
}

/** What `lint` must know of a source besides its settings. */
export function sourceTraits(settings: AnyJob["source"]): SourceTraits {
  if (settings.type !== "kafka") return { namesKey: true, topics: false };
  const { namesKey, zoneless = false } = formatNamed(settings.format);
  return { namesKey, zoneless, topics: true };
}

/** Decoders keep the messages that may become dead letters at the checkpoint only. */
function decoderOf(format: string, { router, notices, rejects }: Pick<SourceDeps, "router" | "notices" | "rejects">) {
  const decoder = formatNamed(format).createDecoder(router, notices, rejects);
  return rejects === null ? decoder : keepMessages(decoder);
}

function formatNamed(name: string): Format {
  const format = new Map<string, Format>(Object.entries(FORMATS)).get(name);
  if (format !== undefined) return format;
  throw new FrazilError("config", "UNKNOWN_FORMAT", `format ${name} is not known`, {
    hint: `formats: ${Object.keys(FORMATS).join(", ")}`,
  });
}
