import { expect, it } from "vitest";
import { readAhead } from "../../../../src/sink/key-index/read-ahead.ts";
import type { FileEntry } from "../../../../src/sink/keys/file-table.ts";
import { KEY_WORDS } from "../../../../src/sink/keys/key-words.ts";

const MEBI = 2 ** 20;
const ROWS_A_BATCH = 10;

/** Files of so many rows; the words of a row's key tell which it is. */
class SlowFiles {
  readonly entries: readonly FileEntry[];
  readonly closed: number[] = [];
  /** Files that are being read, and how many have been at once. */
  open = 0;
  most = 0;
  /** Rows that a file has in truth; by default those of its manifest. */
  readonly truth = new Map<number, number>();

  constructor(rows: readonly number[]) {
    this.entries = rows.map(
      (count, file) => ({ live: { file: { filePath: String(file), recordCount: BigInt(count) } } }) as FileEntry,
    );
  }

  readonly read = async function* (this: SlowFiles, entry: FileEntry): AsyncGenerator<Uint32Array> {
    const file = Number(entry.live.file.filePath);
    const rows = this.truth.get(file) ?? Number(entry.live.file.recordCount);
    this.most = Math.max(this.most, ++this.open);
    try {
      for (let row = 0; row < rows; row += ROWS_A_BATCH) {
        await new Promise((resolve) => setImmediate(resolve));
        const count = Math.min(ROWS_A_BATCH, rows - row);
        yield Uint32Array.from({ length: count * KEY_WORDS }, (_, word) => file * 1_000 + row + (word >> 2));
      }
    } finally {
      this.open--;
      this.closed.push(file);
    }
  }.bind(this);

  async rowsRead(limitBytes: number): Promise<number[]> {
    const rows: number[] = [];
    for await (const { index, firstRow, keys, last } of readAhead(this.entries, this.read, () => limitBytes)) {
      const count = keys.length / KEY_WORDS;
      expect(last).toBe(firstRow + count === Number(this.entries[index]?.live.file.recordCount));
      for (let row = 0; row < count; row++) rows.push(keys[row * KEY_WORDS] as number);
      expect(keys[0]).toBe(index * 1_000 + firstRow);
    }
    return rows;
  }

  expected(): number[] {
    return this.entries.flatMap(({ live }, file) =>
      Array.from({ length: Number(live.file.recordCount) }, (_, row) => file * 1_000 + row),
    );
  }
}

it("files are read at once, their rows come in order", async () => {
  const files = new SlowFiles([25, 0, 1, 10, 99, 3, 40, 7, 8, 9, 30, 11]);
  expect(await files.rowsRead(MEBI)).toEqual(files.expected());
  expect(files.most).toBe(8);
  expect(files.open).toBe(0);
});

it("no more files are read at once than memory allows, but one always is", async () => {
  const files = new SlowFiles(Array.from({ length: 12 }, () => 100));
  // 3,200 bytes each.
  expect(await files.rowsRead(10_000)).toEqual(files.expected());
  expect(files.most).toBe(3);
  const large = new SlowFiles([500, 500]);
  expect(await large.rowsRead(1)).toEqual(large.expected());
  expect(large.most).toBe(1);
});

it.each([
  ["more", 31],
  ["fewer", 29],
])("a file of %s rows than its manifest says is refused, and the others are closed", async (_, truth) => {
  const files = new SlowFiles([30, 30, 30]);
  files.truth.set(1, truth);
  await expect(files.rowsRead(MEBI)).rejects.toMatchObject({ kind: "corrupt", code: "KEY_ROWS" });
  expect(files.closed.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
});
