import { parentPort, workerData } from "node:worker_threads";
import { FrazilError } from "../../../table-format/index.ts";
import { Dice } from "./mutate.ts";
import { TARGETS } from "./targets.ts";

/** What a worker is to do, and where it says how far it is. */
export interface FuzzWork {
  readonly from: number;
  readonly to: number;
  /** [0] is the input under way. */
  readonly progress: SharedArrayBuffer;
}

/** What a worker found. */
export interface FuzzReport {
  /** Inputs by target: accepted, refused. */
  readonly counts: Readonly<Record<string, readonly [number, number]>>;
  readonly defects: readonly string[];
}

/** Kinds of errors that say what is wrong with an input. */
const REFUSALS = new Set(["corrupt", "unsupported", "data", "not-found"]);
const MOST_DEFECTS = 20;

const { from, to, progress } = workerData as FuzzWork;
const place = new Int32Array(progress);
const counts: Record<string, [number, number]> = {};
const defects: string[] = [];
for (let input = from; input < to && defects.length < MOST_DEFECTS; input++) {
  Atomics.store(place, 0, input);
  let share = input % 100;
  const target = TARGETS.find((each) => (share -= each.share) < 0) ?? TARGETS[0]!;
  const bytes = target.make(new Dice(input));
  const count = (counts[target.name] ??= [0, 0]);
  try {
    await target.read(bytes);
    count[0]++;
  } catch (error) {
    count[1]++;
    if (error instanceof FrazilError && REFUSALS.has(error.kind)) continue;
    defects.push(
      `input ${input} (${target.name}): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}
parentPort?.postMessage({ counts, defects } satisfies FuzzReport, []);
