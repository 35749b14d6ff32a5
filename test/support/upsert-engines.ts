import type { Readers } from "../readers/reader.ts";
import type { SqliteTable } from "../readers/requests.ts";
import type { SparkReader } from "../readers/spark.ts";
import type { PlainValues } from "./foreign-table.ts";

/** Somebody else who writes to the table of a run. */
export interface OtherWriter {
  /** Deletes the rows with the keys of `gone`, and appends others: both of the same keys where there are both. */
  replace(gone: readonly PlainValues[], added: readonly PlainValues[]): Promise<void>;
  /** Rewrites all rows to other files. */
  rewrite(): Promise<void>;
}

/** How often real engines have written. */
export interface EngineCounts {
  pyiceberg: number;
  spark: number;
}

/**
 * Real engines as other writers: PyIceberg appends, deletes and overwrites; Spark inserts, deletes, merges and rewrites, copying files on
 * write or marking rows as deleted. Who writes, and how, is drawn for each commit.
 */
export function engineWriter(
  engines: { readonly readers: Readers; readonly spark: SparkReader },
  table: SqliteTable,
  formatVersion: 2 | 3,
  random: { uint32(): number },
  counts: EngineCounts,
): OtherWriter {
  const spark = async (sql: string): Promise<void> => {
    counts.spark++;
    await engines.spark.sql(table, sql);
  };
  return {
    async replace(gone, added) {
      if (gone.length === 0 && added.length === 0) return;
      // PyIceberg does not write format version 3.
      if (formatVersion === 2 && random.uint32() % 3 > 0) {
        counts.pyiceberg++;
        await engines.readers.replace(table, gone.map(plainJson), added.map(plainJson));
        return;
      }
      if (gone.length > 0) {
        const mode = random.uint32() % 2 === 0 ? "merge-on-read" : "copy-on-write";
        const settings = ["delete", "merge"].map((verb) => `'write.${verb}.mode' = '${mode}'`);
        await engines.spark.sql(table, `ALTER TABLE {table} SET TBLPROPERTIES (${settings.join(", ")})`);
      }
      const names = Object.keys(added[0] ?? {});
      const values = `VALUES ${added.map((row) => `(${names.map((name) => literal(name, row)).join(", ")})`).join(", ")}`;
      if (added.length === 0) {
        const keys = gone.map((row) => Object.keys(row).map((name) => `${name} = ${literal(name, row)}`));
        await spark(`DELETE FROM {table} WHERE ${keys.map((parts) => `(${parts.join(" AND ")})`).join(" OR ")}`);
      } else if (gone.length === 0) {
        await spark(`INSERT INTO {table} (${names.join(", ")}) ${values}`);
      } else {
        const on = Object.keys(gone[0] ?? {}).map((name) => `t.${name} = s.${name}`);
        await spark(
          `MERGE INTO {table} t USING (SELECT * FROM ${values} AS v(${names.join(", ")})) s ON ${on.join(" AND ")} WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *`,
        );
      }
    },
    rewrite: () =>
      spark(
        `CALL {catalog}.system.rewrite_data_files(table => '${table.table}', options => map('rewrite-all', 'true'))`,
      ),
  };
}

function plainJson(row: PlainValues): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );
}

function literal(name: string, row: PlainValues): string {
  const value = row[name] ?? null;
  const type = name === "part" || typeof value === "string" ? "STRING" : "BIGINT";
  return `CAST(${value === null ? "NULL" : typeof value === "string" ? `'${value}'` : String(value)} AS ${type})`;
}
