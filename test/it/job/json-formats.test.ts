import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CanonicalRow, canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { startKafka, type RunningKafka } from "../../services/kafka.ts";
import { createTopic } from "../../services/kafka-admin.ts";
import { openProducer } from "../../services/kafka-producer.ts";
import { frazil } from "./job-process.ts";

const missing = await requireServers("kafka", "readers");

type Message = { readonly key?: string; readonly value: string | null };

/** Canal's story, of which `test/golden/canal` has the rows value by value. */
const CANAL = readFileSync(new URL("../../golden/canal/mysql.jsonl", import.meta.url), "utf8")
  .split("\n")
  .slice(0, -1)
  .map((value): Message => ({ value }));

describe.skipIf(missing !== null)(withReason("canal-json and json", missing), () => {
  let kafka: RunningKafka;
  let readers: Readers;
  let folder: string;

  beforeAll(async () => {
    [kafka, readers] = await Promise.all([startKafka(), openReaders()]);
    folder = mkdtempSync(join(tmpdir(), "frazil-formats-"));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), readers?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(name: string, topics: readonly string[], format: string, tables: string): string {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(
      path,
      `name: ${name}
source: { type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [${topics.join(", ")}], format: ${format} }
warehouse: { location: "${join(folder, name)}" }
tables:
${tables}
`,
    );
    return path;
  }

  async function send(topic: string, messages: readonly Message[]): Promise<void> {
    await using producer = await openProducer(kafka.brokers);
    await producer.send(
      topic,
      messages.map((message) => ({ key: null, ...message, partition: 0 })),
    );
  }

  async function run(job: string): Promise<string> {
    const process = frazil(["run", job, "--until", "caught-up"]);
    expect(await process.ended, process.stderr()).toBe(0);
    return process.stderr();
  }

  /** DuckDB's own reader sees these rows. */
  async function expectRows(name: string, table: string, rows: readonly CanonicalRow[]): Promise<void> {
    const seen = await readers.duckdb({ sqlite: join(folder, name, "catalog.sqlite"), table });
    const columns = seen.columns.map((column) => column.name);
    expect(seen.lines).toEqual(canonicalLines(columns, rows));
    expect(new Set(columns)).toEqual(new Set(rows.flatMap((row) => Object.keys(row)).concat(columns)));
  }

  it("canal-json becomes the tables that its messages name", { timeout: 180_000 }, async () => {
    await createTopic(kafka.brokers, "canal");
    const job = jobFile("canal", ["canal"], "canal-json", '  - { from: "shop.*", to: "lake.${table}", mode: upsert }');
    await send("canal", CANAL.slice(0, 8));
    const item =
      '{"data":[{"sku":"a","n":"1"},{"sku":"b","n":"2"}],"database":"shop","isDdl":false,"mysqlType":{"sku":"char(1)","n":"int"}';
    await send("canal", [{ value: `${item},"old":null,"pkNames":["sku"],"table":"items","type":"INSERT"}` }]);
    const said = await run(job);
    expect(said).toMatch(/CREATE of shop\.orders is not applied/);
    expect(said).toMatch(/ALTER of shop\.orders is not applied/);
    const first: CanonicalRow = {
      id: "18446744073709551615",
      tiny: 2,
      small: 65_535,
      medium: 16_777_215,
      number: -2_147_483_648,
      counter: "4294967295",
      total: "-1234567890.05",
      exact: "12345678901234567890123456789012345.123456789012345678901234567891",
      ratio: Math.fround(5.18),
      rate: Number.MAX_VALUE,
      born: "1000-01-01",
      created: "2024-02-29T23:59:59.000000",
      moved: "9999-12-31T23:59:59.999999",
      updated: "2024-03-31T02:30:00.125000",
      wakes: "23:59:59.999999",
      vintage: 1999,
      status: "paid, sent",
      flags: "gift,x,y",
      mask: "4095",
      doc: '{"a": [1, 2.50]}',
      code: "ab",
      name: 'Zürich — "q" \\ 😀\n',
      body: "",
      token: "01ff0000",
      raw: "0080ff",
      photo: "ffd8ffe0",
      place: "0000000001",
    };
    await expectRows("canal", "lake.orders", [
      first,
      { id: "7", name: "seven", status: "2", flags: "" },
      { id: "9", name: "eight", status: "2", flags: "", tiny: 1 },
      { id: "10", note: "new", status: "2", flags: "" },
    ]);
    await expectRows("canal", "lake.items", [
      { sku: "a", n: 1 },
      { sku: "b", n: 2 },
    ]);

    await send("canal", CANAL.slice(8, 9));
    await run(job);
    await expectRows("canal", "lake.orders", [
      { id: "9", name: "eight", status: "2", flags: "", tiny: 1 },
      { id: "10", note: "new", status: "2", flags: "" },
    ]);
    await send("canal", CANAL.slice(9));
    await run(job);
    await expectRows("canal", "lake.orders", []);
  });

  it("json becomes a table of its records, or of the last by key", { timeout: 180_000 }, async () => {
    await createTopic(kafka.brokers, "clicks");
    await createTopic(kafka.brokers, "users");
    const job = jobFile(
      "plain",
      ["clicks", "users"],
      "json",
      `  - { from: clicks, to: lake.clicks, mode: append, columns: { at: timestamptz, price: "decimal(9,2)", tags: string } }
  - { from: users, to: lake.users, mode: upsert, key: [id] }`,
    );
    await send("clicks", [
      {
        value: '{"id":9223372036854775807,"at":"2024-02-29T12:00:00.123456Z","price":1.10,"tags":["a","b"],"ok":true}',
      },
      { value: '{"id":-1,"at":null,"price":"2","score":0.1}' },
      { value: '{"id":-1,"at":null,"price":"2","score":0.1}' },
    ]);
    await send("users", [
      { key: '{"id":1}', value: '{"id":1,"name":"Zoë","email":"z@example.org"}' },
      { key: '{"id":2}', value: '{"id":2,"name":"Bo"}' },
      { key: '{"id":1}', value: '{"id":1,"name":"Zoe"}' },
      { key: '{"id":2}', value: null },
    ]);
    expect(await run(job)).toMatch(/lake\.users: the type of column name is inferred as string/);
    const twice = { id: "-1", at: null, price: "2.00", score: 0.1 };
    const clicks = [
      { id: "9223372036854775807", at: "2024-02-29T12:00:00.123456+00:00", price: "1.10", tags: '["a","b"]', ok: true },
      twice,
      twice,
    ];
    await expectRows("plain", "lake.clicks", clicks);
    // A record is the whole row: what it lacks is null.
    await expectRows("plain", "lake.users", [{ id: "1", name: "Zoe", email: null }]);

    await send("users", [
      { key: '{"id":1}', value: null },
      { key: '{"id":3}', value: '{"id":3,"name":"Di"}' },
    ]);
    await send("clicks", [{ value: '{"id":5,"new":"column"}' }]);
    await run(job);
    await expectRows("plain", "lake.users", [{ id: "3", name: "Di", email: null }]);
    await expectRows("plain", "lake.clicks", [...clicks, { id: "5", new: "column" }]);
  });
});
