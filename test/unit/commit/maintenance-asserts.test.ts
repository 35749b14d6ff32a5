import { expect, it } from "vitest";
import type { TableChange } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { compactTable } from "../../support/table-chain.ts";

it("a compaction asserts the table, main and the tag, which stays, and the schema that its files are of", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  for (const value of [1, 2, 3]) await process.checkpoint([change("a", `+${value}:x:${value}`)]);
  const { catalog } = warehouse;
  const { metadata } = (await catalog.loadTable({ namespace: ["shop"], name: "a" }))!;
  const commit = catalog.commit.bind(catalog);
  const sent: TableChange[] = [];
  catalog.commit = async (changes, claim) => {
    sent.push(...changes);
    return commit(changes, claim);
  };
  await compactTable(warehouse, "shop.a", 82);
  const snapshotId = metadata.currentSnapshotId;
  const replacement = sent.find(({ updates }) => updates.some(({ action }) => action === "add-snapshot"));
  expect(replacement?.requirements).toEqual([
    { type: "assert-table-uuid", uuid: metadata.tableUuid },
    { type: "assert-ref-snapshot-id", ref: "main", snapshotId },
    { type: "assert-ref-snapshot-id", ref: "ingest.test", snapshotId },
    { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
  ]);
  const moved = replacement?.updates.flatMap((update) => (update.action === "set-snapshot-ref" ? [update.name] : []));
  expect(moved).toEqual(["main"]);
});
