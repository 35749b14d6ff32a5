import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ancestors, type Snapshot, type SnapshotRef, type TableMetadata } from "../../../../table-format/index.ts";
import { EXPIRE_MAX_SNAPSHOTS, EXPIRE_SPARED_MS } from "../../../../src/core/limits.ts";
import { expiredAt, type RetentionPolicy, retentionPolicy } from "../../../../src/maintenance/expire/retention.ts";
import { snapshotOn, tableWith, T0 } from "../../table-format/metadata/fixture.ts";

const NOW = T0 + 1_000n * 86_400_000n;
const MINUTE = 60_000n;
const EMPTY = tableWith([]);

/** A table of one branch whose snapshots are so many minutes old, the oldest first; ids count from 1. */
function lineOf(minutes: readonly number[]): TableMetadata {
  const snapshots: Snapshot[] = [];
  for (const [index, age] of minutes.toSorted((a, b) => b - a).entries()) {
    const timestampMs = NOW - BigInt(age) * MINUTE;
    const parentSnapshotId = index === 0 ? null : BigInt(index);
    const sequenceNumber = BigInt(index + 1);
    snapshots.push(snapshotOn(null, BigInt(index + 1), { parentSnapshotId, sequenceNumber, timestampMs }));
  }
  const currentSnapshotId = BigInt(minutes.length);
  const main: SnapshotRef = { type: "branch", snapshotId: currentSnapshotId };
  return { ...EMPTY, snapshots, currentSnapshotId, refs: new Map([["main", main]]) };
}

/** Ids that stay. */
function left(metadata: TableMetadata, policy: RetentionPolicy, pinned: ReadonlySet<bigint> = new Set()): bigint[] {
  const gone = new Set(expiredAt(metadata, policy, pinned, NOW).snapshotIds);
  return metadata.snapshots.map(({ snapshotId }) => snapshotId).filter((id) => !gone.has(id));
}

const ages = fc.array(fc.integer({ min: 0, max: 600 }), { minLength: 1, maxLength: 40 });
const policies = fc.record({
  minSnapshotsToKeep: fc.integer({ min: 1, max: 10 }),
  maxSnapshotAgeMs: fc.integer({ min: 0, max: 700 }).map((minutes) => BigInt(minutes) * MINUTE),
  maxSnapshots: fc.integer({ min: 1, max: 30 }),
});

it("holds a branch to its number, but for young snapshots, and leaves no hole in it", () => {
  fc.assert(
    fc.property(ages, policies, (minutes, policy) => {
      const metadata = lineOf(minutes);
      const staying = left(metadata, policy);
      const spared = minutes.filter((age) => age <= EXPIRE_SPARED_MS / 60_000).length;
      const { minSnapshotsToKeep: least, maxSnapshots: most } = policy;
      expect(staying.length).toBeLessThanOrEqual(Math.max(least, most, spared));
      // From the head down without a gap: whoever reads from one snapshot to another finds all between them.
      const line = Array.from(ancestors(metadata, metadata.currentSnapshotId!), ({ snapshotId }) => snapshotId);
      expect(staying.toReversed()).toEqual(line.slice(0, staying.length));
      expect(staying.length).toBeGreaterThanOrEqual(Math.min(least, line.length));
      // What is taken for the number is taken from what age leaves, and nothing that is young enough within it.
      const { maxSnapshots: _, ...byAge } = policy;
      const without = left(metadata, byAge);
      expect(staying.length).toBe(Math.min(without.length, Math.max(most, least, Math.min(spared, without.length))));
    }),
    { numRuns: 300 },
  );
});

it("takes nothing that a ref names, a pipeline or a reader needs, whatever the number", () => {
  const ref = fc.record({ at: fc.nat(), kind: fc.constantFrom("tag", "branch", "pipeline") });
  fc.assert(
    fc.property(
      ages,
      policies,
      fc.array(ref, { maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 3 }),
      (minutes, policy, named, pins) => {
        const line = lineOf(minutes);
        const idAt = (n: number): bigint => BigInt(1 + (n % minutes.length));
        const refs = new Map(line.refs);
        for (const [index, { at, kind }] of named.entries()) {
          const name = kind === "pipeline" ? `ingest.p${index}` : `${kind}${index}`;
          refs.set(name, { type: kind === "branch" ? "branch" : "tag", snapshotId: idAt(at) });
        }
        const metadata = { ...line, refs };
        const pinned = new Set(pins.map(idAt));
        const staying = new Set(left(metadata, policy, pinned));
        for (const { snapshotId } of refs.values()) expect(staying).toContain(snapshotId);
        for (const id of pinned) expect(staying).toContain(id);
        for (const [name, { snapshotId }] of refs) {
          if (!name.startsWith("ingest.")) continue;
          for (let id = snapshotId; id <= BigInt(minutes.length); id++) expect(staying).toContain(id);
        }
        const { snapshotIds, reasons } = expiredAt(metadata, policy, pinned, NOW);
        expect(reasons.age + reasons.number + reasons.unreached).toBe(snapshotIds.length);
      },
    ),
    { numRuns: 300 },
  );
});

it("says why a snapshot goes", () => {
  const days = (n: number): number => n * 24 * 60;
  const table = lineOf([days(7), days(6), 300, 200, 150, 100, 50, 1]);
  const rolledBack = snapshotOn(null, 99n, { parentSnapshotId: 1n, timestampMs: NOW - 9_000n * MINUTE });
  const metadata = { ...table, snapshots: [...table.snapshots, rolledBack] };
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: 5n * 1_440n * MINUTE, maxSnapshots: 3 };
  expect(expiredAt(metadata, policy, new Set(), NOW)).toMatchObject({
    snapshotIds: [1n, 2n, 3n, 4n, 5n, 99n],
    reasons: { age: 2, number: 3, unreached: 1 },
  });
});

it("leaves a branch alone that says for how long it keeps its snapshots", () => {
  const table = lineOf([500, 400, 300, 200, 100]);
  const main = { type: "branch", snapshotId: 5n, maxSnapshotAgeMs: 350n * MINUTE } as const;
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: 5n * 1_440n * MINUTE, maxSnapshots: 1 };
  expect(left({ ...table, refs: new Map([["main", main]]) }, policy)).toEqual([3n, 4n, 5n]);
  expect(left(table, policy)).toEqual([5n]);
});

describe("the number of snapshots is bounded", () => {
  const withProperties = (properties: Record<string, string>) => ({
    ...EMPTY,
    properties: new Map(Object.entries(properties)),
  });

  it("where nobody says how long they stay", () => {
    const days = 86_400_000n;
    const unsaid = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: 5n * days, maxSnapshots: EXPIRE_MAX_SNAPSHOTS };
    expect(retentionPolicy(EMPTY, {})).toEqual(unsaid);
    expect(retentionPolicy(EMPTY, { minSnapshots: 7 })).toEqual({ ...unsaid, minSnapshotsToKeep: 7 });
    const least = withProperties({ "history.expire.min-snapshots-to-keep": "9000" });
    expect(retentionPolicy(least, {})).toEqual({ ...unsaid, minSnapshotsToKeep: 9000 });
  });

  it("not where the job or the table says it, unless a number is asked for as well", () => {
    const old = withProperties({ "history.expire.max-snapshot-age-ms": "7" });
    expect(retentionPolicy(EMPTY, { keepMs: 60_000 }).maxSnapshots).toBeUndefined();
    expect(retentionPolicy(old, {})).toMatchObject({ maxSnapshotAgeMs: 7n, maxSnapshots: undefined });
    expect(retentionPolicy(old, { maxSnapshots: 50 }).maxSnapshots).toBe(50);
    expect(retentionPolicy(EMPTY, { keepMs: 60_000, maxSnapshots: 50 })).toMatchObject({
      maxSnapshotAgeMs: 60_000n,
      maxSnapshots: 50,
    });
  });
});
