import { expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { torture } from "../../torture/torture.ts";

const missing = await requireServers("kafka", "minio", "readers", "toxiproxy", "faketime");

/** `npm run torture` does it with more kills, on other stores, and with processes that sleep longer than any timeout. */
it.skipIf(missing !== null)(
  withReason("every snapshot is right while processes, servers and the network fail", missing),
  { timeout: 600_000 },
  async () => {
    const { kills, snapshots, lost, doubled, missing_files, complaints } = await torture({
      kills: 12,
      seed: 20260121,
      store: "minio",
      lakes: ["s3-object-store", "folder-sqlite"],
      longestStopMs: 5_000,
      progress: () => {},
    });
    expect({ lost, doubled, missing_files, complaints }).toEqual({
      lost: 0,
      doubled: 0,
      missing_files: 0,
      complaints: [],
    });
    expect(kills).toBeGreaterThanOrEqual(12);
    expect(snapshots).toBeGreaterThan(10);
  },
);
