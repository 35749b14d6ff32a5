import { dirname, join, resolve } from "node:path";
import { CATALOG_PROBES, probeTransactions } from "../../catalogs/rest-probes.ts";
import type { TriedCatalog } from "../../catalogs/rest-trial.ts";
import { probeSqlite } from "../../catalogs/sqlite-probe.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { shownThrough } from "../../commit/branch-view.ts";
import { readPipelineTag } from "../../commit/tracked-table.ts";
import { EXIT, exitCodeOf, FrazilError } from "../../core/errors.ts";
import { randomUuid } from "../../core/runtime.ts";
import type { Source } from "../../core/source.ts";
import { listTables } from "../../query/table-names.ts";
import type { AnyJob } from "../../registry.ts";
import { localPath } from "../../storage/local-path.ts";
import { probeConditionalWrites } from "../../storage/probe.ts";
import { STORE_PROBES, type StoreProbe } from "../../storage/store-probes.ts";
import { triedCatalog, type Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { type JobView, openIfThere, type Progress, progressOf, withJob, withSource } from "../job-view.ts";
import { sampleKeys, type SharedKey } from "../key-sample.ts";
import { jsonLine } from "../output.ts";
import { writableFolder } from "../writable-folder.ts";

/** One line of the list. */
interface Item {
  readonly check: string;
  readonly ok: boolean;
  /** It runs, most likely otherwise than meant. */
  readonly warning?: boolean;
  readonly message: string;
  readonly fix: string | null;
  readonly code: string | null;
  readonly exitCode: number;
}

/** `frazil check <job>`: tries everything that a run needs, and ends with the exit code of the worst. Leaves nothing behind. */
export async function check(context: CliContext, path: string): Promise<void> {
  const job = readJob(context, path);
  const items: Item[] = [];
  const step = async (name: string, attempt: () => Promise<string>): Promise<boolean> => {
    const item = await tried(name, attempt);
    items.push(item);
    await print(context, item);
    return item.ok;
  };

  await step("job", async () => `${path} is valid`);
  const warehouse = await openIfThere(context, job);
  try {
    const catalog = await step("catalog", () => checkCatalog(job, warehouse));
    const store = catalog && (await step("warehouse", () => checkStore(context, job, warehouse)));
    if (store && warehouse !== null) {
      for (const probe of probesOf(job)) {
        await step(`store ${probe.name}`, () => probe.run({ io: warehouse.io, root: warehouse.location, ...context }));
      }
      const folder = sqliteFolder(job);
      if (folder !== null)
        await step("catalog locks", () => probeSqlite(join(folder, probeName(context)), process.execPath));
      for await (const item of restItems(context, job, warehouse)) {
        items.push(item);
        await print(context, item);
      }
    }
    const source = await step("source", () => reach(context, job));
    // What failed above would fail here once more.
    const reads =
      store && source && (await step("pipeline", () => withJob(context, job, (view) => holds(context, view))));
    if (reads && job.tables.some(({ mode }) => mode === "upsert")) {
      const item = await checkKeys(context, job, warehouse);
      items.push(item);
      await print(context, item);
    }
  } finally {
    await warehouse?.catalog.close();
  }
  process.exitCode = items.reduce<number>((worst, { exitCode }) => Math.max(worst, exitCode), EXIT.ok);
}

async function checkCatalog(job: AnyJob, warehouse: Warehouse | null): Promise<string> {
  const { catalog, location } = job.warehouse;
  if (warehouse === null) return `${catalog.type}: none yet; the first run makes it`;
  const { length } = await listTables(warehouse.catalog);
  return `${catalog.type} in ${location}: ${counted(length, "table")}`;
}

/** What a store of the job's kind is tried for, beyond what each start tries. */
function probesOf({ warehouse: { location } }: AnyJob): readonly StoreProbe[] {
  return STORE_PROBES.filter(({ remoteOnly }) => !remoteOnly || location.startsWith("s3://"));
}

/** Where the catalog's file lies; null for other catalogs. */
function sqliteFolder({ warehouse: { location, catalog } }: AnyJob): string | null {
  if (catalog.type !== "sqlite") return null;
  return catalog.path === null ? localPath(resolveLocation(location)) : dirname(resolve(catalog.path));
}

function resolveLocation(location: string): string {
  return location.startsWith("file:") ? location : resolve(location);
}

function probeName({ runtime }: CliContext): string {
  return `.frazil-probe-${randomUuid(runtime.random)}.sqlite`;
}

/** Writes, reads and removes an object; where the catalog rests on conditional writes, tries those. */
async function checkStore({ runtime }: CliContext, job: AnyJob, warehouse: Warehouse | null): Promise<string> {
  if (warehouse === null) {
    const folder = await writableFolder(job.warehouse.location);
    return `${job.warehouse.location} is created in ${folder}, which is writable`;
  }
  const { catalog, io, location } = warehouse;
  // What a catalog does not keep itself lies in the store, and its ledger is replaced there.
  if (!catalog.claims) {
    await probeConditionalWrites(io, location, runtime.random);
    return `${location} read, write, conditional writes (If-None-Match, If-Match) honoured`;
  }
  const target = `${location}/_frazil/probe/${randomUuid(runtime.random)}`;
  const bytes = new TextEncoder().encode("frazil check");
  await io.write(target, bytes);
  try {
    const found = await io.read(target);
    if (Buffer.compare(found, bytes) !== 0) {
      throw new FrazilError("io", "STORE_READ_BACK", `${location}: what was written is not what is read`);
    }
  } finally {
    await io.delete(target);
  }
  return `${location} read, write`;
}

/** Tries a REST catalog in namespaces of its own: its commits are not this project's. Empty for other catalogs. */
async function* restItems({ runtime }: CliContext, job: AnyJob, warehouse: Warehouse): AsyncGenerator<Item> {
  const catalog = triedCatalog(warehouse, job.warehouse, runtime);
  if (catalog === null) return;
  for (const probe of CATALOG_PROBES) {
    const notes: string[] = [];
    const item = await tried(`catalog ${probe.name}`, async () => {
      const { found, note } = await probe.run(catalog);
      if (note !== null) notes.push(note);
      return found ?? "not tried";
    });
    const [note] = notes;
    if (item.ok && note !== undefined) yield { ...item, warning: true, message: `${item.message}: ${note}` };
    // The tables that there are do not suffer from it.
    else if (!item.ok && probe.onlyNewTables) yield { ...item, ok: true, warning: true, exitCode: EXIT.ok };
    else yield item;
  }
  yield await tried("catalog transactions", () => tryTransactions(catalog));
}

/** For those who commit several tables at once by the library: no job rests on it, so that it is no fault. */
async function tryTransactions(catalog: TriedCatalog): Promise<string> {
  try {
    const end = await probeTransactions(catalog);
    if (end === null) return "none are offered; jobs commit table by table";
    return end.found ?? `not tried: ${end.note}`;
  } catch (error) {
    if (!(error instanceof FrazilError) || error.code !== "CATALOG_TRANSACTIONS") throw error;
    return `offered, and torn by others (${error.message}); jobs commit table by table, so this harms none`;
  }
}

async function reach(context: CliContext, job: AnyJob): Promise<string> {
  return withSource(context, job, { warehouse: null }, async ({ source }) => {
    const splits = [...(await source.endPosition()).keys()];
    const streams = new Set(splits.map((split) => split.slice(0, split.lastIndexOf("/"))));
    const where = job.source.type === "kafka" ? `${job.source.brokers.join(", ")} reachable: ` : "";
    const names = [...streams].slice(0, 5).join(", ");
    const more = streams.size > 5 ? ` and ${streams.size - 5} more` : "";
    return `${job.source.type}  ${where}${counted(splits.length, "split")} of ${names === "" ? "no stream yet" : names}${more}`;
  });
}

/** The tags, and what the source says to them: positions that are no longer held and messages that cannot be decoded show at the first read. */
async function holds(context: CliContext, view: JobView): Promise<string> {
  const { job, warehouse, state } = view;
  for (const { loaded, name } of state.tables) {
    const onMain = job.branch === null || name === job.deadLetter?.table;
    readPipelineTag(onMain ? loaded : shownThrough(loaded, job.branch), job.name);
  }
  return withSource(context, job, { warehouse }, async ({ source }) => {
    const progress = await progressOf(view, source);
    const changes = await firstChanges(source, progress);
    const lag = progress.totalLag;
    const at = state.tables.length === 0 ? "starts" : `resumes ${counted(state.tables.length, "table")}`;
    return `${job.name} ${at}; ${lag === null ? "?" : grouped(lag)} to read, the first ${counted(changes, "change")} ${changes === 1 ? "decodes" : "decode"}`;
  });
}

async function firstChanges(source: Source, { from }: Progress): Promise<number> {
  const stop = new AbortController();
  try {
    for await (const { changes } of source.read(from, stop.signal)) {
      return changes.reduce((sum, batch) => sum + batch.length, 0);
    }
    return 0;
  } finally {
    stop.abort();
  }
}

/** Samples the source for keys that lie in two of its splits; a warning, because the tables are whole all the same. */
async function checkKeys(context: CliContext, job: AnyJob, warehouse: Warehouse | null): Promise<Item> {
  const found: SharedKey[] = [];
  const item = await tried("keys", () =>
    withSource(context, job, { warehouse, onReject: () => {} }, async ({ source, router }) => {
      const { changes, shared } = await sampleKeys(source, router, context.runtime.clock);
      if (shared !== null) found.push(shared);
      return `each key of ${counted(changes, "change")} lies in one split`;
    }),
  );
  const [shared] = found;
  if (shared === undefined) return item;
  const [a, b] = shared.splits;
  return {
    ...item,
    warning: true,
    message: `${shared.target}: the key ${shared.key} is in ${a} and in ${b}: in which order its changes are taken is not defined`,
    fix: "have the producer send all changes of a key to one topic partition, keyed by it, or name more columns in key:",
    code: "KEY_IN_TWO_SPLITS",
  };
}

async function tried(name: string, attempt: () => Promise<string>): Promise<Item> {
  try {
    return { check: name, ok: true, message: await attempt(), fix: null, code: null, exitCode: EXIT.ok };
  } catch (error) {
    if (!(error instanceof FrazilError) || error.kind === "internal") throw error;
    const { message, hint = null, code } = error;
    return { check: name, ok: false, message, fix: hint, code, exitCode: exitCodeOf(error) };
  }
}

async function print(
  { output }: CliContext,
  { check: name, ok, warning = false, message, fix, code }: Item,
): Promise<void> {
  if (output.json) {
    await output.write(jsonLine({ check: name, ok, ...(warning ? { warning } : {}), message, fix, code }));
    return;
  }
  const suffix = code === null ? "" : `${fix === null ? "" : `   fix: ${fix}`}   [${code}]`;
  await output.write(`${warning ? "!" : ok ? "✓" : "✗"} ${name.padEnd(24)}  ${message}${suffix}\n`);
}
