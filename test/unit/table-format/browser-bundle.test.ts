import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  type Cell,
  cellAt,
  type FileIO,
  MemoryCatalog,
  scanRows,
  type TableMetadata,
  tableMetadataBytes,
} from "../../../table-format/index.ts";
import { TestTable } from "./test-table.ts";

/** What the example of the README for browsers exports. */
interface Example {
  httpStore(addressOf: (location: string) => string): FileIO;
  openTable(io: FileIO, metadataLocation: string): Promise<TableMetadata>;
  readRows(io: FileIO, metadata: TableMetadata): Promise<(Cell | null)[][]>;
  lastChange(io: FileIO, metadata: TableMetadata): Promise<{ inserted: number; deleted: number }>;
}

/** A page that reads tables should not have to load more: a bundle that grows past it has lost its tree shaking. */
const MOST_GZIPPED_BYTES = 64 * 1024;

const folder = mkdtempSync(join(tmpdir(), "frazil-bundle-"));
const io = createMemoryStorage();
let server: Server;
let origin: string;
beforeAll(async () => {
  server = await serve(io);
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A web server of a store's objects that honours ranges. */
async function serve(store: FileIO): Promise<Server> {
  const http = createServer((request, response) => {
    const location = decodeURIComponent((request.url ?? "").slice(1));
    store.read(location).then(
      (bytes) => {
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
        response.writeHead(range === null ? 200 : 206);
        response.end(range === null ? bytes : bytes.subarray(Number(range[1]), Number(range[2]) + 1));
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return http;
}

/** The README's example for browsers as one script, and the modules that went into it. */
async function bundle(): Promise<{ code: string; modules: readonly string[]; imports: readonly string[] }> {
  const readme = readFileSync(new URL("../../../table-format/README.md", import.meta.url), "utf8");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? "");
  const entry = join(folder, "example.ts");
  writeFileSync(entry, examples.find((code) => code.includes("await fetch(")) ?? "");
  const library = fileURLToPath(new URL("../../../table-format/index.ts", import.meta.url));
  const build = await rolldown({
    input: entry,
    platform: "browser",
    resolve: { alias: { "frazil/table-format": library } },
    // What cannot be resolved for a browser, such as a module of Node, must not stay behind as an import.
    onLog: (level, log) => {
      if (level !== "debug") throw new Error(log.message);
    },
  });
  const { output } = await build.generate({ format: "iife", name: "example", minify: true });
  await build.close();
  const [chunk] = output;
  return { code: chunk.code, modules: chunk.moduleIds, imports: [...chunk.imports, ...chunk.dynamicImports] };
}

/** Runs a script where only the language is, and what the web adds that the library says it uses. */
function runInBrowserLike(code: string): Example {
  const context = createContext({ fetch, TextDecoder, TextEncoder });
  runInContext(code, context, { filename: "bundle.js" });
  expect(runInContext("typeof process + typeof Buffer + typeof require", context)).toBe("undefined".repeat(3));
  return runInContext("example", context) as Example;
}

/** Cells as text, as values of two realms are not alike to `toEqual`. */
function textOf(rows: readonly (readonly (Cell | null)[])[]): string[] {
  return rows.map((row) => JSON.stringify(row, (_, cell: unknown) => (typeof cell === "bigint" ? `${cell}n` : cell)));
}

it("reads tables in a bundle that knows nothing of Node", async () => {
  let uuids = 0;
  const uuid = () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`;
  const catalog = new MemoryCatalog("frazil", io, "mem://w", { nowMs: () => 1_795_000_000_000, uuid });
  const made = await TestTable.create(io, catalog, { formatVersion: 3 });
  const row = (id: number) => ({ id: BigInt(id) + 2n ** 60n, name: id % 5 === 0 ? null : `ünï ${id % 40}`, day: id });
  await made.change({ insert: Array.from({ length: 3000 }, (_, id) => row(id)) });
  await made.change({ delete: [5n + 2n ** 60n, 77n + 2n ** 60n], insert: [row(9000)] });
  const { metadata } = made;

  const { code, modules, imports } = await bundle();
  expect(imports).toEqual([]);
  expect(modules.filter((id) => id.startsWith("node:") || !id.startsWith("/"))).toEqual([]);
  expect(code).not.toMatch(/\bnode:|\brequire\(/);
  const gzipped = gzipSync(code).length;
  console.log(`the bundle for reading: ${code.length} bytes minified, ${gzipped} gzipped, ${modules.length} modules`);
  expect(gzipped).toBeLessThan(MOST_GZIPPED_BYTES);

  const page = runInBrowserLike(code);
  const store = page.httpStore((location) => origin + encodeURIComponent(location));
  const expected: (Cell | null)[][] = [];
  for await (const { length, columns } of scanRows(io, metadata, made.snapshot)) {
    for (let at = 0; at < length; at++) expected.push(columns.map((column) => cellAt(column, at)));
  }
  expect(expected).toHaveLength(2999);
  // Plain and compressed metadata: the end of the name says which.
  const gz = "mem://w/copy.gz.metadata.json";
  await io.write(gz, gzipSync(tableMetadataBytes(metadata)));
  for (const location of [made.table.metadataLocation, gz]) {
    const opened = await page.openTable(store, location);
    expect(textOf(await page.readRows(store, opened))).toEqual(textOf(expected));
    expect({ ...(await page.lastChange(store, opened)) }).toEqual({ inserted: 1, deleted: 2 });
  }
});
