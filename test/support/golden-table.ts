import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import {
  diffSnapshots,
  type FileIO,
  parseTableMetadata,
  scanRows,
  type Snapshot,
  type TableMetadata,
} from "../../table-format/index.ts";
import { createMemoryStorage } from "../../src/storage/memory.ts";

/** A table that another engine wrote, kept in a folder. */
export interface GoldenTable {
  readonly io: FileIO;
  readonly metadata: TableMetadata;
  /** What a reader gave for each snapshot, by its id. */
  readonly rows: Readonly<Record<string, readonly string[]>>;
}

/** Opens `table.metadata.json` and `rows.json` of a folder. The table's files lie in it; their locations are those of another machine. */
export function openGolden(folder: URL): GoldenTable {
  const names = new Map((readdirSync(folder, { recursive: true }) as string[]).map((name) => [basename(name), name]));
  const bytesOf = (location: string): Uint8Array => {
    const name = names.get(basename(location)) ?? basename(location);
    return new Uint8Array(readFileSync(new URL(name.split("/").map(encodeURIComponent).join("/"), folder)));
  };
  const io = Object.assign(createMemoryStorage(), {
    read: async (location: string) => bytesOf(location),
    readRange: async (location: string, offset: number, length: number) =>
      bytesOf(location).subarray(offset, offset + length),
  });
  return {
    io,
    metadata: parseTableMetadata(bytesOf("table.metadata.json"), "table.metadata.json"),
    rows: JSON.parse(Buffer.from(bytesOf("rows.json")).toString()) as Record<string, string[]>,
  };
}

/** Where rows differ between two snapshots, as `path#position`, sorted. */
export interface Places {
  readonly inserted: readonly string[];
  readonly deleted: readonly string[];
}

/** What `diffSnapshots` says of two snapshots, and what a comparison of all their rows says. */
export async function bothDiffs(
  { io, metadata }: Pick<GoldenTable, "io" | "metadata">,
  from: Snapshot,
  to: Snapshot,
): Promise<{ readonly planned: Places; readonly compared: Places }> {
  const placesIn = async (snapshot: Snapshot): Promise<Set<string>> => {
    const places = new Set<string>();
    for await (const { file, positions } of scanRows(io, metadata, snapshot, { fields: [] })) {
      for (const position of positions) places.add(`${file.filePath}#${position}`);
    }
    return places;
  };
  const [old, now] = [await placesIn(from), await placesIn(to)];
  const plan = await diffSnapshots(io, metadata, from, to);
  const listed = (changes: typeof plan.inserted): string[] =>
    changes.flatMap(({ file, positions }) =>
      [...(positions?.toArray() ?? Array.from({ length: Number(file.recordCount) }, (_, i) => i))].map(
        (at) => `${file.filePath}#${at}`,
      ),
    );
  return {
    planned: { inserted: listed(plan.inserted).sort(), deleted: listed(plan.deleted).sort() },
    compared: { inserted: [...now.difference(old)].sort(), deleted: [...old.difference(now)].sort() },
  };
}
