import { expect, it } from "vitest";
import { type FollowOptions, tableChanges } from "../../../src/query/changes.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import type { LoadedTable, Snapshot } from "../../../table-format/index.ts";
import { memoryWarehouse } from "../../support/checkpoints.ts";
import { FED_TABLE, feedTable, randomScript, rowText } from "../../support/fed-table.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { jsonLines, queryLines } from "./local-warehouse.ts";

const SNAPSHOTS = 300;
/** More of them by FRAZIL_FEED_PAIRS, others by FRAZIL_FEED_SEED. */
const PAIRS = Number(process.env["FRAZIL_FEED_PAIRS"] ?? 8);
const SEED = Number(process.env["FRAZIL_FEED_SEED"] ?? 17);

type Rows = ReadonlyMap<number, string>;
interface Change {
  readonly op: string;
  readonly id: number;
  readonly row: string;
}

const parsed = (line: string) =>
  JSON.parse(line) as { _op: string; id: number; part: string; value: number | null; _snapshot_id: string };

/** All rows of a snapshot, read. */
async function rowsOf(warehouse: QueryWarehouse, { snapshotId }: Snapshot): Promise<Rows> {
  const lines = await queryLines(warehouse, "SELECT * FROM shop.t", String(snapshotId));
  return new Map(lines.map(parsed).map((row) => [row.id, rowText(row)]));
}

/** What comparing all rows of two states finds. */
function comparison(before: Rows, after: Rows): Change[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort((a, b) => a - b)
    .flatMap((id): Change[] => {
      const [was, is] = [before.get(id), after.get(id)];
      if (was === undefined) return is === undefined ? [] : [{ op: "insert", id, row: is }];
      if (is === undefined) return [{ op: "delete", id, row: was }];
      if (was === is) return [];
      return [
        { op: "update_before", id, row: was },
        { op: "update_after", id, row: is },
      ];
    });
}

/** The feed between two snapshots, a list a commit. */
async function feed(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  from: Snapshot,
  to: Snapshot,
  net: boolean,
): Promise<Change[][]> {
  const at = { ...table, metadata: { ...table.metadata, currentSnapshotId: to.snapshotId } };
  const options: FollowOptions = {
    from: String(from.snapshotId),
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: (message) => expect.fail(message),
    net,
  };
  const commits: Change[][] = [];
  for await (const { snapshot, ...changed } of tableChanges(warehouse, at, options)) {
    const rows = (await jsonLines(changed)).map(parsed);
    for (const row of rows) expect(BigInt(row._snapshot_id)).toBe(snapshot.snapshotId);
    commits.push(rows.map((row) => ({ op: row._op, id: row.id, row: rowText(row) })));
  }
  return commits;
}

/** Applies changes; one that does not fit the rows fails. */
function applied(before: Rows, changes: readonly Change[]): Rows {
  const rows = new Map(before);
  for (const { op, id, row } of changes) {
    if (op === "insert") expect(rows.has(id), `insert of ${row}`).toBe(false);
    else if (op !== "update_after") expect(rows.get(id), `${op} of ${row}`).toBe(row);
    if (op === "delete") rows.delete(id);
    else if (op !== "update_before") rows.set(id, row);
  }
  return rows;
}

it.each([3, 2] as const)(
  `between any two of ${SNAPSHOTS} snapshots the feed is the difference of two full reads, and the net feed its fold (format version %i)`,
  { timeout: 3_600_000 },
  async (formatVersion) => {
    const random = seededRandom(SEED + formatVersion);
    const warehouse = {
      ...memoryWarehouse("memory"),
      location: "mem://w",
      localPath: null,
      scratch: openScratchFolder,
    };
    await feedTable(warehouse, randomScript(random, SNAPSHOTS * 4), SEED, formatVersion);
    const table = (await warehouse.catalog.loadTable(FED_TABLE))!;
    const { snapshots } = table.metadata;
    expect(snapshots.length).toBeGreaterThan(SNAPSHOTS);
    const pairs = formatVersion === 3 ? PAIRS : Math.ceil(PAIRS / 4);
    for (let pair = 0; pair < pairs; pair++) {
      // Near ones are as likely as far ones.
      const apart = pair % 2 === 0 ? 1 + (random.uint32() % 12) : 1 + (random.uint32() % SNAPSHOTS);
      const first = random.uint32() % SNAPSHOTS;
      const [from, to] = [snapshots[first]!, snapshots[Math.min(snapshots.length - 1, first + apart)]!];
      const [before, after] = [await rowsOf(warehouse, from), await rowsOf(warehouse, to)];
      const difference = comparison(before, after);
      const which = `seed ${SEED}, ${from.snapshotId}..${to.snapshotId}`;
      expect((await feed(warehouse, table, from, to, true)).flat(), which).toEqual(difference);
      const oneByOne = (await feed(warehouse, table, from, to, false)).flat();
      expect(comparison(before, applied(before, oneByOne)), which).toEqual(difference);
    }
  },
);
