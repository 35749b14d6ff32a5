import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { confinedTo, tableRoots } from "../../../../table-format/index.ts";
import { tableWith } from "../metadata/fixture.ts";

test("only what lies below the table's location and the paths of its properties is reached", async () => {
  const table = { ...tableWith([1n]), properties: new Map([["write.data.path", "mem://data/orders/"]]) };
  const roots = tableRoots(table, ["mem://added"]);
  expect(roots).toEqual(["/lake/shop/orders", "mem://data/orders", "mem://added"]);
  const io = createMemoryStorage();
  const confined = confinedTo(io, roots);
  for (const inside of ["/lake/shop/orders/metadata/m.avro", "mem://data/orders/a..b/x", "mem://added/x"]) {
    await confined.write(inside, Uint8Array.of(1));
    expect(await confined.read(inside)).toEqual(Uint8Array.of(1));
  }
  await io.write("/lake/shop/orders-2/x", Uint8Array.of(2));
  for (const outside of ["/lake/shop/orders-2/x", "/lake/shop/orders/../orders-2/x", "/etc/passwd", "mem://data", ""]) {
    await expect(confined.read(outside)).rejects.toMatchObject({ kind: "permission", code: "OUTSIDE_TABLE" });
    await expect(confined.readRange(outside, 0, 1)).rejects.toMatchObject({ kind: "permission" });
    await expect(confined.delete(outside)).rejects.toMatchObject({ kind: "permission" });
  }
  expect(await io.stat("/lake/shop/orders-2/x")).not.toBe(null);
});
