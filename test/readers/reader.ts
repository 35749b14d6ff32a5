import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { spawnOwned } from "../services/owned-process.ts";
import { progressOnStderr } from "../services/progress.ts";
import { type CanonicalRow, rowsOf } from "./canonical.ts";
import { installReaders } from "./install.ts";

/** A table by its place, with no catalog: its folder (read through `metadata/version-hint.text`) or a metadata file. */
export type LocatedTable = { readonly location: string };

/** A table in an SQLite catalog. */
export type SqliteTable = {
  /** The catalog's file, an absolute path. */
  readonly sqlite: string;
  /** `namespace.table` */
  readonly table: string;
  /** The `catalog_name` in the file; `frazil` by default. */
  readonly catalog?: string;
};

/** How to reach a store; `RunningS3` of `services/` has these fields. */
export type S3Location = {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

export type ReadOptions = {
  readonly snapshotId?: bigint;
  readonly s3?: S3Location;
  readonly columns?: readonly string[];
  /** False gives only count and digest: for tables whose rows are too many to carry over. */
  readonly rows?: boolean;
};

export type TableContents = {
  /** Types in Iceberg's words. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly count: number;
  /** `digestOf` the canonical lines: equal digests are equal rows. */
  readonly digest: string;
  /** The rows in canonical order; empty when `rows: false` was asked. */
  readonly rows: readonly CanonicalRow[];
  /** The same as canonical JSON lines. */
  readonly lines: readonly string[];
};

/** What PyIceberg says of a table's metadata; 64-bit ids are text. */
export type TableDescription = {
  readonly formatVersion: number;
  readonly location: string;
  readonly currentSnapshotId: string | null;
  readonly properties: Readonly<Record<string, string>>;
  readonly identifierFieldIds: readonly number[];
  readonly columns: readonly {
    readonly id: number;
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
  }[];
  /** Snapshot id by branch or tag. */
  readonly refs: Readonly<Record<string, string>>;
  readonly snapshots: readonly {
    readonly snapshotId: string;
    readonly parentSnapshotId: string | null;
    readonly sequenceNumber: string | null;
    readonly operation: string | null;
    readonly summary: Readonly<Record<string, string>>;
  }[];
};

/** Two readers of Iceberg tables that share no code with this project, in one Python process. */
export interface Readers extends AsyncDisposable {
  pyiceberg(table: LocatedTable | SqliteTable, options?: ReadOptions): Promise<TableContents>;
  /** DuckDB has no SQLite catalog: for such a table it is given the metadata file that the catalog names. */
  duckdb(table: LocatedTable | SqliteTable, options?: ReadOptions): Promise<TableContents>;
  describe(table: LocatedTable | SqliteTable, options?: Pick<ReadOptions, "s3">): Promise<TableDescription>;
}

type Answer = { id: number; error?: string; lines?: string[]; columns: { name: string; type: string }[] };
type Pending = { resolve(answer: Answer): void; reject(error: Error): void };

/** Starts the readers (installing them on first use); a request that takes longer than `timeoutMs` ends them all. */
export async function openReaders(options: { readonly timeoutMs?: number } = {}): Promise<Readers> {
  const python = await installReaders(progressOnStderr);
  const script = fileURLToPath(new URL("read_table.py", import.meta.url));
  const child = spawnOwned(python, ["-u", script], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, TZ: "UTC", PYTHONDONTWRITEBYTECODE: "1", PYICEBERG_HOME: "/nonexistent" },
  });
  const ask = requests(child, options.timeoutMs ?? 120_000);

  async function contents(reader: string, table: object, read: ReadOptions): Promise<TableContents> {
    const { snapshotId, s3, columns, rows = true } = read;
    const answer = await ask({
      reader,
      table,
      rows,
      ...(snapshotId === undefined ? {} : { snapshotId: String(snapshotId) }),
      ...(s3 === undefined ? {} : { s3 }),
      ...(columns === undefined ? {} : { columns }),
    });
    const { lines = [], ...summary } = answer;
    const names = summary.columns.map((column) => column.name);
    return { ...(summary as unknown as Omit<TableContents, "lines" | "rows">), lines, rows: rowsOf(names, lines) };
  }

  return {
    pyiceberg: (table, read = {}) => contents("pyiceberg", pythonTable(table), read),
    duckdb: (table, read = {}) =>
      contents("duckdb", { location: "location" in table ? table.location : metadataFile(table) }, read),
    async describe(table, { s3 } = {}) {
      const answer = await ask({ reader: "describe", table: pythonTable(table), ...(s3 === undefined ? {} : { s3 }) });
      return answer as unknown as TableDescription;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => void child.once("exit", resolve));
      child.stdin?.end();
      await gone;
    },
  };
}

/** The child's side of the conversation: one line out, one line back, matched by id. */
function requests(child: ChildProcess, timeoutMs: number): (request: object) => Promise<Answer> {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("expected the readers' pipes, found none");
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let complaints = "";
  let failure: Error | null = null;

  stderr.on("data", (chunk: Buffer) => (complaints = (complaints + chunk.toString("utf8")).slice(-4000)));
  createInterface({ input: stdout }).on("line", (line) => {
    const answer = JSON.parse(line) as Answer;
    const waiting = pending.get(answer.id);
    pending.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(answer.error));
  });
  const fail = (error: Error) => {
    failure ??= error;
    for (const waiting of pending.values()) waiting.reject(failure);
    pending.clear();
  };
  child.once("error", fail);
  stdin.on("error", fail);
  child.once("close", (code, signal) => fail(new Error(`the readers ended (${code ?? signal}): ${complaints}`)));

  return async (request) => {
    if (failure !== null) throw failure;
    const id = nextId++;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        timer = setTimeout(() => {
          fail(new Error(`the readers gave no answer in ${timeoutMs} ms to ${JSON.stringify(request)}`));
          child.kill("SIGKILL");
        }, timeoutMs);
        pending.set(id, { resolve, reject });
        stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  };
}

function pythonTable(table: LocatedTable | SqliteTable): object {
  if ("location" in table) return table;
  return { uri: `sqlite:///${table.sqlite}`, catalog: table.catalog ?? "frazil", table: table.table };
}

/** The metadata file that an SQLite catalog names for a table. */
export function metadataFile(table: SqliteTable): string {
  using database = new DatabaseSync(table.sqlite, { readOnly: true });
  const dot = table.table.lastIndexOf(".");
  const found = database
    .prepare(
      "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
    )
    .get(table.catalog ?? "frazil", table.table.slice(0, dot), table.table.slice(dot + 1));
  if (found === undefined) throw new Error(`expected table ${table.table} in ${table.sqlite}, found none`);
  return String(found["metadata_location"]);
}
