import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CanonicalRow, canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { type RunningKafka, startKafka } from "../../services/kafka.ts";
import { createTopic } from "../../services/kafka-admin.ts";
import { openProducer } from "../../services/kafka-producer.ts";
import { frazil, MAIN } from "./job-process.ts";

const missing = await requireServers("kafka", "readers");

type Row = Readonly<Record<string, unknown>>;

const NAMES = [
  'quo"te',
  "apo'strophe",
  "emoji 😀",
  "n".repeat(200),
  "ü".repeat(200),
  "dot.ted",
  "a.b.c",
  "sp ace ",
  " leading",
  "semi;colon",
  "back\\slash",
  "select",
  "new\nline",
  "100%_",
  "${x}",
  "{}",
  "[0]",
  "-",
  "constructor",
  "toString",
  "_ts",
];

describe.skipIf(missing !== null)(withReason("columns that are hard to hold", missing), () => {
  let kafka: RunningKafka;
  let readers: Readers;
  let folder: string;

  beforeAll(async () => {
    [kafka, readers] = await Promise.all([startKafka(), openReaders()]);
    folder = mkdtempSync(join(tmpdir(), "frazil-columns-"));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), readers?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  const warehouse = (topic: string): string => join(folder, topic);

  function jobFile(topic: string, format = "json", table = "mode: upsert, key: [id]"): string {
    const path = join(folder, `${topic}.yaml`);
    writeFileSync(
      path,
      `name: columns
source: { type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [${topic}], format: ${format} }
warehouse: { location: "${warehouse(topic)}" }
tables: [{ from: "*", to: lake.odd, ${table} }]
dead_letter: { table: lake.dead_letters, max_share: 1 }
`,
    );
    return path;
  }

  async function send(topic: string, values: readonly string[]): Promise<void> {
    await using producer = await openProducer(kafka.brokers);
    await producer.send(
      topic,
      values.map((value) => ({ key: null, value, partition: 0 })),
    );
  }

  async function lines(args: readonly string[]): Promise<Row[]> {
    const process = frazil(args);
    expect(await process.ended, process.stderr()).toBe(0);
    return process
      .stdout()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row);
  }

  const run = (job: string) => lines(["run", job, "--until", "caught-up", "--json"]);
  const look = (topic: string, ...args: string[]) => lines([...args, "--warehouse", warehouse(topic), "--json"]);
  const table = (topic: string) => ({ sqlite: join(warehouse(topic), "catalog.sqlite"), table: "lake.odd" });

  /** An object with any names, `__proto__` among them. */
  const objectOf = (entries: readonly (readonly [string, unknown])[]): Row => Object.fromEntries(entries);

  it("by their names: every reader sees them as they are", { timeout: 180_000 }, async () => {
    await createTopic(kafka.brokers, "names");
    const names = [...NAMES, "__proto__"];
    const row = (id: number, add: number): Row =>
      objectOf([["id", id], ...names.map((name, k) => [name, k + add] as const)]);
    const [first, second, third] = [row(1, 0), row(2, 100), row(1, 200)];
    await send(
      "names",
      [first, second].map((value) => JSON.stringify(value)),
    );
    await run(jobFile("names"));
    const snapshots = await look("names", "snapshots", "lake.odd");
    await send("names", [JSON.stringify(third)]);
    await run(jobFile("names"));

    const byId = (rows: readonly Row[]) => rows.toSorted((a, b) => Number(a["id"]) - Number(b["id"]));
    const entries = (rows: readonly Row[]) => rows.map((one) => Object.entries(one));
    const expected = entries([third, second]);
    const quoted = ["id", ...names].map((name) => `"${name.replaceAll('"', '""')}"`).join(", ");
    expect(entries(byId(await look("names", "query", "SELECT * FROM lake.odd")))).toEqual(expected);
    expect(entries(byId(await look("names", "query", `SELECT ${quoted} FROM lake.odd`)))).toEqual(expected);
    expect(entries(byId(await look("names", "read", "lake.odd")))).toEqual(expected);
    const piped = execFileSync(process.execPath, [MAIN, "sql", "--warehouse", warehouse("names"), "--json"], {
      input: "SELECT * FROM lake.odd ORDER BY id;\n",
      encoding: "utf8",
    });
    expect(
      entries(
        piped
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Row),
      ),
    ).toEqual(expected);

    const update = [
      { _op: "update_before", ...first },
      { _op: "update_after", ...third },
    ];
    const from = String(snapshots.find((one) => one["rows"] !== 0)?.["snapshotId"] ?? snapshots[0]?.["snapshotId"]);
    const changes = await look("names", "read", "lake.odd", "--from", from);
    expect(changes.slice(-2)).toEqual(update.map((one) => expect.objectContaining(one)));
    const diff = await look("names", "diff", "lake.odd", `${from}..`);
    expect(diff.slice(-2)).toEqual(update.map((one) => expect.objectContaining(one)));

    const text = (value: unknown) => String(value);
    const canonical = [third, second].map(
      (one) => objectOf(Object.entries(one).map(([name, value]) => [name, text(value)])) as CanonicalRow,
    );
    for (const reader of ["pyiceberg", "duckdb"] as const) {
      const seen = await readers[reader](table("names"));
      const columns = seen.columns.map(({ name }) => name);
      expect(columns, reader).toEqual(["id", ...names]);
      expect(seen.lines, reader).toEqual(canonicalLines(columns, canonical));
    }
  });

  it("whose names differ only by case are bad messages; the table stays readable", { timeout: 180_000 }, async () => {
    await createTopic(kafka.brokers, "case");
    await send("case", ['{"id":1,"name":"a"}', '{"id":2,"name":"b","Name":"c"}', '{"ID":3}', '{"id":4,"name":"d"}']);
    await run(jobFile("case"));
    await send("case", ['{"id":5,"":"e"}', '{"id":6,"a\\u0000b":"f"}', '{"id":7,"NAME":"e"}', '{"id":8}']);
    await run(jobFile("case"));
    expect(await look("case", "query", "SELECT * FROM lake.odd ORDER BY id")).toEqual([
      { id: 1, name: "a" },
      { id: 4, name: "d" },
      { id: 8, name: null },
    ]);
    const letters = await look("case", "query", 'SELECT "offset", code, reason FROM lake.dead_letters ORDER BY 1');
    expect(letters.map(({ offset, code }) => [offset, code])).toEqual([
      [1, "COLUMN_CASE"],
      [2, "COLUMN_CASE"],
      [4, "COLUMN_NAME"],
      [5, "COLUMN_NAME"],
      [6, "COLUMN_CASE"],
    ]);
    expect(letters[0]?.["reason"]).toMatch(/column "Name" of lake\.odd: .*found "name" beside it/);
  });

  it("that are the key, with one value in two topic partitions: check warns", { timeout: 60_000 }, async () => {
    await createTopic(kafka.brokers, "shared", { partitions: 2 });
    await using producer = await openProducer(kafka.brokers);
    const at = (partition: number, ...ids: number[]) =>
      ids.map((id) => ({ key: null, value: JSON.stringify({ id }), partition }));
    const checked = async (): Promise<Row | undefined> => {
      const found = await lines(["check", jobFile("shared"), "--json"]);
      return found.find((item) => item["check"] === "keys");
    };
    await producer.send("shared", [...at(0, 1, 2), ...at(1, 3)]);
    expect(await checked()).toMatchObject({
      ok: true,
      // kafkajs may send a request twice whose second partition was not ready yet.
      message: expect.stringMatching(/^each key of \d changes lies in one split$/),
      code: null,
    });
    await producer.send("shared", at(1, 2));
    const warning = await checked();
    expect(warning).toMatchObject({ ok: true, warning: true, code: "KEY_IN_TWO_SPLITS" });
    expect(warning?.["message"]).toMatch(/^lake\.odd: the key id=2 is in shared\/\d and in shared\/\d: /);
  });

  it("of which there are 1,600", { timeout: 180_000 }, async () => {
    await createTopic(kafka.brokers, "wide");
    const row = (id: number, cells: number): Row =>
      objectOf([
        ["id", id],
        ...Array.from({ length: cells }, (_, k) => [`c${k}`, k % 3 === 0 ? `${id}-${k}` : k] as const),
      ]);
    await send("wide", [JSON.stringify(row(1, 1_500)), JSON.stringify(row(2, 1_599))]);
    await run(jobFile("wide"));
    await send("wide", [JSON.stringify(row(1, 1_599))]);
    await run(jobFile("wide"));
    const [counted] = await look(
      "wide",
      "query",
      "SELECT count(*) AS n, sum(c1598) AS s, max(c1596) AS m FROM lake.odd",
    );
    expect(counted).toEqual({ n: 2, s: expect.anything(), m: "2-1596" });
    expect(Number(counted?.["s"])).toBe(2 * 1_598);
    const seen = await readers.duckdb(table("wide"));
    expect([seen.columns.length, seen.count]).toEqual([1_600, 2]);
  });
});
