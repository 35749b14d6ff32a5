import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import { readPipeline } from "../../../src/commit/read-pipeline.ts";
import type { BesideIngestion } from "../../../src/pipeline/job-run.ts";
import { publishPlanned } from "../../../src/pipeline/publish.ts";
import { publishBesideJob } from "../../../src/pipeline/publish-beside.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { Violation } from "../world/oracle.ts";
import { BRANCH, LOCATION, PIPELINE, type Place, type Simulation } from "../world/simulation.ts";

/** How publishing may fail where requests do, and others are quicker: at its end the job tries a refused commit for seconds only. */
const ACCEPTED =
  /SIM_NO_ANSWER|no answer|no room|somebody else|came first|another writer|requirement not met|could not be learned|is not on the branch|was rolled back|lies beside/;

/** The job's own process publishes now and then what is whole, and what is there when it ends. */
export function publishBeside(sim: Simulation, { process, io, catalog }: Place, held: BesideIngestion): Promise<void> {
  const { runtime } = process;
  const warn = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    const given = fields?.["cause"];
    const cause = typeof given === "string" ? given : "";
    runtime.log.warn(`${message} ${cause}`);
    if (!message.startsWith("cannot publish") || process.dead) return;
    sim.count("publishing failed");
    if (!ACCEPTED.test(cause)) sim.fail(new Violation("publishing ended badly", `${process.name}: ${cause}`));
  };
  const info = (message: string): void => {
    if (message === "published") sim.count("published");
    runtime.log.info(message);
  };
  const context = { ...held.context, runtime: { ...runtime, log: { ...runtime.log, warn, info } } };
  const plan = { branch: BRANCH, everyMs: process.draw.between(5_000, 60_000), checks: [] };
  return publishBesideJob({ ...held, context }, warehouse({ io, catalog }), plan);
}

/** `frazil publish <job>`, by hand. */
export async function publishByHand(sim: Simulation, place: Place): Promise<void> {
  const pipeline = { ...place, pipeline: PIPELINE };
  const idents = async () => (await readPipeline(pipeline)).tables.map(({ loaded }) => loaded.ident);
  const cut = () => pipelineCut(pipeline, BRANCH, idents);
  try {
    const { publications } = await publishPlanned({ ...place, ...warehouse(place) }, BRANCH, cut, []);
    if (publications.length > 0) sim.count("published by hand");
  } catch (error) {
    // An operator was quicker and has rolled the branch back.
    if (!(error instanceof FrazilError && error.code === "NOT_ON_BRANCH" && sim.rolledBack)) throw error;
    sim.count("publishing refused");
  }
}

/** Without checks nothing is queried. */
function warehouse({ io, catalog }: Pick<Place, "io" | "catalog">): QueryWarehouse {
  const scratch = (): never => {
    throw new Error("a simulated process has no folder to scratch in");
  };
  return { location: LOCATION, io, catalog, localPath: null, scratch };
}
