import { gatherColumn, type SourceNumbers } from "../arrow/gather.ts";
import type { Column } from "../arrow/column.ts";
import { isPrimitive } from "../schema/type-json.ts";
import type { Type } from "../schema/types.ts";
import type { AnyColumn } from "./cell.ts";

/**
 * A column of any type made of picked rows, as `gatherColumn` makes one of a primitive type. Values of structs, lists and maps are shared
 * with the sources.
 * @param sources all of the type
 * @throws FrazilError as `gatherColumn`
 */
export function gatherAny(
  type: Type,
  sources: readonly AnyColumn[],
  sourceOf: SourceNumbers,
  rows: Uint32Array,
): AnyColumn {
  if (isPrimitive(type)) return gatherColumn(type, sources as readonly Column[], sourceOf, rows);
  const values = Array.from(rows, (row, i) => {
    const source = sources[sourceOf[i] as number];
    return source?.layout === "cells" ? (source.values[row] ?? null) : null;
  });
  return { layout: "cells", type, length: rows.length, values };
}
