import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../table-format/errors.ts";
import { readAgain } from "../../../../table-format/io/read-again.ts";
import { READ_ATTEMPTS } from "../../../../table-format/limits.ts";
import { scanLines } from "../../../support/canonical-cells.ts";
import { canonicalLines } from "../../../readers/canonical.ts";
import { ROW_SCHEMA, TestTable } from "../test-table.ts";

/** Reads one byte after the other from `answers`; only a 7 can be decoded. */
function reading(answers: readonly number[]) {
  let asked = 0;
  const read = async (): Promise<Uint8Array> => Uint8Array.of(answers[asked++] ?? -1);
  const value = readAgain({ read, readRange: read }, async (io) => {
    const [byte] = await io.readRange("a", 0, 1);
    if (byte === 255) throw new FrazilError("not-found", "GONE", "it is gone");
    if (byte !== 7) throw new FrazilError("corrupt", "NO_SEVEN", `expected 7, found ${byte}`);
    return byte;
  });
  return value.then(
    (found) => ({ found, asked }),
    ({ code }: FrazilError) => ({ found: code, asked }),
  );
}

describe("what is broken", () => {
  it("is read again", async () => {
    expect(await reading([7])).toEqual({ found: 7, asked: 1 });
    expect(await reading([3, 7])).toEqual({ found: 7, asked: 2 });
  });

  it("is given up once it comes the same again, or has changed too often", async () => {
    expect(await reading([3, 3, 7])).toEqual({ found: "NO_SEVEN", asked: 2 });
    expect(await reading([1, 2, 3, 7])).toEqual({ found: "NO_SEVEN", asked: READ_ATTEMPTS });
    expect(await reading([255, 7])).toEqual({ found: "GONE", asked: 1 });
  });
});

/** Numbers that do not repeat, so that a file of many rows is large. */
const nameOf = (id: number): string => String(Math.imul(id, 0x9e37_79b1) >>> 0);

describe.each([
  ["small files, which come whole", 100],
  ["large files", 12_000],
])("%s", (_, rows) => {
  const placeOf = {
    first: () => 0,
    middle: (length: number) => length >> 1,
    last: (length: number) => length - 1,
  } as const;

  it.each(Object.keys(placeOf) as (keyof typeof placeOf)[])(
    "are read right when the %s byte of each range changes on its first way",
    async (place) => {
      const table = await TestTable.inMemory({ formatVersion: 3 });
      const insert = Array.from({ length: rows }, (__, id) => ({ id: BigInt(id), name: nameOf(id), day: id }));
      await table.change({ insert });
      await table.change({ delete: [1n, 3n, 50n], insert: [{ id: 50n, name: "new", day: null }] });
      const came = new Set<string>();
      const { io } = table;
      const changing = Object.assign(Object.create(io) as typeof io, {
        async readRange(location: string, offset: number, length: number) {
          const bytes = Uint8Array.from(await io.readRange(location, offset, length));
          const range = `${location} ${offset} ${length}`;
          const at = placeOf[place](length);
          if (!came.has(range)) bytes[at] = (bytes[at] as number) ^ 0x10;
          came.add(range);
          return bytes;
        },
      });
      const lines = await scanLines(changing, table.metadata, table.snapshot, ROW_SCHEMA.fields);
      const expected = table.rows().map(({ id, name, day }) => ({ id: String(id), name, day: dayText(day) }));
      expect(lines).toEqual(canonicalLines(["id", "name", "day"], expected));
      // At least the deletion vector.
      expect(came.size).toBeGreaterThan(0);
    },
  );
});

function dayText(day: number | null): string | null {
  return day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10);
}
