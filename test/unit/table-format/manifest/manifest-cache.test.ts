import { expect, test } from "vitest";
import { createManifestCache } from "../../../../table-format/manifest/manifest-cache.ts";
import type { ManifestEntry } from "../../../../table-format/manifest/manifest-file.ts";
import { dataFile } from "../data-file.ts";

const entries = (count: number): ManifestEntry[] =>
  Array.from({ length: count }, () => ({
    status: "added",
    snapshotId: 1n,
    sequenceNumber: 1n,
    fileSequenceNumber: 1n,
    file: dataFile({}),
  }));

test("the manifests used last stay, as many as fit", () => {
  const cache = createManifestCache(10);
  cache.set("a", entries(4));
  cache.set("b", entries(4));
  expect(cache.get("a")).toHaveLength(4);
  cache.set("c", entries(4));
  expect(["a", "b", "c"].map((path) => cache.get(path)?.length)).toEqual([4, undefined, 4]);
  cache.set("a", entries(6));
  expect(["a", "c"].map((path) => cache.get(path)?.length)).toEqual([6, 4]);
  cache.set("huge", entries(11));
  expect(["a", "c", "huge"].map((path) => cache.get(path)?.length)).toEqual([6, 4, undefined]);
});
