import { type LoadedTable, snapshotById } from "../../table-format/index.ts";

/** Whether a commit has taken effect in a table: its snapshot is there, whatever has come on top. */
export function holds({ metadata }: LoadedTable, snapshotId: bigint): boolean {
  return snapshotById(metadata, snapshotId) !== null;
}

/**
 * Loads all tables of a commit that spans them, of which either all or none hold what it has written. They are loaded one by one: when a
 * late request of ours takes effect in between, only those that were loaded behind it show it. Then they are loaded once more, and all do; what is
 * still missing from one a catalog has torn.
 *
 * @param hasLanded whether a table, at its place, has what the commit writes to it
 */
export async function wholeLook<T>(
  load: () => Promise<readonly T[]>,
  hasLanded: (table: T, index: number) => boolean,
): Promise<readonly T[]> {
  const tables = await load();
  const landed = tables.filter(hasLanded).length;
  return landed === 0 || landed === tables.length ? tables : load();
}
