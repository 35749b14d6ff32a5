import { setTimeout as sleep } from "node:timers/promises";
import { frazil } from "../it/job/job-process.ts";
import { type AuditResult, openAudit } from "./audit.ts";
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
/**
 * Between two batches. A reader reads all rows of a snapshot, so its work grows with the square of what is sent: in a run of more than
 * `PACED_KILLS` kills as much less is sent at a time.
 */
const BATCH_PAUSE_MS = 120;
const PACED_KILLS = 150;
/** Between two looks of a reader. */
const LOOK_PAUSE_MS = 500;
/** Who has spoken of so many kills more speaks again. */
const TELL_EVERY = 10;
/** To catch up, with nothing that disturbs. */
const CATCH_UP_MS = 600_000;

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
  const failures: string[] = [];
  const failed = new AbortController();
  const cutOff = AbortSignal.any([failed.signal, ...(options.cutOff === undefined ? [] : [options.cutOff])]);
  /** A part that fails ends the run, but what was done until then is judged and told. */
  const survived: Survived = (part, work) =>
    work.then(
      () => true,
      (error: Error) => {
        failures.push(`${part}: ${error.message}`);
        failed.abort();
        return false;
      },
    );
  const feeding = survived("the feed", feed.run(BATCH, BATCH_PAUSE_MS * Math.max(1, options.kills / PACED_KILLS)));
  const watching = watch(audits.map((audit, i) => () => survived(`the reader of ${jobs[i]?.name}`, audit.look())));
  const report = (results: readonly AuditResult[]): TortureReport =>
    reportOf(options, world, tally, results, failures, seconds());
  const tell = teller(progress, () => report(audits.map((audit) => audit.result())));
  await disturbAll(world, { ...options, cutOff }, tally, survived, tell);
  http?.storm(0);
  await http?.settled();
  feed.stop();
  const [isFed] = await Promise.all([feeding, watching.end()]);
  progress(`the last runs, after ${seconds()} s`);
  await Promise.all(jobs.map((job) => survived(`the last run of ${job.name}`, catchUp(job))));
  // What a feed that failed has logged last may not have been sent.
  await Promise.all(
    audits.map((audit, i) => survived(`the last look at ${jobs[i]?.name}`, isFed ? audit.finish() : audit.look())),
  );
  const end = report(audits.map((audit) => audit.result()));
  if (end.complaints.length > 0) {
    world.keep();
    progress(`everything is kept in ${world.folder}`);
  }
  return end;
}

/** Whether it did not fail. */
type Survived = (part: string, work: Promise<unknown>) => Promise<boolean>;

/** Speaks every so many kills, and of each complaint as soon as it comes. */
function teller(progress: (line: string) => void, soFar: () => TortureReport): () => void {
  let [said, complained] = [0, 0];
  return () => {
    const { kills, messages, snapshots, rows, lost, doubled, missing_files, seconds, kinds, complaints } = soFar();
    for (const complaint of complaints.slice(complained)) progress(complaint);
    complained = complaints.length;
    if (kills < said + TELL_EVERY) return;
    said = kills;
    const found = `${lost} lost, ${doubled} doubled, ${missing_files} missing`;
    const unread = kinds["snapshots that expired unread"];
    progress(
      `${kills} kills, ${messages} messages, ${snapshots} snapshots read, the last of ${rows} rows, ${unread} expired unread: ${found}; ${seconds} s`,
    );
  };
}

async function disturbAll(
  world: World,
  { seed, kills, longestStopMs, cutOff, progress }: TortureOptions & { readonly cutOff: AbortSignal },
  tally: Tally,
  survived: Survived,
  each: () => void,
): Promise<void> {
  const spans = await Promise.all(world.jobs.map((job) => spanOf(job, tally)));
  progress(`a process takes up to ${spans.join(", ")} ms to commit`);
  await Promise.all(
    world.jobs.map((job, i) => {
      const random = choices(seed + 1_000_003 * i);
      const spanMs = spans[i] ?? 0;
      const scene = { world, job, random, tally, longestStopMs, sleepers: [], kills, cutOff, spanMs };
      return survived(`the torture of ${job.name}`, disturb(scene, each));
    }),
  );
}

/** Lets each reader look again and again. */
function watch(looks: readonly (() => Promise<unknown>)[]): { end(): Promise<unknown> } {
  let over = false;
  const watching = Promise.all(
    looks.map(async (look) => {
      while (!over) {
        await look();
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
  const patience = setTimeout(() => last.child.kill("SIGABRT"), CATCH_UP_MS);
  const end = await last.ended;
  clearTimeout(patience);
  if (end !== 0) throw new Error(`${name}: expected the last run to catch up, found exit ${end}:\n${last.stderr()}`);
}

function reportOf(
  { seed, store }: TortureOptions,
  { http, feed, jobs }: World,
  tally: Tally,
  results: readonly AuditResult[],
  failures: readonly string[],
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
    complaints: [
      ...jobs.flatMap(({ name }, i) => (results[i]?.complaints ?? []).map((text) => `${name}: ${text}`)),
      ...failures,
    ],
  };
}
