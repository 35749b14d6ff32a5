import { expect, it } from "vitest";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../../support/checkpoints.ts";
import { loaded, place } from "../../../support/maintenance.ts";

const HOUR_MS = 3_600_000;

it.each([
  ["of the job", "test-e0000000001-k0123456789abcdef"],
  ["of a table with several jobs or none", "frazil-k0123456789abcdef"],
])(
  "keeps files of maintenance %s that may be just before its swap, until another commit rules it out",
  async (_, stem) => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    let nowMs = process.runtime.clock.nowMs();
    process.runtime.clock.nowMs = () => nowMs;
    await process.checkpoint([change("a", "+1:x:1")]);
    const file = `mem://w/shop/a/data/${stem}-w00-0000-0123abcd.parquet`;
    await warehouse.io.write(file, new TextEncoder().encode("output"));
    const orphans = async (): Promise<string[]> => {
      const settings = { olderThanMs: 24 * HOUR_MS, locations: [] };
      const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), settings);
      return plan.orphans.map(({ location }) => location);
    };
    expect(await orphans()).not.toContain(file);
    // The head is what it was when the files were written: a swap that asserts it can still come, however late.
    nowMs += 80 * HOUR_MS;
    expect(await orphans()).not.toContain(file);
    await process.checkpoint([change("a", "~1:x:2")]);
    expect(await orphans()).toContain(file);
  },
);
