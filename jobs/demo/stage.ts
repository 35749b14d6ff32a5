import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { expectedTables } from "../../src/index.ts";
import { type Ended, root, run, script } from "./frazil.ts";
import { grouped, say } from "./screen.ts";

/** The generator's settings that say what happens. */
export interface Changelog {
  readonly seed: number;
  readonly events: number;
  readonly splits: number;
}

/** Where the story takes place. */
export interface Stage extends AsyncDisposable {
  /** The job file, as one would type it. */
  readonly job: string;
  readonly description: string;
  readonly warehouse: string;
  /** For every `frazil` of the story. */
  readonly env: Readonly<Record<string, string>>;
  /** Rows of the append-only table when all is told, where that is known beforehand. */
  readonly appendedAtEnd: number | null;
  /** Two values of FRAZIL_CRASH_AT: in the third commit of a run, before the swap and after it. */
  readonly crashes: readonly [string, string];
  /** Starts to send the changelog, where the job does not make it itself; resolves when there is something to read from. */
  startProducing?(): Promise<void>;
  /** Ends the changelog: what was told in all. */
  settled(): Promise<Changelog>;
  readonly next: readonly string[];
}

/** The generator into a fresh local folder. */
export async function localStage(): Promise<Stage> {
  const job = "jobs/demo.yaml";
  const { source } = parse(readFileSync(join(root, job), "utf8")) as { source: Changelog & { rate: number } };
  const warehouse = ".demo/warehouse";
  await rm(join(root, ".demo"), { recursive: true, force: true });
  return {
    job,
    description: `a made-up shop: ${grouped(source.events)} events, ${grouped(source.rate)} a second, into 3 tables under ${warehouse}`,
    warehouse,
    env: { FRAZIL_DEMO_WAREHOUSE: warehouse },
    appendedAtEnd: expectedTables(source).get("shop.order_events")?.length ?? null,
    crashes: ["commit.sent:3", "commit.answered:3"],
    settled: async () => source,
    next: [
      `npx frazil snapshots shop.orders --warehouse ${warehouse}`,
      `npx frazil query "SELECT region, count(*) FROM shop.customers GROUP BY region" --warehouse ${warehouse}`,
      "",
      "npm run demo -- --kafka    the same through a real Kafka and a real MinIO, started for you",
      "jobs/kafka-orders.yaml     a job for topics of your own",
      "",
      "Other engines read the same folder. PyIceberg:",
      `  SqlCatalog("frazil", uri="sqlite:///${warehouse}/catalog.sqlite").load_table("shop.orders").scan()`,
    ],
    async [Symbol.asyncDispose]() {},
  };
}

/** Debezium messages through Kafka into MinIO; servers that are not running are started, and stopped at the end. */
export async function kafkaStage(): Promise<Stage> {
  const running = await services("env");
  const missing = ["kafka", "minio"].filter((name) => running[name] === undefined);
  if (missing.length > 0) say(`starting ${missing.join(" and ")}; the first time this builds or downloads them`);
  const servers = missing.length === 0 ? running : await services("up", ["kafka", "minio"]);
  const prefix = `demo-${Date.now().toString(36)}`;
  const warehouse = `s3://lake/${prefix}`;
  const env = {
    ...servers["kafka"]?.env,
    ...servers["minio"]?.env,
    FRAZIL_DEMO_PREFIX: prefix,
    FRAZIL_DEMO_WAREHOUSE: warehouse,
  };
  const changelog: Changelog = { seed: 2026, events: 1_000_000, splits: 2 };
  const rate = 5000;
  const stopped = new AbortController();
  let producing: Promise<Ended> | undefined;
  let sent = "";
  return {
    job: "jobs/demo-kafka.yaml",
    description: `Debezium messages in Kafka, ${grouped(rate)} events a second, into 3 tables on MinIO`,
    warehouse,
    env,
    appendedAtEnd: null,
    // Without a catalog of its own the store takes one table at a time: the second table of the third checkpoint, then the first one.
    crashes: ["commit.sent:8", "commit.answered:7"],
    async startProducing() {
      const numbers = Object.entries({ ...changelog, rate }).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const ready = Promise.withResolvers<void>();
      const onLine = (line: string): void => {
        sent = line;
        ready.resolve();
      };
      producing = script("produce.ts", ["--prefix", prefix, ...numbers], env, onLine, stopped.signal);
      await Promise.race([ready.promise, producing]);
    },
    async settled() {
      stopped.abort();
      const ended = await producing;
      if (ended?.code !== 0) throw new Error(`the producer failed:\n${ended?.stderr}`);
      return { ...changelog, events: (JSON.parse(sent) as { events: number }).events };
    },
    next: [
      ...(missing.length > 0
        ? ["npm run services -- up kafka minio    servers that stay: run the demo again and look around"]
        : [
            'eval "$(npm run -s services -- env)"',
            `npx frazil snapshots shop.orders --warehouse ${warehouse}`,
            `npx frazil query "SELECT region, count(*) FROM shop.customers GROUP BY region" --warehouse ${warehouse}`,
          ]),
      "",
      "jobs/kafka-orders.yaml    a job for topics of your own",
    ],
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await producing;
      if (missing.length > 0) await services("down", missing);
    },
  };
}

type Servers = Readonly<Record<string, { readonly env: Readonly<Record<string, string>> }>>;

async function services(verb: "up" | "env" | "down", names: readonly string[] = []): Promise<Servers> {
  let output = "";
  const cli = join(root, "test/services/cli.ts");
  const json = verb === "down" ? [] : ["--json"];
  const ended = await run(process.execPath, [cli, verb, ...names, ...json], {}, (line) => (output += line));
  if (ended.code !== 0) throw new Error(`npm run services -- ${verb} ${names.join(" ")} failed:\n${ended.stderr}`);
  return output === "" ? {} : (JSON.parse(output) as Servers);
}
