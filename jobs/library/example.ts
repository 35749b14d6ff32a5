// A job, time travel, a changelog and a query in one file:  npx node jobs/library/example.ts --warehouse ./warehouse
import { parseArgs } from "node:util";
import { defineJob, generator, openWarehouse, runJob } from "../../src/index.ts";

const { values } = parseArgs({ options: { warehouse: { type: "string", default: "./warehouse" } } });

const job = defineJob({
  name: "shop",
  source: generator({ events: 20_000, seed: 7 }),
  warehouse: values.warehouse,
  tables: [
    { from: "shop.customers", to: "shop.customers", mode: "upsert" },
    { from: "shop.orders", to: "shop.orders", mode: "upsert" },
  ],
  checkpoint: { max_rows: 5_000 },
});

// Rows come in: each checkpoint is one snapshot of every table that it changed.
await using run = await runJob(job, { until: "caught-up" });
for await (const { id, tables, freshnessMs } of run.checkpoints()) {
  for (const { table, snapshotId, inserts, updates, deletes } of tables) {
    console.error(id, table, snapshotId, inserts, updates, deletes, freshnessMs);
  }
}

await using lake = await openWarehouse(values.warehouse);
const orders = await lake.table("shop.orders");
const [first] = orders.snapshots().filter(({ summary }) => Number(summary.get("added-records") ?? 0) > 0);
if (first === undefined) throw new Error("the run has committed no orders");

// The table as it was after its first checkpoint, as Arrow: int64 and decimals are exact.
const then = await orders.asOf(first.snapshotId).toArrow({ columns: ["id", "total"] });
console.log(`then ${then.numRows} orders, ${then.schema.fields.join(", ")}`);

// What has happened since, commit by commit. With `follow: true` the loop goes on with the commits to come.
const seen: Record<string, number> = {};
for await (const batch of orders.changes({ from: first.snapshotId })) {
  for (const row of batch.rows()) seen[row._op] = (seen[row._op] ?? 0) + 1;
}
console.log(`since ${JSON.stringify(seen)}`);

// Values are bound, never spliced into the statement.
const least = "500.00";
const rows = await lake.query<{ n: bigint; total: string }>`
  SELECT count(*) AS n, sum(total) AS total FROM shop.orders WHERE total > ${least}::DECIMAL(12,2)`;
for (const { n, total } of rows) console.log(`now ${n} orders above ${least}: ${total}`);
