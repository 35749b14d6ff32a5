import type { Dice } from "../../support/fuzz/mutate.ts";

/** A column, and the expression of `id` that fills it. */
interface StoryColumn {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

const COLUMNS: readonly StoryColumn[] = [
  { name: "flag", type: "BOOLEAN", value: "IF(id % 5 = 0, NULL, id % 2 = 0)" },
  { name: "n", type: "INT", value: "CAST(IF(id % 7 = 3, NULL, id % 9 - 4) AS INT)" },
  { name: "f", type: "FLOAT", value: "CAST(id / 8 AS FLOAT)" },
  { name: "dec", type: "DECIMAL(9,2)", value: "CAST(id - 40.25 AS DECIMAL(9,2))" },
  { name: "day", type: "DATE", value: "date_add(DATE'1969-12-20', CAST(id AS INT))" },
  {
    name: "at",
    type: "TIMESTAMP",
    value: "timestampadd(MICROSECOND, id * 3600000001 - 7200000000, TIMESTAMP'1970-01-01 00:00:00')",
  },
  {
    name: "local",
    type: "TIMESTAMP_NTZ",
    value: "timestampadd(HOUR, CAST(id AS INT), TIMESTAMP_NTZ'2024-02-29 12:00:00')",
  },
  { name: "name", type: "STRING", value: "IF(id % 6 = 1, NULL, concat('ünï', id % 4))" },
  { name: "raw", type: "BINARY", value: "CAST(concat('b', id % 3) AS BINARY)" },
  {
    name: "st",
    type: "STRUCT<a: INT, b: STRUCT<c: STRING>>",
    value:
      "IF(id % 8 = 0, NULL, named_struct('a', CAST(id AS INT), 'b', IF(id % 4 = 1, NULL, named_struct('c', concat('c', id)))))",
  },
  {
    name: "li",
    type: "ARRAY<INT>",
    value: "IF(id % 9 = 0, NULL, transform(sequence(1, CAST(id % 3 + 1 AS INT)), x -> IF(x = 2, NULL, x)))",
  },
  { name: "ma", type: "MAP<STRING, BIGINT>", value: "IF(id % 3 = 0, map(), map('k', id, 'ü', NULL))" },
  {
    name: "ls",
    type: "ARRAY<STRUCT<p: INT, q: ARRAY<STRING>>>",
    value: "array(named_struct('p', CAST(id AS INT), 'q', array('x', NULL)), NULL)",
  },
];
const WIDER: Readonly<Record<string, string>> = { INT: "BIGINT", FLOAT: "DOUBLE", "DECIMAL(9,2)": "DECIMAL(20,2)" };
const PARTITIONS: readonly string[] = [
  "bucket(3, id)",
  "truncate(10, id)",
  "n",
  "day",
  "months(day)",
  "days(at)",
  "hours(local)",
  "truncate(3, name)",
  "bucket(2, name)",
  "truncate(1, raw)",
  "flag",
  "dec",
];

/** Statements that make a table in Spark, with deletes on read or by copying, schemas and partitions that change, branches and tags. */
export function sparkStory(dice: Dice): string[] {
  const columns = new Map(COLUMNS.filter(() => dice.below(5) > 1).map((column) => [column.name, column]));
  const partitions: string[] = [];
  const branches: string[] = [];
  const statements: string[] = [];
  let version = 1 + dice.below(3);
  let [next, made] = [0, 0];
  const source = (count: number): string => {
    const values = [...columns.values()].map(({ name, value }) => `, ${value} AS ${name}`).join("");
    return `SELECT id${values} FROM range(${next}, ${(next += count)})`;
  };
  const modes = (): string =>
    ["delete", "update", "merge"]
      .map((verb) => `'write.${verb}.mode'='${dice.pick(["merge-on-read", "copy-on-write"])}'`)
      .join(", ");
  /** Columns of which no partition is made. */
  const free = () =>
    [...columns.values()].filter(
      ({ name }) =>
        !PARTITIONS.some((text) => text === name || text.includes(` ${name})`) || text.endsWith(`(${name})`)),
    );
  const fits = PARTITIONS.filter((text) => {
    const name = /(\w+)\)?$/.exec(text)?.[1] ?? "";
    return name === "id" || columns.has(name);
  });
  const steps: Readonly<Record<string, () => void>> = {
    insert: () => statements.push(`INSERT INTO {table} ${source(1 + dice.below(12))}`),
    delete: () => statements.push(`DELETE FROM {table} WHERE id % ${3 + dice.below(5)} = ${dice.below(3)}`),
    update() {
      const [set = "id"] = columns.keys();
      const value = set === "id" ? "id" : "NULL";
      statements.push(`UPDATE {table} SET ${set} = ${value} WHERE id % ${4 + dice.below(5)} = ${dice.below(3)}`);
    },
    merge() {
      const from = Math.max(0, next - 5);
      const again = source(3).replace(/range\(\d+,/, `range(${from},`);
      statements.push(
        `MERGE INTO {table} t USING (${again}) s ON t.id = s.id WHEN MATCHED AND s.id % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *`,
      );
    },
    overwrite: () => statements.push(`INSERT OVERWRITE {table} ${source(4)}`),
    settings: () => statements.push(`ALTER TABLE {table} SET TBLPROPERTIES (${modes()})`),
    upgrade() {
      if (version < 3) statements.push(`ALTER TABLE {table} SET TBLPROPERTIES ('format-version'='${++version}')`);
    },
    add() {
      const name = `a${++made}`;
      const column = { ...dice.pick(COLUMNS), name };
      columns.set(name, column);
      statements.push(`ALTER TABLE {table} ADD COLUMN ${name} ${column.type}`);
    },
    drop() {
      const gone = free();
      if (gone.length === 0) return;
      const { name } = dice.pick(gone);
      columns.delete(name);
      statements.push(`ALTER TABLE {table} DROP COLUMN ${name}`);
    },
    widen() {
      const narrow = free().filter(({ type }) => WIDER[type] !== undefined);
      if (narrow.length === 0) return;
      const column = dice.pick(narrow);
      const type = WIDER[column.type] as string;
      columns.set(column.name, { ...column, type, value: `CAST(${column.value} AS ${type})` });
      statements.push(`ALTER TABLE {table} ALTER COLUMN ${column.name} TYPE ${type}`);
    },
    partition() {
      const left = fits.filter((text) => !partitions.includes(text));
      if (left.length === 0) return;
      const added = dice.pick(left);
      // Two parts of a time would be refused as redundant.
      partitions.push(...fits.filter((text) => text === added || (/s\(/.test(text) && /s\(/.test(added))));
      statements.push(`ALTER TABLE {table} ADD PARTITION FIELD ${added}`);
    },
    branch() {
      const name = `b${++made}`;
      branches.push(name);
      statements.push(`ALTER TABLE {table} CREATE BRANCH ${name}`);
    },
    tag: () => statements.push(`ALTER TABLE {table} CREATE TAG t${++made}`),
    onBranch() {
      if (branches.length > 0) statements.push(`INSERT INTO {table}.branch_${dice.pick(branches)} ${source(3)}`);
    },
    compact: () =>
      statements.push(
        "CALL {catalog}.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))",
      ),
    manifests: () => statements.push("CALL {catalog}.system.rewrite_manifests('{name}')"),
  };
  const kinds = ["insert", "insert", "delete", "delete", "update", "merge", ...Object.keys(steps)];
  const types = [...columns.values()].map(({ name, type }) => `, ${name} ${type}`).join("");
  const spec = dice.below(2) === 0 ? "" : ` PARTITIONED BY (${dice.pick(fits)})`;
  statements.push(
    `CREATE TABLE {table} (id BIGINT${types}) USING iceberg${spec} TBLPROPERTIES ('format-version'='${version}', 'commit.manifest.min-count-to-merge'='3', ${modes()})`,
  );
  if (spec !== "") partitions.push(...fits.filter((text) => spec.includes(`(${text})`)));
  steps["insert"]?.();
  for (let left = 10; left > 0; left--) steps[dice.pick(kinds)]?.();
  return statements;
}
