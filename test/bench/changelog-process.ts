// Reads a changelog in a process of its own and says what that took:  node test/bench/changelog-process.ts <metadata file> <from>
import { pathToFileURL } from "node:url";
import { createLocalStorage } from "../../src/storage/local.ts";
import { cellAt, changelogScan, must, parseTableMetadata } from "../../table-format/index.ts";

/** What reading a changelog took. */
export interface ChangelogCost {
  readonly ms: number;
  /** Of this process, in user and system mode. */
  readonly cpuMs: number;
  /** Rows by their type. */
  readonly rows: Readonly<Record<string, number>>;
  /** The most memory that the process had, Node included. */
  readonly peakBytes: number;
}

/** The net change from a snapshot to the newest one. */
export async function changelogCost(location: string, from: bigint): Promise<ChangelogCost> {
  const io = createLocalStorage();
  const metadata = parseTableMetadata(await io.read(location), location);
  const startMs = performance.now();
  const before = process.cpuUsage();
  const rows: Record<string, number> = {};
  for await (const { length, fields, columns } of changelogScan(io, metadata, { from, net: true })) {
    const types = must(columns[fields.findIndex(({ name }) => name === "_change_type")], "types");
    for (let row = 0; row < length; row++) {
      const type = cellAt(types, row) as string;
      rows[type] = (rows[type] ?? 0) + 1;
    }
  }
  const { user, system } = process.cpuUsage(before);
  const ms = Math.round(performance.now() - startMs);
  return { ms, cpuMs: Math.round((user + system) / 1000), rows, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [location = "", from = ""] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await changelogCost(location, BigInt(from)))}\n`);
}
