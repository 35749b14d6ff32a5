import { describe, expect, it } from "vitest";
import { currentSnapshot } from "../../../table-format/index.ts";
import { memoryWarehouse } from "../../support/checkpoints.ts";
import { ERAS, randomEraChanges, throughCrashes } from "../../support/era-changes.ts";
import {
  compactTable,
  copyTable,
  type EraChange,
  expireTable,
  identOf,
  type Place,
  writeChanges,
} from "../../support/table-chain.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";

/** What a history table's rows come to when they are played: the rows, each as `tableRows` shows it. */
function replayed(rows: readonly string[], width: number): string[] {
  const played = rows
    .map((row) => row.split("|"))
    .map((cells) => ({ cells: cells.slice(0, width), op: cells[width], point: String(cells.at(-1)) }))
    .sort((a, b) => comparePoint(a.point, b.point));
  const state = new Map<string, string>();
  for (const { cells, op } of played) {
    const [key = ""] = cells;
    if (op === "delete" || op === "update_before") {
      expect(state.get(key), `the image before ${op} of ${key}`).toBe(cells.join("|"));
      state.delete(key);
    } else state.set(key, cells.join("|"));
  }
  return [...state.values()].sort();
}

function comparePoint(a: string, b: string): number {
  const parts = (text: string) => /^(\d+):\d+[+=](\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  const [left, right] = [parts(a), parts(b)];
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}

async function rowsOf(place: Place, table: string): Promise<string[]> {
  return tableRows(place.io, place.catalog, identOf(table));
}

describe.each(["memory", "object-store"] as const)("tables that feed tables, in a catalog of kind %s", (kind) => {
  it("end up equal over crashes, compaction, expiry and schema changes", { timeout: 180_000 }, async () => {
    for (let seed = 0; seed < 2; seed++) {
      const place = memoryWarehouse(kind);
      const random = seededRandom(seed);
      const changes = randomEraChanges(random, 160);
      let crashes = 0;
      for (let upTo = 20; upTo <= changes.length; upTo += 20) {
        crashes += await throughCrashes(random, (given) => writeChanges(place, changes.slice(0, upTo), given));
        if (random.uint32() % 2 === 0) await compactTable(place, "shop.a", random.uint32());
        if (random.uint32() % 3 > 0) {
          crashes += await throughCrashes(random, (given) => copyTable(place, "shop.a", "shop.b", given));
          expect(await rowsOf(place, "shop.b"), `seed ${seed}, ${upTo} changes`).toEqual(await rowsOf(place, "shop.a"));
          crashes += await throughCrashes(random, (given) =>
            copyTable(place, "shop.a", "shop.trail", { ...given, rule: { mode: "history" } }),
          );
          await expireTable(place, "shop.a", 1, random.uint32());
        }
        if ((await rowsOf(place, "shop.b")).length > 0 && random.uint32() % 2 === 0) {
          crashes += await throughCrashes(random, (given) => copyTable(place, "shop.b", "shop.c", given));
          if (random.uint32() % 2 === 0) await compactTable(place, "shop.b", random.uint32());
          await expireTable(place, "shop.b", 1, random.uint32());
        }
      }
      crashes += await throughCrashes(random, (given) => copyTable(place, "shop.a", "shop.b", given));
      crashes += await throughCrashes(random, (given) => copyTable(place, "shop.b", "shop.c", given));
      crashes += await throughCrashes(random, (given) =>
        copyTable(place, "shop.a", "shop.trail", { ...given, rule: { mode: "history" } }),
      );
      const first = await rowsOf(place, "shop.a");
      expect(await rowsOf(place, "shop.b"), `seed ${seed}, ${crashes} crashes`).toEqual(first);
      expect(await rowsOf(place, "shop.c"), `seed ${seed}, ${crashes} crashes`).toEqual(first);
      expect(crashes).toBeGreaterThan(10);
      const loaded = await place.catalog.loadTable(identOf("shop.c"));
      expect(currentSnapshot(loaded?.metadata as never)).not.toBeNull();
      const types = loaded?.metadata.schemas.at(-1)?.fields.map(({ name, type }) => `${name} ${type.kind}`);
      expect(types).toEqual(["id long", "count long", "note string"]);
    }
  });

  it("give a history that plays back to the table, both images of each update in it", async () => {
    const place = memoryWarehouse(kind);
    const random = seededRandom(7);
    const last = ERAS[2];
    const changes = randomEraChanges(random, 120).map((one): EraChange => {
      const [id = null, count = null, note = null] = one.values;
      return {
        op: one.op === "truncate" ? "delete" : one.op,
        columns: last,
        values: [id, count === null ? null : BigInt(count), note],
      };
    });
    for (let upTo = 15; upTo <= changes.length; upTo += 15) {
      await throughCrashes(random, (given) => writeChanges(place, changes.slice(0, upTo), given));
      await throughCrashes(random, (given) =>
        copyTable(place, "shop.a", "shop.trail", { ...given, rule: { mode: "history" } }),
      );
      expect(replayed(await rowsOf(place, "shop.trail"), 3)).toEqual(await rowsOf(place, "shop.a"));
    }
  });
});
