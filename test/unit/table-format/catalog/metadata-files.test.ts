import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { MetadataFiles } from "../../../../table-format/catalog/metadata-files.ts";
import { MAX_CACHED_METADATA_BYTES } from "../../../../table-format/limits.ts";
import { tableMetadataBytes } from "../../../../table-format/metadata/metadata-bytes.ts";
import { tableWith } from "../metadata/fixture.ts";

const uuid = (n: number) => `0000${n}-00000000-0000-4000-8000-00000000000${n}.metadata.json`;

test("keeps what it has read up to a number of bytes, and always the last", async () => {
  const io = createMemoryStorage();
  const small = tableMetadataBytes(tableWith([1n]));
  const large = new Uint8Array(MAX_CACHED_METADATA_BYTES - 2 * small.length).fill(0x20);
  large.set(small);
  const write = (n: number, bytes: Uint8Array) => io.write(`mem://t/metadata/${uuid(n)}`, bytes);
  await Promise.all([write(1, small), write(2, large), write(3, small), write(4, small)]);
  const read: number[] = [];
  const files = new MetadataFiles({
    read: (location: string) => {
      read.push(Number(/0000(\d)-/.exec(location)?.[1]));
      return io.read(location);
    },
  } as typeof io);
  const load = (...ns: number[]) =>
    ns.reduce((done, n) => done.then(() => files.load(`mem://t/metadata/${uuid(n)}`)), Promise.resolve({} as object));
  await load(1, 2, 1, 2, 3, 1, 2);
  expect(read).toEqual([1, 2, 3]);
  // Beyond the bound: the one that was used longest ago goes, though it is the large one.
  await load(3, 1, 4, 3, 1, 4);
  expect(read).toEqual([1, 2, 3, 4]);
  await load(2);
  expect(read).toEqual([1, 2, 3, 4, 2]);
});
