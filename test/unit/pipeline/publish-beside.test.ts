import { expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { publishBesideJob } from "../../../src/pipeline/publish-beside.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import { createManifestCache, FrazilError } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { plainJob } from "../../support/plain-job.ts";
import { scriptSource } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const CHANGES = ["+1:x:1", "+2:x:2", "~1:x:3", "+3:y:1", "-2"].map((text) => change("a", text));
const IDENT = { namespace: ["shop"], name: "a" };

/** Runs a job that publishes by itself, to its end. @returns what it logged */
async function run({ io, catalog }: Warehouse, checks: readonly string[], upTo: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = (message: string): void => void lines.push(message);
  // Real time: a job waits for what goes on beside it, which a clock that leaps does not.
  const runtime = createRuntime({ debug: log, info: log, warn: log, error: log }, undefined);
  const place = { io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder };
  await runJob({
    ...plainJob({ catalog: branchCatalog(catalog, "audit"), io }, 2),
    rules: [upsertRule("a")],
    runtime,
    createSource: (router) => scriptSource(new Map([["t/0", CHANGES.slice(0, upTo)]]), router, { uint32: () => 2 }),
    beside: (held) => publishBesideJob(held, place, { branch: "audit", everyMs: 3_600_000, checks }),
  });
  return lines;
}

it("tries again what failed for the disk, also when nothing new comes to the branch", async () => {
  const warehouse = memoryWarehouse("memory");
  const shown = { ...warehouse, catalog: branchCatalog(warehouse.catalog, "audit") };
  const process = await Process.start(shown, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const stop = new AbortController();
  let rounds = 0;
  const scratch: typeof openScratchFolder = async () => {
    if (++rounds === 1) throw new FrazilError("io", "NO_SPACE", "the disk is full");
    stop.abort();
    return openScratchFolder();
  };
  const { io, catalog } = shown;
  const runtime = virtualRuntime(71);
  const context = { pipeline: "test", catalog, io, runtime, warehouseLocation: "mem://w", comparePoints: () => 0 };
  // Should it not be tried again, the end comes by itself.
  let looks = 0;
  const tables = () => {
    if (++looks === 5) stop.abort();
    return [IDENT];
  };
  await publishBesideJob(
    {
      context: { ...context, manifests: createManifestCache(10) },
      tables,
      stop: stop.signal,
      over: AbortSignal.abort(),
    },
    { io, catalog, location: "mem://w", localPath: null, scratch },
    { branch: "audit", everyMs: 1_000, checks: ["SELECT count(*) > 0 FROM shop.a"] },
  );
  expect(await tableRows(io, warehouse.catalog, IDENT)).toEqual(["1|x|1"]);
});

it("publishes behind the last checkpoint while the checks hold, and else leaves main alone", async () => {
  const warehouse = memoryWarehouse("memory");
  const checks = ["SELECT count(*) > 1 FROM shop.a", "SELECT * FROM shop.a WHERE part = 'y'"];
  expect(await run(warehouse, checks, 3)).toContain("published");
  const published = ["1|x|3", "2|x|2"];
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(published);
  const lines = await run(warehouse, checks, 5);
  expect(lines).toContain("a check does not hold; main stays as it is");
  expect(lines).not.toContain("published");
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(published);
  // A check that cannot be run does not end the job either.
  expect(await run(warehouse, ["SELECT nothing FROM shop.a"], 5)).toContain("cannot publish; main stays as it is");
  await run(warehouse, [], 5);
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|3", "3|y|1"]);
});
