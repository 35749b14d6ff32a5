import { describe, expect, it } from "vitest";
import { currentSchema, type LoadedTable, type TableMetadata } from "../../../../table-format/index.ts";
import { sortArrangement, zOrderArrangement } from "../../../../src/maintenance/compact/arrangement.ts";
import { partitionScope, whereScope } from "../../../../src/maintenance/compact/file-scope.ts";
import { type CompactSettings, planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { planExpiry } from "../../../../src/maintenance/expire/expire.ts";
import { sparkConfiguration } from "../../../../src/maintenance/spark/application.ts";
import { compactCall } from "../../../../src/maintenance/spark/compact.ts";
import { expireCall } from "../../../../src/maintenance/spark/expire.ts";
import { sparkFailure } from "../../../../src/maintenance/spark/failure.ts";
import { conditionText } from "../../../../src/maintenance/spark/where.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../../support/checkpoints.ts";
import { loaded, place } from "../../../support/maintenance.ts";

const NOW = Date.UTC(2026, 10, 21);

async function written(formatVersion: 2 | 3 = 3) {
  const warehouse = memoryWarehouse("memory");
  const rule = upsertRule("a", { formatVersion, partitionBy: ["part", "bucket(1, id)"] });
  const process = await Process.start(warehouse, [rule]);
  for (let i = 0; i < 3; i++) await process.checkpoint([change("a", `~${i}:it's:1`), change("a", `~${10 + i}:x:1`)]);
  const context = place(warehouse, process);
  const table = await loaded(warehouse);
  const plan = (more: Partial<CompactSettings>) =>
    planCompaction(context, table, { targetSizeBytes: 1_000_000, minFiles: 2, ...more });
  return { warehouse, process, context, table, plan, schema: currentSchema(table.metadata) };
}

const UNSCOPED = { where: undefined, partition: undefined, nowMs: NOW };

describe("a compaction", () => {
  it("is told by the measures of the plan", async () => {
    const { plan } = await written();
    const { sql, redoes } = compactCall("lake", await plan({ maxBytes: 5_000 }), UNSCOPED);
    expect(sql).toMatch(/^CALL `lake`\.system\.rewrite_data_files\(table => '`shop`\.`a`', strategy => 'binpack', /);
    for (const option of [
      "'target-file-size-bytes', '1000000'",
      "'min-file-size-bytes', '750000'",
      "'min-input-files', '2'",
      "'delete-ratio-threshold', '0.05'",
      "'max-file-group-size-bytes', '5000'",
      "'partial-progress.max-failed-commits', '0'",
    ]) {
      expect(sql).toContain(option);
    }
    expect(sql).not.toMatch(/rewrite-all|dangling|where/);
    expect(redoes).toBe(false);
    expect(compactCall("lake", await (await written(2)).plan({}), UNSCOPED).sql).toContain("'remove-dangling-deletes'");
  });

  it("sorts and z-orders all files", async () => {
    const { plan, table, schema } = await written();
    const sorted = sortArrangement(table.metadata, schema, ["value desc", "bucket(4, id) asc nulls last"]);
    const call = compactCall("lake", await plan({ arrangement: sorted }), UNSCOPED);
    expect(call.sql).toContain("'`value` DESC NULLS LAST, bucket(4, `id`) ASC NULLS LAST'");
    expect(call.sql).toContain("'rewrite-all', 'true'");
    expect(call.redoes).toBe(true);
    const curve = await plan({ arrangement: zOrderArrangement(schema, ["id", "value"]) });
    expect(compactCall("lake", curve, UNSCOPED).sql).toContain("sort_order => 'zorder(`id`, `value`)'");
  });

  it("has the condition of --where and the partition in Spark's words, quoted twice", async () => {
    const { plan, table } = await written();
    const where = "part = 'it''s' and (id_bucket >= 0 or value is not null)";
    const scoped = await plan({ scope: whereScope(table.metadata, where, NOW) });
    expect(compactCall("lake", scoped, { ...UNSCOPED, where }).sql).toContain(
      String.raw`where => '((\`part\` = \'it\\\'s\') AND ((\`lake\`.system.bucket(1, \`id\`) >= 0) OR (\`value\` IS NOT NULL)))'`.replaceAll(
        "\\`",
        "`",
      ),
    );
    const [group] = (await plan({})).groups.filter(({ partition }) => partition.startsWith("part=x"));
    const partition = group?.partition ?? "";
    const chosen = await plan({ scope: partitionScope(table.metadata, partition) });
    expect(chosen.groups.length).toBe(1);
    expect(compactCall("lake", chosen, { ...UNSCOPED, partition }).sql).toMatch(
      /where => '\(\(`part` = \\'x\\'\) AND \(`lake`\.system\.bucket\(1, `id`\) = 0\)\)'/,
    );
  });

  it("writes literals of each type as Spark reads them", async () => {
    const { table } = await written();
    const [column] = currentSchema(table.metadata).fields;
    const typed = (type: object): TableMetadata => {
      const schema = { ...currentSchema(table.metadata), fields: [{ ...column!, name: "c", type }] };
      return { ...table.metadata, schemas: [schema], partitionSpecs: [] } as unknown as TableMetadata;
    };
    const literal = (type: object, text: string, term = "c") =>
      conditionText(typed(type), "l", `${term} = ${text}`, NOW).replace(/^.* = /, "");
    expect(literal({ kind: "long" }, "9007199254740993")).toBe("9007199254740993");
    expect(literal({ kind: "decimal", precision: 18, scale: 2 }, "1.5")).toBe("CAST('1.50' AS DECIMAL(18, 2))");
    expect(literal({ kind: "date" }, "'2026-11-20'")).toBe("DATE '2026-11-20'");
    expect(literal({ kind: "timestamptz" }, "now - 1d")).toBe("TIMESTAMP '2026-11-20T00:00:00+00:00'");
    expect(literal({ kind: "timestamp" }, "'2026-11-20 01:02'")).toBe("TIMESTAMP_NTZ '2026-11-20T01:02:00'");
    expect(literal({ kind: "timestamptz" }, "'2026-11-20'", "day(c)")).toBe("DATE '2026-11-20'");
    expect(literal({ kind: "timestamptz" }, "'2026-11'", "month(c)")).toBe("682");
    expect(literal({ kind: "double" }, "1.5")).toBe("CAST('1.5' AS DOUBLE)");
    expect(literal({ kind: "boolean" }, "true")).toBe("true");
    expect(() => literal({ kind: "time" }, "'01:02:03'")).toThrow("Spark compares no values of type time");
  });
});

describe("an expiry", () => {
  async function plannedExpiry(changed: (table: LoadedTable) => LoadedTable = (table) => table) {
    const { context, table } = await written();
    const plan = await planExpiry(context, table, { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -1_000_000n });
    return { ...plan, table: changed(table) };
  }
  const withRef = (name: string, more: object) => (table: LoadedTable) => {
    const refs = new Map(table.metadata.refs);
    refs.set(name, { ...refs.get(name)!, ...more });
    return { ...table, metadata: { ...table.metadata, refs } };
  };

  it("names the snapshots of the plan and leaves no other to Spark's own rule", async () => {
    const plan = await plannedExpiry();
    expect(plan.expired.snapshotIds.length).toBeGreaterThan(1);
    const ids = plan.expired.snapshotIds.map((id) => `${id}L`).join(", ");
    expect(expireCall("lake", plan).sql).toBe(
      `CALL \`lake\`.system.expire_snapshots(table => '\`shop\`.\`a\`', older_than => TIMESTAMP '1970-01-02 00:00:00+00:00', snapshot_ids => ARRAY(${ids}))`,
    );
  });

  it("is refused where Spark would take more than the plan", async () => {
    const branch = await plannedExpiry(withRef("main", { maxSnapshotAgeMs: 1n }));
    expect(() => expireCall("lake", branch)).toThrow("branch main has a max-snapshot-age-ms of its own");
    const tag = await plannedExpiry(withRef("ingest.test", { maxRefAgeMs: 1n }));
    expect(() => expireCall("lake", tag)).toThrow("tag ingest.test has a max-ref-age-ms");
    const elsewhere = { ...(await plannedExpiry()), filesElsewhere: 2 };
    expect(() => expireCall("lake", elsewhere)).toThrow("2 files that only expired snapshots reach lie outside");
  });
});

describe("a failure of Spark", () => {
  it.each([
    ["java.lang.ClassNotFoundException: org.apache.iceberg.spark.SparkCatalog", "config", "SPARK_PACKAGES"],
    ["x: Could not parse Master URL: 'quark'", "config", "SPARK_MASTER"],
    ["All masters are unresponsive! Giving up.", "unavailable", "SPARK_UNAVAILABLE"],
    ["e: org.apache.iceberg.exceptions.ValidationException: Cannot commit", "conflict", "SPARK_CONFLICT"],
    ["java.io.IOException: No space left on device", "io", "SPARK_DISK"],
    ["Permission denied: /lake", "permission", "SPARK_PERMISSION"],
    ["java.lang.Strange: what", "unavailable", "SPARK_FAILED"],
  ])("%s", (line, kind, code) => {
    const error = sparkFailure(`Traceback\n  File "x"\n${line}\n\tat org.apache.X`, "/tmp/spark.log");
    expect(error).toMatchObject({ kind, code });
    if (code !== "SPARK_FAILED") expect(error.message).toContain(line);
    expect(error.hint).toContain("/tmp/spark.log");
  });

  it("tells the innermost cause where nothing is known", () => {
    const said = "Error: first\nCaused by: a.B: second\n\tat x\nCaused by: c.D: third\n\tat y";
    expect(sparkFailure(said, "l").message).toBe("Spark failed: c.D: third");
  });
});

it("a catalog of Spark's is the file of ours, without a cache", () => {
  const conf = sparkConfiguration({ name: "lake", path: "/w/catalog.sqlite", warehouseLocation: "/w" });
  expect(conf).toMatchObject({
    "spark.sql.catalog.lake.uri": "jdbc:sqlite:/w/catalog.sqlite",
    "spark.sql.catalog.lake.cache-enabled": "false",
  });
});
