import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import type * as files from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { KeyBudget } from "../../../../src/sink/key-index/key-budget.ts";
import { openSidecarFolder } from "../../../../src/sink/key-index/sidecar-folder.ts";
import { SidecarResolver } from "../../../../src/sink/key-index/sidecar-resolver.ts";
import { KEY_WORDS } from "../../../../src/sink/keys/key-words.ts";
import { KeyedTable } from "../../../support/keyed-table.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

const { scarce } = vi.hoisted(() => ({ scarce: { now: false } }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof files>();
  return {
    ...real,
    open: async (...given: Parameters<typeof real.open>) => {
      if (scarce.now) throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
      return real.open(...given);
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), "frazil-scarce-"));
afterAll(() => rmSync(folder, { recursive: true }));

const words = (ids: readonly number[]): Uint32Array =>
  Uint32Array.from({ length: ids.length * KEY_WORDS }, (_, at) =>
    at % KEY_WORDS === 0 ? (ids[at / KEY_WORDS] ?? 0) : 7,
  );

it("where no file can be opened now, sidecars stay, and serve later", async () => {
  const runtime = virtualRuntime(1);
  const open = () => openSidecarFolder(folder, "1", 4, { warehouse: "w", table: "t" }, runtime.random);
  const table = new KeyedTable(words);
  const resolver = new SidecarResolver(table.resolved, await open(), new KeyBudget(0), runtime);
  table.add([1, 2, 3]);
  await resolver.cover();
  const kept = readdirSync(folder);
  const unavailable = { kind: "unavailable", code: "KEY_CACHE" };
  scarce.now = true;
  await expect(resolver.resolve(words([1, 2]))).rejects.toMatchObject(unavailable);
  await expect(open()).rejects.toMatchObject(unavailable);
  scarce.now = false;
  expect(readdirSync(folder)).toEqual(kept);
  expect([...(await resolver.resolve(words([1, 2, 4]))).positions]).toEqual([0, 1, 0]);
  expect((await open()).sidecars).toHaveLength(1);
  expect(table.reads).toHaveLength(1);
});
