import { setTimeout as sleep } from "node:timers/promises";
import { frazil } from "../it/job/job-process.ts";
import { type Audit, type AuditResult, openAudit } from "./audit.ts";
import { choices } from "./choice.ts";
import { disturb, HOW_FAR, spanOf, type Tally } from "./disturbances.ts";
import { openWorld, type StoreName, type TortureOptions, type VictimJob, type World } from "./world.ts";

/** What happened, and what is wrong; `lost`, `doubled` and `missing_files` are sums over all snapshots. */
export interface TortureReport {
  readonly seed: number;
  readonly store: StoreName;
  /** At once. */
  readonly jobs: number;
  readonly kills: number;
  readonly stops: number;
  readonly faults: number;
  readonly messages: number;
  readonly rows: number;
  readonly snapshots: number;
  readonly lost: number;
  readonly doubled: number;
  readonly missing_files: number;
  /** Cuts over all tables that were read, and those at which the accounts did not hold the same together. */
  readonly cuts: number;
  readonly wrong_sums: number;
  /** Numbers of registers that were left out or came again. */
  readonly register_gaps: number;
  readonly register_repeats: number;
  readonly seconds: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly complaints: readonly string[];
}

const BATCH = 10;
const BATCH_PAUSE_MS = 120;
/** Between two looks of a reader. */
const LOOK_PAUSE_MS = 500;
/** Who has spoken of so many kills more speaks again. */
const TELL_EVERY = 10;

/** What is counted of processes that are not faults. */
const NO_FAULTS: readonly string[] = [
  "killed",
  ...Object.values(HOW_FAR),
  "stopped",
  "terminated",
  "woken late",
  "ended before its kill",
];

/**
 * Runs jobs on real servers while their processes are killed, suspended, doubled and given wrong clocks, the broker and the store are
 * killed, and the network between them fails; a producer goes on writing and a reader of each job compares every snapshot that appears.
 */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const { progress } = options;
  const startMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startMs) / 1000);
  await using world = await openWorld(options);
  const { feed, http, jobs } = world;
  const audits = jobs.map(({ lake, readers }) => openAudit(feed, lake, readers));
  const tally: Tally = new Map();
  const feeding = feed.run(BATCH, BATCH_PAUSE_MS);
  const watching = watch(audits);
  let said = 0;
  try {
    await disturbAll(world, options, tally, () => {
      const done = tally.get("killed") ?? 0;
      if (done < said + TELL_EVERY) return;
      said = done;
      progress(`${done} kills, ${feed.sent} messages, ${seconds()} s`);
    });
    http?.storm(0);
    await http?.settled();
  } finally {
    feed.stop();
    await Promise.all([feeding, watching.end()]);
  }
  progress(`the last runs, after ${seconds()} s`);
  await Promise.all(jobs.map(catchUp));
  const results = await Promise.all(audits.map((audit) => audit.finish()));
  return reportOf(options, world, tally, results, seconds());
}

async function disturbAll(world: World, options: TortureOptions, tally: Tally, each: () => void): Promise<void> {
  const { seed, kills, longestStopMs, progress } = options;
  const spans = await Promise.all(world.jobs.map((job) => spanOf(job, tally)));
  progress(`a process takes up to ${spans.join(", ")} ms to commit`);
  const ends = await Promise.allSettled(
    world.jobs.map((job, i) => {
      const random = choices(seed + 1_000_003 * i);
      const spanMs = spans[i] ?? 0;
      return disturb({ world, job, random, tally, longestStopMs, sleepers: [], kills, spanMs }, each);
    }),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** Lets each reader look again and again. */
function watch(audits: readonly Audit[]): { end(): Promise<unknown> } {
  let over = false;
  const watching = Promise.all(
    audits.map(async (audit) => {
      while (!over) {
        await audit.look();
        await sleep(LOOK_PAUSE_MS);
      }
    }),
  );
  return {
    end() {
      over = true;
      return watching;
    },
  };
}

async function catchUp({ name, path }: VictimJob): Promise<void> {
  const last = frazil(["run", path, "--until", "caught-up"]);
  const end = await last.ended;
  if (end !== 0) throw new Error(`${name}: expected the last run to catch up, found exit ${end}:\n${last.stderr()}`);
}

function reportOf(
  { seed, store }: TortureOptions,
  { http, feed, jobs }: World,
  tally: Tally,
  results: readonly AuditResult[],
  seconds: number,
): TortureReport {
  const sum = (of: (result: AuditResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const kinds = new Map([
    ...tally,
    ...[...(http?.counts ?? [])].map(([name, n]) => [`store: ${name}`, n] as const),
    ...jobs.map(({ name }, i) => [`snapshots of ${name}`, results[i]?.snapshots ?? 0] as const),
    ["snapshots that moved rows", sum(({ rewrites }) => rewrites)] as const,
    ["snapshots that expired unread", sum(({ expired }) => expired)] as const,
  ]);
  const isFault = (name: string): boolean => !NO_FAULTS.includes(name) && !/^(snapshots|maintenance:)/.test(name);
  return {
    seed,
    store,
    jobs: jobs.length,
    kills: tally.get("killed") ?? 0,
    stops: tally.get("stopped") ?? 0,
    faults: [...kinds].reduce((total, [name, n]) => total + (isFault(name) ? n : 0), 0),
    messages: feed.sent,
    rows: sum(({ rows }) => rows),
    snapshots: sum(({ snapshots }) => snapshots),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    missing_files: sum(({ missingFiles }) => missingFiles),
    cuts: sum(({ cuts }) => cuts),
    wrong_sums: sum(({ wrongSums }) => wrongSums),
    register_gaps: sum(({ registerGaps }) => registerGaps),
    register_repeats: sum(({ registerRepeats }) => registerRepeats),
    seconds,
    kinds: Object.fromEntries([...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    complaints: jobs.flatMap(({ name }, i) => (results[i]?.complaints ?? []).map((text) => `${name}: ${text}`)),
  };
}
