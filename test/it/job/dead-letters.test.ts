import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { startKafka, type RunningKafka } from "../../services/kafka.ts";
import { createTopic } from "../../services/kafka-admin.ts";
import { openProducer } from "../../services/kafka-producer.ts";
import { frazil, type JobProcess } from "./job-process.ts";

const missing = await requireServers("kafka");

const TOPIC = "shop.public.orders";

interface Sent {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Record<string, Buffer>;
  /** The code that it is kept under; null: it is a good one. */
  readonly code: string | null;
}

const event = (after: string, op = "c"): Buffer => Buffer.from(`{"before":null,"after":${after},"op":"${op}"}`);
const key = (id: number): Buffer => Buffer.from(`{"id":${id}}`);
const bad = (code: string, value: Buffer, headers: Record<string, Buffer> = {}): Sent => ({
  key: key(9),
  value,
  headers,
  code,
});

/** Bytes that look like nothing, the same in every run. */
function garbage(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 1;
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (state = Math.imul(state, 1_103_515_245) + 12_345) >>> 16;
  return bytes;
}

const MESSAGES: readonly Sent[] = [
  { key: key(1), value: event('{"id":1,"total":"1.50","n":9007199254740993}'), code: null },
  bad("MALFORMED_JSON", Buffer.from('{"before":null,"after":{"id":9,"total"')),
  bad(
    "MALFORMED_JSON",
    Buffer.concat([Buffer.from('{"after":{"id":9,"note":"'), Buffer.of(0xc3, 0x28), Buffer.from('"},"op":"c"}')]),
  ),
  bad("VALUE_MISMATCH", event('{"id":9,"n":9223372036854775808}'), {
    trace: Buffer.of(0xff, 0x00),
    empty: Buffer.alloc(0),
  }),
  bad("VALUE_MISMATCH", event('{"id":9,"total":"12345678.90"}')),
  bad("UNKNOWN_OP", event('{"id":9}', "x")),
  bad("MALFORMED_JSON", event(`{"id":9,"deep":${"[".repeat(10_000)}${"]".repeat(10_000)}}`)),
  { key: key(2), value: event('{"id":2,"total":"2.50","__proto__":"plain"}'), code: null },
  bad("MALFORMED_JSON", garbage(5 * 1024 * 1024)),
  { key: Buffer.of(0xfe, 0x01), value: event('{"id":3,"total":"3.50"}'), code: null },
  { key: Buffer.from('{"id":'), value: event('{"id":4}'), code: "MALFORMED_JSON" },
  bad("KEY_WITHOUT_VALUE", event('{"id":null,"total":"1.00"}')),
  { key: key(5), value: event('{"id":5,"total":"5.50"}'), code: null },
];

describe.skipIf(missing !== null)(withReason("messages that cannot be decoded", missing), () => {
  let kafka: RunningKafka;
  let folder: string;

  beforeAll(async () => {
    kafka = await startKafka();
    folder = mkdtempSync(join(tmpdir(), "frazil-letters-"));
    await createTopic(kafka.brokers, TOPIC, { config: { "max.message.bytes": String(16 * 1024 * 1024) } });
    await using producer = await openProducer(kafka.brokers);
    for (const { key: bytes, value, headers } of MESSAGES) {
      await producer.send(TOPIC, [{ key: bytes, value, ...(headers === undefined ? {} : { headers }), partition: 0 }]);
    }
  });
  afterAll(async () => {
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(name: string, more: string, decimal = "decimal(9,2)"): string {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(
      path,
      `name: orders
source: { type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [${TOPIC}], format: debezium-json }
warehouse: { location: "${join(folder, name)}" }
tables:
  - { from: ${TOPIC}, to: shop.orders, mode: upsert, key: [id], columns: { id: long, n: long, total: "${decimal}" } }
${more}
`,
    );
    return path;
  }

  const kept = (name: string, decimal?: string): string =>
    jobFile(name, "dead_letter: { table: shop.dead_letters, max_share: 1 }", decimal);

  async function ended(process: JobProcess, code: number): Promise<Record<string, unknown>[]> {
    expect(await process.ended, process.stderr()).toBe(code);
    const lines = process.stdout().split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  const rowsIn = (name: string): Promise<Record<string, unknown>[]> =>
    ended(
      frazil([
        "query",
        'SELECT id, CAST(total AS VARCHAR) AS total, "__proto__" AS proto FROM shop.orders ORDER BY id',
        "--warehouse",
        join(folder, name),
      ]),
      0,
    );

  it("are kept, byte for byte, while the others arrive", { timeout: 120_000 }, async () => {
    const job = kept("kept");
    const events = await ended(frazil(["run", job, "--until", "caught-up", "--json"]), 0);
    const codes = MESSAGES.flatMap(({ code }) => code ?? []);
    expect(events.at(-1)).toMatchObject({ event: "end", records: MESSAGES.length, deadLetters: codes.length, rows: 4 });
    expect(await rowsIn("kept")).toEqual([
      { id: 1, total: "1.50", proto: null },
      { id: 2, total: "2.50", proto: "plain" },
      { id: 3, total: "3.50", proto: null },
      { id: 5, total: "5.50", proto: null },
    ]);

    const causes = await ended(frazil(["dead-letters", "list", job, "--json"]), 0);
    const counted = causes.flatMap(({ code, count }) => Array<unknown>(count as number).fill(code));
    expect(counted.map(String).sort()).toEqual(codes.toSorted());

    for (const [offset, sent] of MESSAGES.entries()) {
      if (sent.code === null) continue;
      const place = ["--topic", TOPIC, "--partition", "0", "--offset", String(offset)];
      const [letter] = await ended(frazil(["dead-letters", "show", job, ...place, "--json"]), 0);
      expect(letter, `offset ${offset}`).toMatchObject({ code: sent.code, offset, partition: 0, topic: TOPIC });
      expect(bytesOf(letter?.["key"]), `key ${offset}`).toEqual(sent.key);
      expect(bytesOf(letter?.["value"])?.equals(sent.value ?? Buffer.alloc(0)), `value ${offset}`).toBe(true);
      const headers = letter?.["headers"] as { name: string; value: unknown }[];
      expect(headers.map(({ name, value }) => [name, bytesOf(value)])).toEqual(Object.entries(sent.headers ?? {}));
    }
  });

  it("come in when they are replayed with a job file that takes them", { timeout: 120_000 }, async () => {
    await ended(frazil(["run", kept("replayed"), "--until", "caught-up"]), 0);
    const wider = kept("replayed", "decimal(18,2)");
    const plan = frazil(["dead-letters", "replay", wider, "--json"]);
    expect(await ended(plan, 0)).toEqual([expect.objectContaining({ event: "plan", letters: 9 })]);
    expect(plan.stderr()).toMatch(/1 of them can be decoded now/);
    await ended(frazil(["dead-letters", "replay", wider, "--yes"]), 0);
    expect(await rowsIn("replayed")).toContainEqual({ id: 9, total: "12345678.90", proto: null });
    const left = await ended(frazil(["dead-letters", "list", wider, "--json"]), 0);
    expect(left.reduce((sum, { count }) => sum + (count as number), 0)).toBe(8);
    // The job goes on where it was.
    const events = await ended(frazil(["run", wider, "--until", "caught-up", "--json"]), 0);
    expect(events.at(-1) ?? { records: 0 }).toMatchObject({ records: 0 });
  });

  it("stop the job when they are too many, the first of them shown", { timeout: 60_000 }, async () => {
    const job = frazil([
      "run",
      jobFile("many", "dead_letter: { table: shop.dead_letters, max_rows: 3 }"),
      "--until",
      "caught-up",
    ]);
    await ended(job, 65);
    expect(job.stderr()).toMatch(/error TOO_MANY_DEAD_LETTERS: 4 messages/);
    expect(job.stderr()).toMatch(/MALFORMED_JSON shop\.public\.orders\/0 offset 1: expected /);
  });

  it("stop the job at once without a table for them", { timeout: 60_000 }, async () => {
    const job = frazil(["run", jobFile("none", ""), "--until", "caught-up"]);
    await ended(job, 65);
    expect(job.stderr()).toMatch(/error MALFORMED_JSON: .*offset 1/);
  });
});

function bytesOf(part: unknown): Buffer | null {
  if (part === null || part === undefined) return null;
  const { text, hex } = part as { text?: string; hex?: string };
  return text === undefined ? Buffer.from(hex ?? "", "hex") : Buffer.from(text, "utf8");
}
