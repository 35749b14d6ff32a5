import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { ManifestContent, ManifestEntry, ManifestFile, WrittenEntry } from "../manifest/manifest-file.ts";
import { carriedEntries, type Listed, type ManifestBuilder } from "./manifest-builder.ts";

/** Table properties `commit.manifest-merge.enabled`, `commit.manifest.min-count-to-merge`, `commit.manifest.target-size-bytes`. */
export interface MergeSettings {
  readonly enabled: boolean;
  readonly minCount: number;
  readonly targetSizeBytes: bigint;
}

/** Reads merge settings from table properties; Java's defaults for what is missing or malformed. */
export function mergeSettings(properties: ReadonlyMap<string, string>): MergeSettings {
  const integer = (key: string, fallback: bigint): bigint => {
    const text = properties.get(key)?.trim();
    return text !== undefined && /^\d{1,18}$/.test(text) ? BigInt(text) : fallback;
  };
  return {
    enabled: properties.get("commit.manifest-merge.enabled")?.trim().toLowerCase() !== "false",
    minCount: Number(integer("commit.manifest.min-count-to-merge", 100n)),
    targetSizeBytes: integer("commit.manifest.target-size-bytes", 8n * 1024n * 1024n),
  };
}

/**
 * Merges small manifests of one content, newest first. Those of one spec are packed from the oldest on, so that full manifests
 * settle and only the newest bin stays below the target; that bin is merged once it has `minCount` manifests, any other at once.
 */
export async function mergeManifests(
  listed: readonly Listed[],
  content: ManifestContent,
  settings: MergeSettings,
  builder: ManifestBuilder,
  read: (manifest: ManifestFile) => Promise<readonly ManifestEntry[]>,
): Promise<Listed[]> {
  if (!settings.enabled) return [...listed];
  const merged: Listed[] = [];
  for (const [specId, group] of Map.groupBy(listed, (each) => each.manifest.specId)) {
    const bins = packFromEnd(group, settings.targetSizeBytes);
    for (const [i, bin] of bins.entries()) {
      if (bin.length === 1 || (i === 0 && bin.length < settings.minCount)) {
        merged.push(...bin);
        continue;
      }
      const parts = await mapConcurrently(bin, MANIFESTS_AT_ONCE, async (each): Promise<readonly WrittenEntry[]> => {
        return each.pending?.entries ?? carriedEntries(await read(each.manifest), builder.snapshotId);
      });
      merged.push(builder.build(specId, content, parts.flat()));
    }
  }
  return merged;
}

/** Consecutive manifests in bins of at most the target size (or one manifest); the order stays, the first bin may be underfull. */
export function packFromEnd(listed: readonly Listed[], targetSizeBytes: bigint): Listed[][] {
  const bins: Listed[][] = [];
  let size = 0n;
  for (const each of listed.toReversed()) {
    size += each.manifest.lengthBytes;
    const bin = bins.at(-1);
    if (bin === undefined || size > targetSizeBytes) {
      bins.push([each]);
      size = each.manifest.lengthBytes;
    } else {
      bin.push(each);
    }
  }
  return bins.map((bin) => bin.toReversed()).toReversed();
}
