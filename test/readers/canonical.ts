import { createHash } from "node:crypto";

/** A value as the readers give it; `canonical.py` says which type becomes what. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | readonly CanonicalValue[]
  | { readonly [field: string]: CanonicalValue };

/** A row by column name. */
export type CanonicalRow = { readonly [column: string]: CanonicalValue };

/** The rows as JSON lines sorted by their bytes, for expected rows that are to equal a reader's. */
export function canonicalLines(columns: readonly string[], rows: Iterable<CanonicalRow>): string[] {
  const lines: Buffer[] = [];
  for (const row of rows) lines.push(Buffer.from(JSON.stringify(columns.map((column) => row[column] ?? null))));
  return lines.sort(Buffer.compare).map((line) => line.toString("utf8"));
}

/** The rows of canonical lines, in the lines' order. */
export function rowsOf(columns: readonly string[], lines: readonly string[]): CanonicalRow[] {
  return lines.map((line) => {
    const values = JSON.parse(line) as CanonicalValue[];
    return Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]));
  });
}

/** SHA-256 of canonical lines, hex: what a reader answers as `digest`. */
export function digestOf(lines: Iterable<string>): string {
  const hash = createHash("sha256");
  for (const line of lines) hash.update(line).update("\n");
  return hash.digest("hex");
}

/** A float or double in canonical form. */
export function canonicalNumber(value: number): CanonicalValue {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}
