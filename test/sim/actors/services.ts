import { identText, type TableIdent } from "../../../table-format/index.ts";
import { writersCatalog } from "../../../src/commit/writer-branch.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import { type MaintenanceContext } from "../../../src/commit/maintenance-commit.ts";
import { planOrphans } from "../../../src/maintenance/clean-orphans/plan.ts";
import { runCleaning } from "../../../src/maintenance/clean-orphans/clean.ts";
import { runCompaction } from "../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../src/maintenance/compact/plan.ts";
import { planExpiry, runExpiry } from "../../../src/maintenance/expire/expire.ts";
import { planManifests, runManifestRewrite } from "../../../src/maintenance/rewrite-manifests/rewrite-manifests.ts";
import type { BesideIngestion } from "../../../src/pipeline/job-run.ts";
import { type TableName, TABLES } from "../world/changelog.ts";
import { Violation } from "../world/oracle.ts";
import { ProcessDied, type SimProcess } from "../world/process.ts";
import type { Draw } from "../world/scheduler.ts";
import type { Part } from "../world/settings.ts";
import { LOCATION, type Place, type Simulation } from "../world/simulation.ts";
import { publishByHand } from "./publisher.ts";

/** Files are old enough to be orphans. */
export const DAY_MS = 24 * 3_600_000;

type Service = (sim: Simulation, place: Place, ident: TableIdent) => Promise<void>;

const SERVICES: readonly { readonly part: Part; readonly everyMs: readonly [number, number]; readonly run: Service }[] =
  [
    { part: "compaction", everyMs: [5_000, 90_000], run: compact },
    { part: "expiry", everyMs: [10_000, 120_000], run: expire },
    { part: "cleaning", everyMs: [10_000, 200_000], run: clean },
    { part: "manifests", everyMs: [20_000, 200_000], run: rewriteManifests },
    { part: "branch", everyMs: [20_000, 200_000], run: publishByHand },
  ];

/** Runs each table service again and again, each time as a process of its own, until `stopped`. */
export function startServices(sim: Simulation, stopped: () => boolean): void {
  for (const { part, everyMs, run } of SERVICES) {
    if (!sim.has(part)) continue;
    const draw = sim.scheduler.stream(part);
    let runs = 0;
    const next = (): void => {
      sim.scheduler.at(draw.between(...everyMs), null, () => {
        if (stopped()) return;
        runService(sim, `${part}${runs++}`, draw, run, next);
      });
    };
    next();
  }
}

/** Cleans one table after the other, each in a process of its own, whatever becomes of it. */
export function cleanAll(sim: Simulation, draw: Draw, then: () => void): void {
  const begin = draw.below(TABLES.length);
  const [first, ...others] = [...TABLES.slice(begin), ...TABLES.slice(0, begin)];
  const next = (table: TableName | undefined): void => {
    if (table === undefined) return then();
    const service: Service = (_, place) => clean(sim, place, { namespace: ["shop"], name: table });
    runService(sim, `sweep${sim.processes.length}`, draw, service, () => next(others.shift()));
  };
  next(first);
}

/** Runs one service once. `then` is called when it is over, however it ended. */
export function runService(sim: Simulation, name: string, draw: Draw, run: Service, then: () => void): void {
  const place = sim.start(name, then);
  const ident = { namespace: ["shop"], name: draw.pick(TABLES) };
  sim.count(`runs of ${name.replace(/\d+$/, "")}`);
  run(sim, place, ident).then(
    () => then(),
    (error: unknown) => {
      if (place.process.dead) return;
      sim.scheduler.note(
        `${name} ends: ${error instanceof FrazilError ? `${error.code} ${error.message}` : String(error)}`,
      );
      judgeService(sim, name, error);
      then();
    },
  );
}

/** Losing a race is part of a service's life; a table is looked at while others work on it. */
export function judgeService(sim: Simulation, name: string, error: unknown): void {
  if (error instanceof ProcessDied) return;
  if (error instanceof Violation || !(error instanceof FrazilError)) return sim.fail(error);
  sim.count(`service ended ${error.code}`);
  const { kind, code } = error;
  if (["unavailable", "io", "conflict", "fenced", "not-found"].includes(kind)) return;
  if (code === "TABLE_ROLLED_BACK" && sim.setBack) return;
  if (kind === "corrupt" && (sim.counts.get("unnoticed") ?? 0) > 0) return;
  sim.fail(new Violation("service ended badly", `${name}: ${kind} ${code}: ${error.message}`));
}

/** A place to rewrite a table's files in: where its pipelines write to a branch, that branch. */
export async function writersPlace(place: Place, ident: TableIdent): Promise<Place> {
  const table = await place.catalog.loadTable(ident);
  return table === null ? place : { ...place, catalog: writersCatalog(place.catalog, table) };
}

async function compact(_sim: Simulation, from: Place, ident: TableIdent): Promise<void> {
  const place = await writersPlace(from, ident);
  const { process, catalog } = place;
  const table = await catalog.loadTable(ident);
  if (table === null) return;
  const plan = await planCompaction(place, table, settings(process.draw));
  for await (const done of runCompaction(place, plan, { pin: process.draw.oneIn(2) })) void done;
}

/** How a compaction goes about it. */
export function settings(draw: Draw) {
  return {
    targetSizeBytes: draw.oneIn(4) ? 40 : 1 << 20,
    minFiles: draw.between(2, 3),
    oldSpecs: draw.oneIn(2),
    ...(draw.oneIn(3) ? { maxBytes: 4_000 } : {}),
  };
}

/** Compactions in the job's own process, which follows the rows that they move. */
export async function serveBeside(sim: Simulation, process: SimProcess, held: BesideIngestion): Promise<void> {
  const { draw } = process;
  const { clock } = process.runtime;
  const context: MaintenanceContext = held.context;
  while (!held.stop.aborted) {
    await clock.sleep(draw.between(5_000, 60_000), held.stop);
    const tables = held.tables();
    if (held.stop.aborted || tables.length === 0) continue;
    const ident = draw.pick(tables);
    try {
      const table = await context.catalog.loadTable(ident);
      if (table === null) continue;
      sim.count("runs of compaction-beside");
      const plan = await planCompaction(context, table, settings(draw));
      const options = { signal: held.stop, moved: (rows: Parameters<typeof held.moved>[1]) => held.moved(ident, rows) };
      for await (const done of runCompaction(context, plan, options)) void done;
    } catch (error) {
      judgeService(sim, `compaction of ${identText(ident)} beside the job`, error);
      if (process.dead) return;
    }
  }
}

async function expire(_sim: Simulation, place: Place, ident: TableIdent): Promise<void> {
  const { process, catalog } = place;
  const table = await catalog.loadTable(ident);
  if (table === null) return;
  const { draw } = process;
  const policy = { minSnapshotsToKeep: draw.between(1, 4), maxSnapshotAgeMs: BigInt(draw.between(0, 60_000)) };
  await runExpiry(place, await planExpiry(place, table, policy));
}

async function clean(_sim: Simulation, place: Place, ident: TableIdent): Promise<void> {
  const { catalog } = place;
  const table = await catalog.loadTable(ident);
  if (table === null) return;
  const locations = TABLES.map((name) => ({
    ident: { namespace: ["shop"], name },
    location: `${LOCATION}/shop/${name}`,
  }));
  await runCleaning(place, await planOrphans(place, table, { olderThanMs: DAY_MS, locations }));
}

async function rewriteManifests(_sim: Simulation, from: Place, ident: TableIdent): Promise<void> {
  const place = await writersPlace(from, ident);
  const { catalog } = place;
  const table = await catalog.loadTable(ident);
  if (table === null) return;
  await runManifestRewrite(place, await planManifests(place, table));
}
