import { setTimeout as sleep } from "node:timers/promises";
import { frazil } from "../it/job/job-process.ts";
import { openAudit } from "./audit.ts";
import { choices } from "./choice.ts";
import { disturb, spanOf, type Tally } from "./disturbances.ts";
import { openWorld, type StoreName } from "./world.ts";

export interface TortureOptions {
  readonly kills: number;
  readonly seed: number;
  readonly store: StoreName;
  readonly longestStopMs: number;
  readonly progress: (line: string) => void;
}

/** What happened, and what is wrong; `lost`, `doubled` and `missing_files` are sums over all snapshots. */
export interface TortureReport {
  readonly seed: number;
  readonly store: StoreName;
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

const BATCH = 20;
const BATCH_PAUSE_MS = 60;

/**
 * Runs a job on real servers while its processes are killed, suspended, doubled and given wrong clocks, its broker and store are
 * killed, and the network between them fails; a producer goes on writing and a reader compares every snapshot that appears.
 */
export async function torture({ kills, seed, store, longestStopMs, progress }: TortureOptions): Promise<TortureReport> {
  const startMs = performance.now();
  const random = choices(seed);
  await using world = await openWorld(store, seed, choices(seed + 1));
  const { feed, readers, http } = world;
  const audit = openAudit(feed, world.tables, world.cuts, readers, world.store ?? undefined);
  const tally: Tally = new Map();
  const feeding = feed.run(BATCH, BATCH_PAUSE_MS);
  const spanMs = await spanOf(world);
  progress(`a process takes up to ${spanMs} ms to commit`);
  let over = false;
  const watching = (async () => {
    while (!over) {
      await audit.look();
      await sleep(300);
    }
  })();
  let said = 0;
  try {
    await disturb({ world, random, tally, longestStopMs, sleepers: [], spanMs }, kills, () => {
      const done = tally.get("killed") ?? 0;
      if (done < said + 25) return;
      said = done;
      progress(`${done} kills, ${feed.sent} messages, ${Math.round((performance.now() - startMs) / 1000)} s`);
    });
  } finally {
    over = true;
    feed.stop();
    await Promise.all([feeding, watching]);
  }
  await http?.settled();
  const last = frazil(["run", world.job, "--until", "caught-up"]);
  const end = await last.ended;
  if (end !== 0) throw new Error(`expected the last run to catch up, found exit ${end}:\n${last.stderr()}`);
  const result = await audit.finish();
  const kinds = new Map([...tally, ...[...(http?.counts ?? [])].map(([name, n]) => [`store: ${name}`, n] as const)]);
  const processes = new Set(["killed", "stopped", "terminated", "woken late", "ended before its kill"]);
  return {
    seed,
    store,
    kills: tally.get("killed") ?? 0,
    stops: tally.get("stopped") ?? 0,
    faults: [...kinds].reduce((sum, [name, n]) => sum + (processes.has(name) ? 0 : n), 0),
    messages: feed.sent,
    rows: result.rows,
    snapshots: result.snapshots,
    lost: result.lost,
    doubled: result.doubled,
    missing_files: result.missingFiles,
    cuts: result.cuts,
    wrong_sums: result.wrongSums,
    register_gaps: result.registerGaps,
    register_repeats: result.registerRepeats,
    seconds: Math.round((performance.now() - startMs) / 1000),
    kinds: Object.fromEntries([...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    complaints: result.complaints,
  };
}
