/** `npx node test/services/probe-catalogs.ts`: tries REST catalogs for all that commits rest on, and writes the table in docs/catalogs.md (then `npx oxfmt` it). */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CATALOG_PROBES, probeCatalogAtStart, probeTransactions } from "../../src/catalogs/rest-probes.ts";
import type { TriedCatalog } from "../../src/catalogs/rest-trial.ts";
import { createRuntime } from "../../src/cli/runtime.ts";
import { FrazilError } from "../../src/core/errors.ts";
import { httpFetch } from "../../src/storage/http-fetch.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createS3Storage } from "../../src/storage/s3.ts";
import { type FileIO, RestCatalog, type RestCatalogOptions, type RestFetch } from "../../table-format/index.ts";
import { startIcebergRest } from "./iceberg-rest.ts";
import { startSeaweedfsRest } from "./seaweedfs-rest.ts";

const PAGE = fileURLToPath(new URL("../../docs/catalogs.md", import.meta.url));
const BEGIN = "<!-- written by test/services/probe-catalogs.ts -->\n";
const END = "<!-- end -->\n";

const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);

/** By probe: null where it holds, else what is wrong. */
type Results = ReadonlyMap<string, string | null>;

async function tryServer(
  name: string,
  io: FileIO,
  settings: Omit<RestCatalogOptions, "name" | "transactions">,
): Promise<readonly [string, Results]> {
  const context = {
    nowMs: () => runtime.clock.nowMs(),
    uuid: () => crypto.randomUUID(),
    sleep: (durationMs: number) => runtime.clock.sleep(durationMs),
  };
  const connect: TriedCatalog["connect"] = (around = (fetch: RestFetch) => fetch, transactions) =>
    new RestCatalog({ ...settings, name: "lake", transactions }, { ...context, fetch: around(httpFetch) });
  const catalog = { connect, io, runtime };
  const results = new Map<string, string | null>();
  const attempt = async (probe: string, run: () => Promise<{ found: string | null } | null>): Promise<void> => {
    try {
      const end = await run();
      results.set(probe, null);
      process.stderr.write(`✓ ${name} ${probe}: ${end?.found ?? "not offered"}\n`);
    } catch (error) {
      // A server that does not answer says nothing of what it promises.
      if (!(error instanceof FrazilError) || error.kind === "unavailable") throw error;
      results.set(probe, error.message);
      process.stderr.write(`✗ ${name} ${probe}: ${error.message}\n`);
    }
  };
  for (const probe of CATALOG_PROBES) await attempt(probe.name, () => probe.run(catalog));
  await attempt("transactions", () => probeTransactions(catalog));
  await attempt("each start", () => probeCatalogAtStart(catalog));
  return [name, results];
}

async function tryJava(): Promise<readonly [string, Results]> {
  await using server = await startIcebergRest();
  const { uri, warehouse } = server;
  return await tryServer("Apache Iceberg 1.11.0's own", createLocalStorage(), { uri, warehouseLocation: warehouse });
}

async function trySeaweedfs(): Promise<readonly [string, Results]> {
  await using server = await startSeaweedfsRest();
  const { uri, warehouse, credential, endpoint, region, accessKeyId, secretAccessKey } = server;
  const io = createS3Storage({ endpoint, region, accessKeyId, secretAccessKey, pathStyle: true }, runtime);
  return await tryServer("SeaweedFS 4.48", io, { uri, warehouse, credential, warehouseLocation: warehouse });
}

function table(servers: readonly (readonly [string, Results])[]): string {
  const promises = [
    ...CATALOG_PROBES.map(({ name, promise }) => [name, promise] as const),
    ["transactions", "a commit over several tables is all or nothing; no job rests on it"] as const,
    ["each start", "what each start tries"] as const,
  ];
  const cell = (results: Results, probe: string): string => (results.get(probe) === null ? "yes" : "**no**");
  const rows = promises.map(
    ([name, promise]) =>
      `| \`${name}\` | ${promise} | ${servers.map(([, results]) => cell(results, name)).join(" | ")} |`,
  );
  const notes = servers.flatMap(([server, results]) =>
    [...results].flatMap(([probe, found]) => (found === null ? [] : [`- **${server}**, \`${probe}\`: ${found}`])),
  );
  return `| Probe | The catalog promises that | ${servers.map(([name]) => name).join(" | ")} |
| --- | --- | ${servers.map(() => "---").join(" | ")} |
${rows.join("\n")}
${notes.length === 0 ? "" : `\n${notes.join("\n")}\n`}`;
}

const text = readFileSync(PAGE, "utf8");
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`expected ${BEGIN.trim()} and ${END.trim()} in ${PAGE}`);
const written = table([await tryJava(), await trySeaweedfs()]);
writeFileSync(PAGE, `${text.slice(0, begin + BEGIN.length)}\n${written}\n${text.slice(end)}`);
process.exit(0);
