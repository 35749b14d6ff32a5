import { identText } from "../../table-format/index.ts";
import type { WarehouseInput } from "../config/job-schema.ts";
import { parseWarehouse } from "../config/load.ts";
import { FrazilError } from "../core/errors.ts";
import type { Log } from "../core/runtime.ts";
import { consistentCut } from "../pipeline/consistent-cut.ts";
import { type Cut, notInCut } from "../query/as-of.ts";
import { openQuery } from "../query/query.ts";
import type { QueryWarehouse } from "../query/query-warehouse.ts";
import { listTables, namedTable } from "../query/table-names.ts";
import { systemEnvironment } from "../system.ts";
import { openWarehouse as openStore } from "../warehouse.ts";
import { machineRuntime } from "./machine.ts";
import { type Row, rowOf } from "./row.ts";
import { type SqlValue, sqlParameter } from "./sql-value.ts";
import { type TableReader, tableReader, type TableView } from "./table-reader.ts";

/** Tables to read. Disposing of it ends the iterations of `changes` that are under way. */
export interface WarehouseReader extends AsyncDisposable {
  /** The folder or `s3://` address, absolute. */
  readonly location: string;
  /** The names of all tables, in order. */
  tables(): Promise<string[]>;
  /** A table as it is now, by `namespace.table`. @throws FrazilError `not-found`, code `TABLE_NOT_FOUND`, with the nearest name. */
  table(name: string): Promise<TableReader>;
  /**
   * Runs one SQL statement of DuckDB over the tables as they are now, and gives all its rows. What stands in `${…}` is bound as a
   * parameter, never put into the text: it can be a value, not a name. `R` is for the compiler alone: nothing checks it.
   *
   * @throws FrazilError `config`, code `SQL_ERROR`; `data`, code `QUERY_FAILED`; `not-found`, code `TABLE_NOT_FOUND`.
   */
  query: Query;
  /**
   * All tables of a job as one checkpoint left them: what was committed together is seen together, or not at all.
   *
   * @param pipeline the `name:` of the job
   * @throws FrazilError `not-found`, code `PIPELINE_NOT_FOUND`; `unavailable`, code `NO_CUT`, while there is no such state.
   */
  consistent(pipeline: string): Promise<ConsistentReader>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The tables of a job at one checkpoint: whenever they are read, they are the same. */
export interface ConsistentReader {
  readonly checkpoint: bigint;
  /** The names of its tables, in order. */
  readonly tables: readonly string[];
  /** A table at the checkpoint. @throws FrazilError `config`, code `NOT_IN_CUT`; `not-found` when it has expired. */
  table(name: string): Promise<TableView>;
  /** As `WarehouseReader.query`, over these tables alone. */
  query: Query;
}

/** See `WarehouseReader.query`. */
type Query = <R extends Row = Row>(text: TemplateStringsArray, ...values: readonly SqlValue[]) => Promise<R[]>;

/**
 * Opens a warehouse for reading. All that is written to it, where it can be, is which snapshots are being read. A text is short for `{ location }`; credentials that are not given are
 * found as the AWS tools find them.
 *
 * @throws FrazilError `config`, code `WAREHOUSE_INVALID`; `not-found`, code `WAREHOUSE_NOT_FOUND`.
 */
export async function openWarehouse(
  at: string | WarehouseInput,
  options: { readonly log?: Log | undefined } = {},
): Promise<WarehouseReader> {
  const settings = parseWarehouse(typeof at === "string" ? { location: at } : at, systemEnvironment);
  const warehouse = await openStore(settings, machineRuntime(options.log), "read");
  const { catalog, location } = warehouse;
  const closing = new AbortController();
  const reader: WarehouseReader = {
    location,
    async tables() {
      return (await listTables(catalog)).map(identText);
    },
    async table(name) {
      return tableReader(warehouse, await namedTable(warehouse, name), closing.signal);
    },
    query: queryOver(warehouse, null),
    async consistent(pipeline) {
      const cut = await consistentCut({ ...warehouse, warehouseLocation: location, pipeline });
      return {
        checkpoint: cut.checkpoint,
        tables: [...cut.tables.keys()].sort(),
        async table(name) {
          const table = await reader.table(name);
          const id = cut.tables.get(name);
          if (id === undefined) throw notInCut(name, cut.tables);
          return table.asOf(id);
        },
        query: queryOver(warehouse, cut.tables),
      };
    },
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      closing.abort();
      await catalog.close();
    },
  };
  return reader;
}

function queryOver(warehouse: QueryWarehouse, cut: Cut | null): Query {
  return async <R extends Row = Row>(text: TemplateStringsArray, ...values: readonly SqlValue[]) => {
    if (!Array.isArray(text) || !("raw" in text)) {
      throw new FrazilError("config", "BAD_QUERY", "query is a tag, not a function of a text", {
        hint: "write query`SELECT … WHERE id = ${id}`, without parentheses",
      });
    }
    const sql = text.reduce((before, part, index) => `${before}$${index}${part}`);
    const parameters = values.map((value, index) => sqlParameter(value, index + 1));
    const result = await openQuery(warehouse, sql, cut, parameters);
    try {
      const rows: R[] = [];
      for await (const chunk of result.chunks()) {
        for (const row of chunk) rows.push(rowOf(result.names, row) as R);
      }
      return rows;
    } finally {
      await result.close();
    }
  };
}
