import { setTimeout as sleep } from "node:timers/promises";
import { frazil, hasWritten, type JobProcess } from "../it/job/job-process.ts";
import type { Toxic } from "../services/toxiproxy.ts";
import type { SeededRandom } from "./choice.ts";
import { clockShift } from "./clock-shift.ts";
import type { World } from "./world.ts";

/** What was done to the processes and servers, by name. */
export type Tally = Map<string, number>;

/** Ends that a process under faults may come to: done, a server away, temporary, fenced, or our signal (SIGTERM before it was up). */
const ALLOWED_ENDS: readonly (number | string)[] = [0, 69, 75, 76, "SIGKILL", "SIGTERM"];
/** A process that hangs would hold up everything: it must end within this time after SIGTERM. */
const PATIENCE_MS = 180_000;
const [LEAST_SPAN_MS, MOST_SPAN_MS] = [2_500, 10_000];
const COMMITTED = /checkpoint [\d ]+ /;

/** One thing to do to a running job; it leaves no process behind. */
type Disturbance = (scene: Scene) => Promise<void>;

interface Scene {
  readonly world: World;
  readonly random: SeededRandom;
  readonly tally: Tally;
  /** Longest time that a process is suspended, in milliseconds. */
  readonly longestStopMs: number;
  /** Processes that sleep that long; meanwhile everything else goes on. */
  readonly sleepers: Sleeper[];
  /** Within this time a process has started and mostly committed, on this machine as busy as it is; milliseconds. */
  readonly spanMs: number;
}

interface Sleeper {
  readonly job: JobProcess;
  readonly wakesAtMs: number;
}

/** Sleepers hold memory. */
const MOST_SLEEPERS = 3;

function count({ tally }: Scene, name: string): void {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}

/** A process of the job, whose clock may be off. */
function start(scene: Scene): JobProcess {
  const { world, random } = scene;
  const shifted = random.below(3) === 0;
  const shiftMs = shifted ? random.below(2 * world.clockSpanMs) - world.clockSpanMs : 0;
  if (shifted) count(scene, "clock shifted");
  return frazil(["run", world.job], clockShift(shiftMs));
}

async function kill(scene: Scene, job: JobProcess): Promise<void> {
  // One that was fenced may have ended by itself.
  const alive = job.child.exitCode === null && job.child.signalCode === null;
  count(scene, alive ? "killed" : "ended before its kill");
  job.child.kill("SIGKILL");
  await ended(job);
}

async function ended(job: JobProcess): Promise<void> {
  const timer = setTimeout(() => job.child.kill("SIGABRT"), PATIENCE_MS);
  const end = await job.ended;
  clearTimeout(timer);
  if (!ALLOWED_ENDS.includes(end))
    throw new Error(`expected an end that faults explain, found ${end}:\n${job.stderr()}`);
}

const killed: Disturbance = async (scene) => {
  const job = start(scene);
  await sleep(200 + scene.random.below(scene.spanMs));
  await kill(scene, job);
};

const committedThenKilled: Disturbance = async (scene) => {
  const job = start(scene);
  await Promise.race([hasWritten(job, COMMITTED), sleep(8 * scene.spanMs)]);
  await sleep(scene.random.below(800));
  await kill(scene, job);
};

const terminated: Disturbance = async (scene) => {
  const job = start(scene);
  await sleep(300 + scene.random.below(scene.spanMs));
  count(scene, "terminated");
  job.child.kill("SIGTERM");
  await ended(job);
};

/** An older process sleeps while a newer one takes over, and wakes up behind it. */
const suspended: Disturbance = async (scene) => {
  const older = start(scene);
  await sleep(500 + scene.random.below(scene.spanMs));
  older.child.kill("SIGSTOP");
  count(scene, "stopped");
  const newer = start(scene);
  if (scene.random.below(4) === 0 && scene.sleepers.length < MOST_SLEEPERS) {
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
async function wake(scene: Scene, dueMs: number): Promise<void> {
  const due = scene.sleepers.filter(({ wakesAtMs }) => wakesAtMs <= dueMs);
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
  await feed.pause();
  count(scene, "broker killed");
  await kafka.kill();
  await sleep(scene.random.below(1_000));
  await kafka.restart();
  feed.resume();
  await sleep(scene.random.below(3_000));
  await kill(scene, job);
};

const storeKilled: Disturbance = async (scene) => {
  const { store } = scene.world;
  if (store === null) return killed(scene);
  const job = start(scene);
  await sleep(scene.random.below(scene.spanMs));
  count(scene, "store killed");
  await store.kill();
  await sleep(scene.random.below(1_500));
  await store.restart();
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
  await sleep(random.below(1_500));
  await kill(scene, job);
};

/** How often each comes, of the sum. */
const WEIGHTED: readonly (readonly [number, Disturbance])[] = [
  [6, killed],
  [5, committedThenKilled],
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

/** How long the job takes from its start to its first commit: kills come at any moment of that. */
export async function spanOf({ job: path }: World): Promise<number> {
  const startMs = performance.now();
  const job = frazil(["run", path]);
  await Promise.race([hasWritten(job, COMMITTED), sleep(MOST_SPAN_MS)]);
  const spanMs = performance.now() - startMs;
  job.child.kill("SIGTERM");
  await ended(job);
  return Math.min(MOST_SPAN_MS, Math.max(LEAST_SPAN_MS, Math.round(1.3 * spanMs)));
}

/** Disturbs until so many processes have been killed. */
export async function disturb(scene: Scene, kills: number, each: () => void): Promise<void> {
  for (let round = 0; (scene.tally.get("killed") ?? 0) < kills; round++) {
    scene.world.http?.storm(STORMS[round % STORMS.length] ?? 0);
    await scene.random.pick(ONE_OF)(scene);
    await wake(scene, performance.now());
    each();
  }
  for (let last = scene.sleepers.at(-1); last !== undefined; last = scene.sleepers.at(-1)) {
    await sleep(Math.max(0, last.wakesAtMs - performance.now()));
    await wake(scene, Math.max(last.wakesAtMs, performance.now()));
  }
  scene.world.http?.storm(0);
}
