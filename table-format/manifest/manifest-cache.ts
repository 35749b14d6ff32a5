import type { ManifestEntry } from "./manifest-file.ts";
import type { ManifestCache } from "./manifest-reader.ts";

/**
 * A cache of manifests bounded by the entries it holds (one is 1 to 5 kB of memory, by the columns of the table); the manifests
 * that were not asked for longest go first. One that alone exceeds the bound is not kept.
 */
export function createManifestCache(maxEntries: number): ManifestCache {
  const manifests = new Map<string, readonly ManifestEntry[]>();
  let held = 0;
  const drop = (path: string): void => {
    held -= manifests.get(path)?.length ?? 0;
    manifests.delete(path);
  };
  return {
    get(path) {
      const entries = manifests.get(path);
      if (entries !== undefined) {
        // A map keeps the order of insertion: the oldest use comes first.
        manifests.delete(path);
        manifests.set(path, entries);
      }
      return entries;
    },
    set(path, entries) {
      drop(path);
      if (entries.length > maxEntries) return;
      manifests.set(path, entries);
      held += entries.length;
      for (const oldest of manifests.keys()) {
        if (held <= maxEntries) break;
        drop(oldest);
      }
    },
  };
}
