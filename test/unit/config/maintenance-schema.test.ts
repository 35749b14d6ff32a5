import { describe, expect, it } from "vitest";
import { loadJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";

function job(maintenance: string) {
  return loadJob(
    `name: a
source: { type: generator }
warehouse: { location: ./w }
tables: [{ from: a, to: s.a, mode: append }]
${maintenance}`,
    "job.yaml",
    {},
    SOURCES,
  ).maintenance;
}

describe("maintenance: of a job", () => {
  it("is nothing by default", () => expect(job("")).toEqual([]));

  it("has tasks with their schedules, in the order in which they are done", () => {
    const block = `maintenance:
  expire: { cron: "0 3 * * *", zone: Europe/Berlin, keep: 7d, min_snapshots: 3 }
  compact: { every: 30s, target_size: 1MiB, min_files: 2 }
  tag:
    - { name: daily, cron: "0 0 * * *" }
    - { name: hourly, every: 1h, keep: 2d }
`;
    expect(job(block)).toEqual([
      { kind: "tag", name: "daily", schedule: { cron: "0 0 * * *", zone: "UTC" }, keepMs: 30 * 86_400_000 },
      { kind: "tag", name: "hourly", schedule: { everyMs: 3_600_000 }, keepMs: 2 * 86_400_000 },
      {
        kind: "compact",
        schedule: { everyMs: 30_000 },
        targetSizeBytes: 1 << 20,
        minFiles: 2,
        deleteRatio: 0.15,
        pace: 0.5,
        arrange: null,
        where: null,
      },
      {
        kind: "expire",
        schedule: { cron: "0 3 * * *", zone: "Europe/Berlin" },
        keepMs: 7 * 86_400_000,
        minSnapshots: 3,
        maxSnapshots: null,
      },
    ]);
  });

  it("has defaults for all of it", () => {
    expect(job("maintenance: { compact: {}, expire: {} }")).toEqual([
      {
        kind: "compact",
        schedule: { everyMs: 600_000 },
        targetSizeBytes: 256 << 20,
        minFiles: 8,
        deleteRatio: 0.15,
        pace: 0.5,
        arrange: null,
        where: null,
      },
      { kind: "expire", schedule: { everyMs: 3_600_000 }, keepMs: null, minSnapshots: null, maxSnapshots: null },
    ]);
  });

  it("says how rows are arranged, and of which files", () => {
    const sorted = 'compact: { sort_by: [region, "created_at desc"], where: "day(created_at) >= now - 7d" }';
    expect(job(`maintenance: { ${sorted} }`)).toMatchObject([
      { arrange: { sortBy: ["region", "created_at desc"] }, where: "day(created_at) >= now - 7d" },
    ]);
    expect(job("maintenance: { compact: { z_order: [a, b] } }")).toMatchObject([
      { arrange: { zOrder: ["a", "b"] }, where: null },
    ]);
  });

  it.each([
    ["compact: { sort_by: [a], z_order: [b] }", "maintenance.compact.z_order: is one order too many beside sort_by"],
    ['compact: { sort_by: ["a sideways"] }', "maintenance.compact.sort_by[0]: must be a term as in the sort_by"],
    ["compact: { every: 10 minutes }", 'maintenance.compact.every: "10 minutes" is not a duration'],
    ["compact: { every: 1ms }", 'maintenance.compact.every: "1ms" is too short; the least is 1000ms'],
    ['compact: { every: 1h, cron: "0 * * * *" }', "maintenance.compact.cron: is one schedule too many beside every"],
    ["expire: { zone: UTC }", "maintenance.expire.zone: belongs to cron"],
    ['expire: { cron: "0 25 * * *" }', 'maintenance.expire.cron: "0 25 * * *" is not a cron expression'],
    ['expire: { cron: "0 3 * * *", zone: Mars }', 'maintenance.expire.zone: "Mars" is not a time zone'],
    ["compct: {}", 'maintenance.compct: unknown key, did you mean "compact"?'],
    ["tag: [{ name: a b }]", "maintenance.tag[0].name: must be a letter"],
    ["tag: [{ name: a }, { name: a }]", 'maintenance.tag[1].name: "a" is taken by another entry'],
  ])("refuses %s", (text, message) => {
    expect(() => job(`maintenance: { ${text} }`)).toThrow(message);
  });
});
