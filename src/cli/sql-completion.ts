import type { Catalog } from "../../table-format/index.ts";
import { currentSchema } from "../../table-format/index.ts";
import { quoteName } from "../query/duckdb-types.ts";
import { listTables } from "../query/table-names.ts";

/** Words that stand in statements that read. */
const KEYWORDS =
  "ALL AND ANTI AS ASC ASOF BETWEEN BY CASE CAST COALESCE COUNT CROSS CUBE DESC DESCRIBE DISTINCT ELSE END EXCEPT EXCLUDE EXISTS EXPLAIN FALSE FILTER FROM FULL GROUP GROUPING HAVING ILIKE IN INNER INTERSECT INTERVAL IS JOIN LEFT LIKE LIMIT MAX MIN NOT NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PIVOT QUALIFY RECURSIVE REPLACE RIGHT ROLLUP SELECT SEMI SETS SUM SUMMARIZE THEN TRUE UNION UNPIVOT USING VALUES WHEN WHERE WINDOW WITH".split(
    " ",
  );

/** What can be said besides SQL. */
export const DOT_COMMANDS = [".as-of", ".exit", ".help", ".tables"] as const;

/** Names that a prompt can complete. */
export interface Names {
  /** `shop.orders`. */
  readonly tables: readonly string[];
  readonly columns: readonly string[];
}

/** The names of a catalog's tables and their columns, quoted where SQL wants it. */
export async function namesOf(catalog: Catalog): Promise<Names> {
  const tables: string[] = [];
  const columns = new Set<string>();
  for (const ident of await listTables(catalog)) {
    const loaded = await catalog.loadTable(ident);
    if (loaded === null) continue;
    tables.push([ident.namespace.join("."), ident.name].map(asWritten).join("."));
    for (const field of currentSchema(loaded.metadata).fields) columns.add(asWritten(field.name));
  }
  return { tables, columns: [...columns].sort() };
}

function asWritten(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.includes(name.toUpperCase()) ? name : quoteName(name);
}

/**
 * What the last word of a line may become: tables behind FROM and JOIN, columns and keywords elsewhere; a keyword takes the case that
 * was begun with.
 *
 * @returns The candidates, and the word that they stand for, as Node's readline wants them.
 */
export function complete(line: string, names: Names): [string[], string] {
  if (line.startsWith(".")) return [DOT_COMMANDS.filter((command) => command.startsWith(line)), line];
  const word = /[\w."]*$/.exec(line)?.[0] ?? "";
  const before = line.slice(0, line.length - word.length);
  const begins = (candidate: string): boolean =>
    candidate.toLowerCase().replaceAll('"', "").startsWith(word.toLowerCase().replaceAll('"', ""));
  const tables = names.tables.filter(begins);
  if (
    /\b(from|join|describe|summarize)\s+$/i.test(before) ||
    (/,\s*$/.test(before) && /\bfrom\b[^()]*$/i.test(before))
  ) {
    return [tables, word];
  }
  if (word === "") return [[], word];
  const lower = word === word.toLowerCase();
  const keywords = KEYWORDS.filter(begins).map((keyword) => (lower ? keyword.toLowerCase() : keyword));
  return [[...new Set([...names.columns.filter(begins), ...tables, ...keywords])], word];
}
