import type { Simulation } from "../world/simulation.ts";
import type { JobSupervisor } from "./job.ts";
import { cleanAll } from "./services.ts";

/** Answers to requests that have taken effect, for which somebody waits whose files are not in the table yet. */
const POINTS = [
  "after put data",
  "after put vector",
  "after put position-deletes",
  "after put manifest",
  "after put manifest-list",
] as const;

/** Processes whose files are not in the table yet, besides the job. */
const MAINTENANCE = /^(compaction|manifests|maintenance)/;

/**
 * A laptop that is closed in the middle of a checkpoint, or of maintenance: the process is suspended for longer than orphans have to be
 * old, everything is cleaned meanwhile, nobody takes over, and then it goes on. What it has written is nobody's garbage.
 */
export function startSleeper(sim: Simulation, job: JobSupervisor, stopped: () => boolean): void {
  if (!sim.has("sleeper")) return;
  const { scheduler } = sim;
  const draw = scheduler.stream("sleeper");
  let left = draw.between(1, 2);
  let asleepAt: string = draw.pick(POINTS);
  let visits = draw.below(8);
  sim.onPoint = (process, point) => {
    if (left === 0 || point !== asleepAt || stopped() || sim.asleep) return;
    if (process !== job.current?.process && !MAINTENANCE.test(process.name)) return;
    if (process.suspended || visits-- > 0) return;
    left--;
    asleepAt = draw.pick(POINTS);
    visits = draw.below(8);
    sim.count("sleeps");
    sim.asleep = true;
    process.suspended = true;
    scheduler.note(`${process.name} falls asleep at ${point}`);
    scheduler.at(0, null, () => {
      scheduler.jump(draw.between(26, 80) * 3_600_000);
      cleanAll(sim, draw, () => {
        sim.asleep = false;
        scheduler.note(`${process.name} wakes`);
        scheduler.resume(process);
      });
    });
  };
}
