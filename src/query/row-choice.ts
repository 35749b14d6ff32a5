import { FrazilError, identText, type NestedField, type PlannedFile } from "../../table-format/index.ts";
import { nearest } from "../config/suggest.ts";
import type { TableAt } from "./as-of.ts";
import type { Duckdb } from "./duckdb.ts";
import { selectRows, tableNames } from "./table-sql.ts";

/** One of several parts that together hold every row once. */
export interface Part {
  /** From 0. */
  readonly index: number;
  readonly of: number;
}

/** Which columns and rows of a table are read. */
export interface RowChoice {
  /** In this order; null: all. */
  readonly columns: readonly string[] | null;
  /** A condition of DuckDB's SQL over the table's columns; null: every row. */
  readonly where: string | null;
  /** Null: all of them. */
  readonly part: Part | null;
}

/** The choice of everything. */
export const ALL_ROWS: RowChoice = { columns: null, where: null, part: null };

/** A choice of what was given. @throws FrazilError `config`, code `BAD_PART`. */
export function rowChoice(given: {
  readonly columns?: readonly string[] | undefined;
  readonly where?: string | undefined;
  readonly part?: Part | undefined;
}): RowChoice {
  const { columns = null, where = null, part = null } = given;
  const isPart = (each: Part): boolean =>
    Number.isSafeInteger(each.index) && Number.isSafeInteger(each.of) && each.index >= 0 && each.index < each.of;
  if (part !== null && !isPart(part)) {
    throw new FrazilError(
      "config",
      "BAD_PART",
      `expected a part from 0 to one less than all, found ${part.index} of ${part.of}`,
    );
  }
  return { columns, where, part };
}

/** The columns that were chosen. @throws FrazilError `config`, code `COLUMN_NOT_FOUND`, with the nearest name. */
export function chosenFields({ table, schema }: TableAt, { columns }: RowChoice): readonly NestedField[] {
  if (columns === null) return schema.fields;
  if (columns.length === 0) throw new FrazilError("config", "COLUMN_NOT_FOUND", "columns: expected at least one");
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  return columns.map((name) => {
    const field = byName.get(name);
    if (field !== undefined) return field;
    const near = nearest(name, [...byName.keys()]);
    throw new FrazilError("config", "COLUMN_NOT_FOUND", `${identText(table.ident)} has no column ${name}`, {
      hint: near === null ? `columns: ${[...byName.keys()].join(", ")}` : `did you mean ${near}?`,
    });
  });
}

/** What stands behind a SELECT of the table's columns by their names; empty for every row. */
export function whereClause({ where }: RowChoice): string {
  // A line of its own: the condition may end in a comment.
  return where === null ? "" : `WHERE (\n${where}\n)`;
}

/** Tries the condition on no rows at all. @throws FrazilError `config`, code `SQL_ERROR`. */
export async function checkCondition(duckdb: Duckdb, at: TableAt, choice: RowChoice): Promise<void> {
  if (choice.where === null) return;
  const { chunks } = await duckdb.query(`SELECT 1 FROM (${selectRows(at, [], tableNames(at))}) ${whereClause(choice)}`);
  for await (const _rows of chunks());
}

/** The files of a part: the same for whoever asks with the same list, and about as many bytes for each part. */
export function filesInPart(files: readonly PlannedFile[], { index, of }: Part): PlannedFile[] {
  const ordered = files.toSorted(({ file: a }, { file: b }) => {
    if (a.fileSizeBytes !== b.fileSizeBytes) return a.fileSizeBytes > b.fileSizeBytes ? -1 : 1;
    return a.filePath < b.filePath ? -1 : 1;
  });
  const loads = Array.from({ length: of }, () => 0n);
  const mine: PlannedFile[] = [];
  for (const each of ordered) {
    const least = loads.reduce((best, load, at) => (load < (loads[best] as bigint) ? at : best), 0);
    loads[least] = (loads[least] as bigint) + each.file.fileSizeBytes;
    if (least === index) mine.push(each);
  }
  return mine;
}
