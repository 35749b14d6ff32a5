import { describe, expect, it } from "vitest";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";

const a = (text: string) => change("a", text);

/** Counts reads by location from now on. */
function countReads(warehouse: Warehouse): Map<string, number> {
  const reads = new Map<string, number>();
  warehouse.fault = (operation, location) => {
    if (operation === "read" || operation === "readRange") reads.set(location, (reads.get(location) ?? 0) + 1);
  };
  return reads;
}

describe("a pipeline on a store", () => {
  it("reads a manifest once at most", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    const reads = countReads(warehouse);
    for (let round = 0; round < 8; round++) {
      await process.checkpoint([`+${round}:x:1`, `+${round + 100}:x:1`, `~${round - 1}:x:${round}`].map(a));
    }
    const manifests = [...reads].filter(([location]) => /-m\d+-[0-9a-f]+\.avro$/.test(location));
    expect(manifests.length).toBeGreaterThan(5);
    expect(manifests.filter(([, count]) => count > 1)).toEqual([]);
  });

  it("reads the vectors of one commit in one request when it starts", async () => {
    const warehouse = memoryWarehouse("memory");
    const rules = [upsertRule("a", { partitionBy: ["part"] })];
    const first = await Process.start(warehouse, rules);
    await first.checkpoint(["+1:x:1", "+2:x:1", "+3:y:1", "+4:y:1", "+5:z:1", "+6:z:1"].map(a));
    await first.checkpoint(["-1", "-3", "-5"].map(a));
    const second = await Process.start(warehouse, rules);
    const reads = countReads(warehouse);
    await second.checkpoint([a("-2")]);
    const vectors = [...reads].filter(([location]) => location.endsWith(".puffin"));
    expect(vectors.map(([, count]) => count)).toEqual([1]);
  });
});
