import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendFiles,
  type Catalog,
  type CommitOutcome,
  commitOperations,
  createBranch,
  createTag,
  fastForwardBranch,
  FrazilError,
  removeTag,
  rollbackTo,
  rowDelta,
  setCurrentSnapshot,
  type TableOperation,
  updateProperties,
  updateSchema,
} from "../../../../table-format/index.ts";
import { pauseBefore } from "../../../../table-format/transaction/retry-settings.ts";
import { file, vector, WrittenTable } from "./written-table.ts";

/** What happens to one request: it is answered, refused, lost on its way, or its answer is. */
type Fate = "answered" | "conflict" | "lost" | "landed unanswered" | "thrown unanswered";
const FATES: readonly Fate[] = ["answered", "conflict", "lost", "landed unanswered", "thrown unanswered"];

/** A catalog whose next requests have these fates; then all are answered. Loading fails where a number in `failedLoads` says. */
class FaultyCatalog {
  fates: Fate[] = [];
  loadsToFail = 0;
  sent = 0;

  wrap(catalog: Catalog): Catalog {
    const commit: Catalog["commit"] = async (changes, claim) => {
      const fate = this.fates.shift() ?? "answered";
      this.sent++;
      const outage = new FrazilError("unavailable", "GONE", "no answer");
      if (fate === "conflict") {
        return {
          outcome: "conflict",
          table: changes[0]!.ident,
          requirement: null,
          message: "another commit came first",
        };
      }
      if (fate === "lost") return { outcome: "unknown", cause: outage };
      const outcome: CommitOutcome = await catalog.commit(changes, claim);
      if (fate === "thrown unanswered") throw outage;
      return fate === "answered" ? outcome : { outcome: "unknown", cause: outage };
    };
    const loadTable: Catalog["loadTable"] = async (ident) => {
      if (this.sent > 0 && this.loadsToFail > 0) {
        this.loadsToFail--;
        throw new FrazilError("unavailable", "GONE", "no answer");
      }
      return catalog.loadTable(ident);
    };
    return new Proxy(catalog, {
      get: (target, key) => {
        if (key === "commit") return commit;
        if (key === "loadTable") return loadTable;
        const value = Reflect.get(target, key) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

async function faultyTable(properties: Readonly<Record<string, string>> = {}) {
  const faults = new FaultyCatalog();
  const table = await WrittenTable.create({ wrap: (catalog) => faults.wrap(catalog), properties });
  return { faults, table };
}

test("whatever becomes of the requests, a commit happens once or says that it cannot tell", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          fates: fc.array(fc.constantFrom(...FATES), { maxLength: 7 }),
          loadsToFail: fc.nat({ max: 4 }),
          // What others commit between two attempts.
          between: fc.boolean(),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      async (commits) => {
        const { faults, table } = await faultyTable();
        const certain: string[] = [];
        const open: string[] = [];
        for (const [i, { fates, loadsToFail, between }] of commits.entries()) {
          const known = await table.load();
          faults.fates = [];
          if (between) await table.commit(appendFiles({ dataFiles: [file(`other-${i}`)] }));
          if (between) certain.push(`other-${i}`);
          Object.assign(faults, { fates: [...fates], loadsToFail, sent: 0 });
          const name = `file-${i}`;
          try {
            const done = await table.commitFrom(known, appendFiles({ dataFiles: [file(name)] }));
            certain.push(name);
            expect(done.metadata.refs.get("main")).toBeDefined();
          } catch (error) {
            const { code, kind } = error as FrazilError;
            if (code === "COMMIT_STATE_UNKNOWN") open.push(name);
            else expect(["conflict COMMIT_CONFLICT", "unavailable GONE"]).toContain(`${kind} ${code}`);
          }
          faults.loadsToFail = 0;
        }
        const live = await table.live();
        // Once each, and nothing that was said not to be there.
        expect(live).toEqual([...new Set(live)]);
        expect(live.filter((name) => !open.includes(name))).toEqual(certain.toSorted());
        // All files of every snapshot are there, whatever was cleaned up after attempts that failed.
        for (const { snapshotId } of (await table.load()).metadata.snapshots) await table.live(snapshotId);
      },
    ),
    { numRuns: 150 },
  );
});

test("writers that race all get through, each seeing what the others did", async () => {
  const table = await WrittenTable.create({ properties: { "commit.retry.num-retries": "20" } });
  await Promise.all(
    Array.from({ length: 8 }, (_, i) => table.commit(appendFiles({ dataFiles: [file(`f${i}`)] }), createTag(`t${i}`))),
  );
  expect(await table.live()).toEqual(["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"]);
  const { metadata } = await table.load();
  expect(metadata.snapshots.map(({ sequenceNumber }) => Number(sequenceNumber))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(table.pauses.length).toBeGreaterThan(0);
});

test("attempts and pauses follow the table's properties", async () => {
  const { faults, table } = await faultyTable({ "commit.retry.num-retries": "2", "commit.retry.min-wait-ms": "40" });
  faults.fates = Array.from({ length: 9 }, () => "conflict" as const);
  await expect(table.commit(appendFiles({ dataFiles: [file("A")] }))).rejects.toMatchObject({
    code: "COMMIT_CONFLICT",
  });
  expect(faults.sent).toBe(3);
  expect(table.pauses).toEqual([40, 80]);
  const settings = { retries: 9, minWaitMs: 100, maxWaitMs: 1_000, totalMs: 5_000 };
  expect([1, 2, 3, 4, 5, 9].map((retry) => pauseBefore(settings, retry, 0))).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(pauseBefore(settings, 1, 1)).toBe(110);
});

test("files of attempts that certainly failed are removed, and no others", async () => {
  const { faults, table } = await faultyTable();
  await table.commit(appendFiles({ dataFiles: [file("A")] }));
  const files = async () => (await Array.fromAsync(table.io.list("mem://w"))).map(({ location }) => location);
  const before = new Set(await files());
  faults.fates = ["conflict", "conflict"];
  await table.commit(appendFiles({ dataFiles: [file("B")] }));
  // One manifest, one manifest list, one metadata file.
  expect((await files()).filter((location) => !before.has(location))).toHaveLength(3);
  const then = new Set(await files());
  faults.fates = Array.from({ length: 9 }, () => "lost" as const);
  await expect(table.commit(appendFiles({ dataFiles: [file("C")] }))).rejects.toMatchObject({
    kind: "unavailable",
    code: "COMMIT_STATE_UNKNOWN",
  });
  expect((await files()).filter((location) => !then.has(location)).length).toBeGreaterThan(0);
});

describe("an answer that is lost is looked up, though others have committed since:", () => {
  const cases: Readonly<Record<string, (ids: readonly bigint[]) => TableOperation>> = {
    rollback: ([first]) => rollbackTo(first!),
    "set current snapshot": ([first]) => setCurrentSnapshot(first!),
    "fast-forward": () => fastForwardBranch("behind", "main"),
    "create branch": ([first]) => createBranch("new", first),
    "remove tag": () => removeTag("old"),
    "schema change": () => updateSchema([{ change: "add-column", name: "x", type: { kind: "int" } }]),
    properties: () => updateProperties({ a: "b" }),
  };
  test.each(Object.keys(cases))("%s", async (name) => {
    const { faults, table } = await faultyTable();
    await table.commit(appendFiles({ dataFiles: [file("A")] }));
    await table.commit(appendFiles({ dataFiles: [file("B")] }), createTag("old"));
    const known = await table.load();
    const ids = known.metadata.snapshots.map(({ snapshotId }) => snapshotId);
    await table.commit(createBranch("behind", ids[0]));
    const operation = cases[name]!(ids);
    faults.fates = ["landed unanswered"];
    const sleep = table.context.sleep.bind(table.context);
    let others = 0;
    const context = {
      ...table.context,
      sleep: async (durationMs: number) => {
        await sleep(durationMs);
        others++;
        for (const branch of ["main", "behind"]) {
          await table.commit(appendFiles({ dataFiles: [file(`other-${branch}`)], branch }));
        }
      },
    };
    faults.sent = 0;
    const done = await commitOperations(context, await table.load(), operation);
    // Sent once, and twice by the others.
    expect([others, faults.sent]).toEqual([1, 3]);
    expect(await table.live()).toContain("other-main");
    expect(done.metadata.snapshots.length).toBe(4);
  });
});

test("manifests that others have expired while they were read are a lost race", async () => {
  const table = await WrittenTable.create();
  await table.commit(appendFiles({ dataFiles: [file("A")] }), appendFiles({ dataFiles: [file("B")] }));
  let reads = 0;
  const read = table.io.read.bind(table.io);
  const io = new Proxy(table.io, {
    get: (target, key) => {
      if (key !== "read") return Reflect.get(target, key).bind(target);
      return async (location: string) => {
        if (location.includes("/snap-") && reads++ === 0) {
          await table.commit(appendFiles({ dataFiles: [file("C")] }));
          throw new FrazilError("not-found", "NO_OBJECT", `${location} is gone`);
        }
        return read(location);
      };
    },
  });
  const append = appendFiles({ dataFiles: [file("D")] });
  await commitOperations({ ...table.context, io }, await table.load(), append);
  expect(await table.live()).toEqual(["A", "B", "C", "D"]);
  expect(table.pauses).toHaveLength(1);
  // Without another commit it is what it says.
  const broken = { ...table.io, read: async () => Promise.reject(new FrazilError("not-found", "NO_OBJECT", "gone")) };
  await expect(commitOperations({ ...table.context, io: broken }, await table.load(), append)).rejects.toMatchObject({
    kind: "not-found",
  });
});

test("after an attempt without an answer a conflict of what came since is a conflict still", async () => {
  const { faults, table } = await faultyTable();
  await table.commit(appendFiles({ dataFiles: [file("A")] }));
  const known = await table.load();
  await table.commit(rowDelta({ deleteFiles: [vector("P", "A")] }));
  faults.fates = ["lost"];
  await expect(table.commitFrom(known, rowDelta({ deleteFiles: [vector("Q", "A")] }))).rejects.toMatchObject({
    code: "CONFLICTING_VECTOR",
  });
});
