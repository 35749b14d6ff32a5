import { columnNames } from "../schema/schema.ts";
import type { Schema } from "../schema/types.ts";

/** What a manifest entry says of a column besides its size: nothing, counts, or counts and bounds of at most so many code points or bytes. */
export type MetricsMode = "none" | "counts" | { readonly truncate: number };

/** `truncate(16)`, the mode that all engines default to. */
const DEFAULT: MetricsMode = { truncate: 16 };
const DEFAULT_MODE = "write.metadata.metrics.default";
const MAX_INFERRED = "write.metadata.metrics.max-inferred-column-defaults";
/** What stands before the name of a column in the property that is its mode. */
export const COLUMN_MODE = "write.metadata.metrics.column.";
/** Of the columns, in their order, that have metrics where no property says so. */
const DEFAULT_MAX_INFERRED = 100;

/**
 * The metrics modes of a table's columns, by its properties `write.metadata.metrics.*` (Java's `MetricsConfig`). As there, what is
 * malformed counts as missing. Identifier fields have bounds whatever the default, for keys are looked up by them; a mode of their own
 * counts.
 * @returns the mode of a leaf column, by its field id and its place among the leaves
 */
export function metricsModes(
  schema: Schema,
  properties: ReadonlyMap<string, string> = new Map(),
): (fieldId: number, place: number) => MetricsMode {
  const given = parseMode(properties.get(DEFAULT_MODE));
  const limit = properties.get(MAX_INFERRED)?.trim() ?? "";
  const measured = /^\d{1,9}$/.test(limit) ? Number(limit) : DEFAULT_MAX_INFERRED;
  const identifiers = new Set(schema.identifierFieldIds);
  const own = new Map<number, MetricsMode>();
  const ids = new Map([...columnNames(schema)].map(([id, name]) => [name, id]));
  for (const [key, text] of properties) {
    const id = key.startsWith(COLUMN_MODE) ? ids.get(key.slice(COLUMN_MODE.length)) : undefined;
    const mode = id === undefined ? null : parseMode(text);
    if (id !== undefined && mode !== null) own.set(id, mode);
  }
  return (fieldId, place) => {
    const mode = own.get(fieldId);
    if (mode !== undefined) return mode;
    const inferred = given ?? (place < measured ? DEFAULT : "none");
    return identifiers.has(fieldId) && typeof inferred === "string" ? DEFAULT : inferred;
  };
}

/** `none`, `counts`, `full`, `truncate(n)`, in any case; null for anything else. */
function parseMode(text: string | undefined): MetricsMode | null {
  const [mode, length] = /^(none|counts|full|truncate\((\d{1,9})\))$/i.exec(text?.trim() ?? "")?.slice(1) ?? [];
  if (mode === undefined) return null;
  if (length !== undefined) return Number(length) > 0 ? { truncate: Number(length) } : null;
  const kind = mode.toLowerCase();
  return kind === "full" ? { truncate: Infinity } : (kind as "none" | "counts");
}
