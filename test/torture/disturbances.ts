import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { frazil, hasWritten, type JobProcess } from "../it/job/job-process.ts";
import type { Toxic } from "../services/toxiproxy.ts";
import type { SeededRandom } from "./choice.ts";
import { clockShift } from "./clock-shift.ts";
import type { VictimJob, World } from "./world.ts";

/** What was done to the processes and servers, by name. */
export type Tally = Map<string, number>;

/** Ends that a process under faults may come to: done, a server away, temporary, fenced, or our signal (SIGTERM before it was up). */
const ALLOWED_ENDS: readonly (number | string)[] = [0, 69, 75, 76, "SIGKILL", "SIGTERM"];
/** A process that hangs would hold up everything: it must end within this time after SIGTERM. */
const PATIENCE_MS = 180_000;
const [LEAST_SPAN_MS, MOST_SPAN_MS] = [1_500, 15_000];
/** How a line about a commit begins; the one before the first tells after which checkpoint the job goes on. */
const COMMITTED = /^checkpoint \d/m;
const TAKEN_OVER = / {2}(starts|resumes) /;
const MAINTAINED = /maintenance (done|failed) .*kind=(\w+)/g;

/** One thing to do to a running job; it leaves no process behind. */
type Disturbance = (scene: Scene) => Promise<void>;

export interface Scene {
  readonly world: World;
  /** Whose processes are disturbed; all jobs feel what happens to the servers. */
  readonly job: VictimJob;
  readonly random: SeededRandom;
  readonly tally: Tally;
  /** Longest time that a process is suspended, in milliseconds. */
  readonly longestStopMs: number;
  /** Processes that sleep that long; meanwhile everything else goes on. */
  readonly sleepers: Sleeper[];
  /** So many are to be killed, of all jobs. */
  readonly kills: number;
  /** It is enough then, too. */
  readonly cutOff: AbortSignal;
  /** Within this time a process has started and mostly committed, on this machine as busy as it is; milliseconds. */
  spanMs: number;
}

interface Sleeper {
  readonly job: JobProcess;
  readonly wakesAtMs: number;
}

/** Sleepers hold memory. */
const MOST_SLEEPERS = 2;

function count({ tally }: Pick<Scene, "tally">, name: string): void {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}

/** A process of the job, whose clock may be off. */
function start(scene: Scene): JobProcess {
  const { job, random } = scene;
  const shifted = random.below(3) === 0;
  const shiftMs = shifted ? random.below(2 * job.clockSpanMs) - job.clockSpanMs : 0;
  if (shifted) count(scene, "clock shifted");
  const started = frazil(["run", job.path], clockShift(shiftMs));
  keepWords(scene.world, job, started);
  return started;
}

/** Keeps what a process says beside the data, for somebody to look into. */
function keepWords(
  { folder }: Pick<World, "folder">,
  { name }: VictimJob,
  { child, stderr, ended: end }: JobProcess,
): void {
  const begin = new Date().toISOString();
  const keep = (how: number | string): void =>
    appendFileSync(
      join(folder, `${name}.log`),
      `== ${child.pid}: ${begin} to ${new Date().toISOString()}, ${how}\n${stderr()}`,
    );
  void end.then(keep);
}

const hasCommitted = (job: JobProcess): boolean => COMMITTED.test(job.stderr());

/** Of those killed; the others died before they had taken the job over. */
export const HOW_FAR = {
  takenOver: "killed behind its take-over",
  committed: "killed behind its first commit",
} as const;

async function kill(scene: Scene, job: JobProcess): Promise<void> {
  // One that was fenced may have ended by itself.
  const alive = job.child.exitCode === null && job.child.signalCode === null;
  count(scene, alive ? "killed" : "ended before its kill");
  if (alive && hasCommitted(job)) count(scene, HOW_FAR.committed);
  else if (alive && TAKEN_OVER.test(job.stderr())) count(scene, HOW_FAR.takenOver);
  job.child.kill("SIGKILL");
  await ended(scene, job);
}

async function ended(scene: Pick<Scene, "tally">, job: JobProcess): Promise<void> {
  const timer = setTimeout(() => job.child.kill("SIGABRT"), PATIENCE_MS);
  const end = await job.ended;
  clearTimeout(timer);
  for (const [, outcome, kind] of job.stderr().matchAll(MAINTAINED)) count(scene, `maintenance: ${kind} ${outcome}`);
  if (!ALLOWED_ENDS.includes(end))
    throw new Error(`expected an end that faults explain, found ${end}:\n${job.stderr()}`);
}

const killed: Disturbance = async (scene) => {
  const job = start(scene);
  await sleep(200 + scene.random.below(scene.spanMs));
  await kill(scene, job);
};

/** Long enough for some checkpoints, and for a compaction beside them. */
const LIVES_MS = [800, 800, 5_000] as const;

const committedThenKilled: Disturbance = async (scene) => {
  const startMs = performance.now();
  const job = start(scene);
  const patience = new AbortController();
  await Promise.race([
    hasWritten(job, COMMITTED),
    sleep(3 * scene.spanMs, null, { signal: patience.signal }).catch(() => null),
  ]);
  patience.abort();
  if (hasCommitted(job)) scene.spanMs = spanAfter(performance.now() - startMs, scene.spanMs);
  await sleep(scene.random.below(scene.random.pick(LIVES_MS)));
  await kill(scene, job);
};

/** A third longer than from a start to its first commit, as it was lately. */
function spanAfter(firstCommitMs: number, before: number | null): number {
  const now = 1.3 * firstCommitMs;
  const span = before === null ? now : 0.6 * before + 0.4 * now;
  return Math.min(MOST_SPAN_MS, Math.max(LEAST_SPAN_MS, Math.round(span)));
}

const terminated: Disturbance = async (scene) => {
  const job = start(scene);
  await sleep(300 + scene.random.below(scene.spanMs));
  count(scene, "terminated");
  job.child.kill("SIGTERM");
  await ended(scene, job);
};

/** An older process sleeps while a newer one takes over, and wakes up behind it. */
const suspended: Disturbance = async (scene) => {
  const older = start(scene);
  await sleep(500 + scene.random.below(scene.spanMs));
  older.child.kill("SIGSTOP");
  count(scene, "stopped");
  const newer = start(scene);
  if (scene.random.below(4) === 0 && scene.sleepers.length < MOST_SLEEPERS && !isEnough(scene)) {
    scene.sleepers.push({ job: older, wakesAtMs: performance.now() + scene.longestStopMs });
    await sleep(scene.random.below(3_000));
    await kill(scene, newer);
    return;
  }
  await sleep(scene.random.below(3_000));
  older.child.kill("SIGCONT");
  await sleep(scene.random.below(scene.spanMs));
  await kill(scene, older);
  await kill(scene, newer);
};

/** Wakes those that have slept long enough, beside one that runs now. */
async function wake(scene: Scene): Promise<void> {
  const due = scene.sleepers.filter(({ wakesAtMs }) => wakesAtMs <= performance.now());
  for (const sleeper of due) {
    scene.sleepers.splice(scene.sleepers.indexOf(sleeper), 1);
    const newest = start(scene);
    await sleep(scene.random.below(scene.spanMs));
    sleeper.job.child.kill("SIGCONT");
    count(scene, "woken late");
    await sleep(scene.random.below(scene.spanMs));
    await kill(scene, sleeper.job);
    await kill(scene, newest);
  }
}

const together: Disturbance = async (scene) => {
  const jobs = [start(scene)];
  const more = 1 + scene.random.below(2);
  for (let i = 0; i < more; i++) {
    await sleep(scene.random.below(1_500));
    jobs.push(start(scene));
  }
  count(scene, "several at once");
  await sleep(500 + scene.random.below(scene.spanMs));
  for (const job of jobs) await kill(scene, job);
};

const brokerKilled: Disturbance = async (scene) => {
  const { feed, kafka } = scene.world;
  const job = start(scene);
  await sleep(scene.random.below(scene.spanMs));
  await scene.world.turns.broker(async () => {
    await feed.pause();
    count(scene, "broker killed");
    await kafka.kill();
    await sleep(scene.random.below(1_000));
    await kafka.restart();
    feed.resume();
  });
  await sleep(scene.random.below(3_000));
  await kill(scene, job);
};

const storeKilled: Disturbance = async (scene) => {
  const { store } = scene.world;
  if (store === null || scene.job.lake.s3 === null) return killed(scene);
  const job = start(scene);
  await sleep(scene.random.below(scene.spanMs));
  await scene.world.turns.store(async () => {
    count(scene, "store killed");
    await store.kill();
    await sleep(scene.random.below(1_500));
    await store.restart();
  });
  await sleep(scene.random.below(3_000));
  await kill(scene, job);
};

const TOXICS: readonly Toxic[] = [
  { type: "latency", attributes: { latency: 300, jitter: 250 } },
  { type: "bandwidth", attributes: { rate: 20 } },
  { type: "slicer", attributes: { average_size: 50, size_variation: 40, delay: 50 } },
  { type: "timeout", attributes: { timeout: 700 } },
  { type: "reset_peer", attributes: { timeout: 200 } },
  { type: "limit_data", attributes: { bytes: 20_000 } },
];

const brokerFaults: Disturbance = async (scene) => {
  const { world, random } = scene;
  const job = start(scene);
  await sleep(random.below(1_500));
  await world.turns.broker(async () => {
    if (random.below(4) === 0) {
      count(scene, "broker cut off");
      await world.network.cut();
    } else {
      const toxic = random.pick(TOXICS);
      count(scene, `broker ${toxic.type}`);
      await world.network.poison(toxic);
    }
    await sleep(500 + random.below(2_500));
    await world.network.heal();
  });
  await sleep(random.below(1_500));
  await kill(scene, job);
};

/** How often each comes, of the sum. */
const WEIGHTED: readonly (readonly [number, Disturbance])[] = [
  [6, killed],
  [8, committedThenKilled],
  [2, terminated],
  [2, suspended],
  [2, together],
  [1, brokerKilled],
  [1, storeKilled],
  [3, brokerFaults],
];
const ONE_OF = WEIGHTED.flatMap(([weight, disturbance]) => Array<Disturbance>(weight).fill(disturbance));
/** The shares of requests to the store that are spoiled, in turns. */
const STORMS = [0, 0.03, 0, 0.15, 0.01] as const;

/** How long a job takes from its start to its first commit: kills come at any moment of that. */
export async function spanOf({ path }: VictimJob, tally: Tally): Promise<number> {
  const startMs = performance.now();
  const job = frazil(["run", path]);
  await Promise.race([hasWritten(job, COMMITTED), sleep(MOST_SPAN_MS)]);
  const spanMs = spanAfter(performance.now() - startMs, null);
  job.child.kill("SIGTERM");
  await ended({ tally }, job);
  return spanMs;
}

const isEnough = ({ tally, kills, cutOff }: Scene): boolean => cutOff.aborted || (tally.get("killed") ?? 0) >= kills;

/** Disturbs a job until enough processes have been killed and none sleeps any more. */
export async function disturb(scene: Scene, each: () => void): Promise<void> {
  const { world, job, random, sleepers } = scene;
  for (let round = 0; !isEnough(scene) || sleepers.length > 0; round++) {
    const storm = isEnough(scene) ? 0 : (STORMS[round % STORMS.length] ?? 0);
    if (job.lake.s3 !== null) world.http?.storm(storm);
    await random.pick(ONE_OF)(scene);
    await wake(scene);
    each();
  }
}
