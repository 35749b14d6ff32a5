import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";
import { expect, it } from "vitest";
import { listConsumers } from "../../../src/core/consumer-state.ts";
import { addColumns, newSchema } from "../../../table-format/index.ts";
import { appendColumns, commit, createTable, temporaryWarehouse } from "../query/local-warehouse.ts";
import { BARE_ENV } from "../../support/bare-env.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const IDENT = { namespace: ["shop"], name: "t" };

function reader(location: string, ...options: string[]) {
  const args = [MAIN, "read", "shop.t", "--consumer", "c", "--format", "arrow", "--warehouse", location, ...options];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: BARE_ENV,
  });
  const chunks: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => void chunks.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const closed = once(child, "close") as Promise<[number | null]>;
  return { child, closed, bytes: () => Buffer.concat(chunks), stderr: () => stderr };
}

it("an Arrow stream ends where the columns change, and the next one goes on with the new ones", async () => {
  await using warehouse = await temporaryWarehouse();
  const long = { kind: "long" } as const;
  const schema = newSchema([{ name: "id", type: long, required: true }], ["id"]);
  await createTable(warehouse, IDENT, schema);
  const before = await appendColumns(warehouse, IDENT, [[1n]]);
  const first = reader(warehouse.location, "--follow");
  while ((await listConsumers(warehouse.io, warehouse.location, IDENT))[0]?.state.after !== before) await sleep(100);
  const { metadata } = (await warehouse.catalog.loadTable(IDENT))!;
  const wider = addColumns(schema, metadata.lastColumnId, [{ name: "note", type: { kind: "string" } }]);
  await commit(warehouse, IDENT, [
    { action: "add-schema", schema: { ...wider.schema, schemaId: 1 }, lastColumnId: wider.lastColumnId },
    { action: "set-current-schema", schemaId: -1 },
  ]);
  await appendColumns(warehouse, IDENT, [[2n], ["new"]]);
  expect([(await first.closed)[0], first.stderr()]).toEqual([65, expect.stringContaining("error SCHEMA_CHANGED: ")]);
  expect(
    tableFromIPC(first.bytes())
      .toArray()
      .map(({ id }) => id as bigint),
  ).toEqual([1n]);
  const second = reader(warehouse.location);
  expect([(await second.closed)[0], second.stderr()]).toEqual([0, ""]);
  const rest = tableFromIPC(second.bytes())
    .toArray()
    .map(({ _op, id, note }) => [_op, id, note] as unknown[]);
  expect(rest).toEqual([["insert", 2n, "new"]]);
}, 120_000);
