import {
  type Cell,
  type CellStruct,
  cellAt,
  type Expression,
  type FileIO,
  type NestedField,
  scanRows,
  type Schema,
  type Snapshot,
  snapshotSchema,
  type TableMetadata,
  type Type,
} from "../../table-format/index.ts";
import { canonicalLines, canonicalNumber, type CanonicalRow, type CanonicalValue } from "../readers/canonical.ts";

/** The live rows of a snapshot, or those that a filter in the names of a schema wants, as the readers of `test/readers` give them: canonical JSON lines, sorted. */
export async function scanLines(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  fields: readonly NestedField[],
  filter: Expression = { type: "true" },
  schema: Schema = snapshotSchema(metadata, snapshot),
): Promise<string[]> {
  const rows: CanonicalRow[] = [];
  for await (const { length, columns } of scanRows(io, metadata, snapshot, { schema, fields, filter })) {
    for (let row = 0; row < length; row++) {
      rows.push(
        Object.fromEntries(
          columns.map((column, k) => {
            const field = fields[k] as NestedField;
            return [field.name, canonicalCell(field.type, cellAt(column, row))];
          }),
        ),
      );
    }
  }
  return canonicalLines(
    fields.map(({ name }) => name),
    rows,
  );
}

/** A cell in the form that `canonical.py` gives. */
export function canonicalCell(type: Type, cell: Cell | null): CanonicalValue {
  if (cell === null) return null;
  switch (type.kind) {
    case "struct":
      return Object.fromEntries(
        type.fields.map(({ name, type: part }) => [name, canonicalCell(part, (cell as CellStruct)[name] ?? null)]),
      );
    case "list":
      return (cell as readonly (Cell | null)[]).map((item) => canonicalCell(type.element, item));
    case "map": {
      const pairs = (cell as readonly (readonly [Cell, Cell | null])[]).map(([key, value]) => [
        canonicalCell(type.key, key),
        canonicalCell(type.value, value),
      ]);
      return pairs.sort((a, b) => Buffer.compare(Buffer.from(JSON.stringify(a)), Buffer.from(JSON.stringify(b))));
    }
    case "long":
      return (cell as bigint).toString();
    case "float":
    case "double":
      return canonicalNumber(cell as number);
    case "decimal":
      return decimalText(cell as bigint, type.scale);
    case "date":
      return dayText(BigInt(cell as number));
    case "time":
      return clockText(cell as bigint, 6);
    case "timestamp":
    case "timestamptz":
      return instantText(cell as bigint, 6) + (type.kind === "timestamptz" ? "+00:00" : "");
    case "timestamp_ns":
    case "timestamptz_ns":
      return instantText(cell as bigint, 9) + (type.kind === "timestamptz_ns" ? "+00:00" : "");
    case "uuid":
      return Buffer.from(cell as Uint8Array)
        .toString("hex")
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    case "fixed":
    case "binary":
      return Buffer.from(cell as Uint8Array).toString("hex");
    default:
      return cell as CanonicalValue;
  }
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function dayText(day: bigint): string {
  return new Date(Number(day) * 86_400_000).toISOString().slice(0, 10);
}

function clockText(ticks: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const seconds = Number(ticks / scale);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const fraction = String(ticks % scale).padStart(digits, "0");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}

function instantText(ticks: bigint, digits: number): string {
  const perDay = 86_400n * 10n ** BigInt(digits);
  const ofDay = ((ticks % perDay) + perDay) % perDay;
  return `${dayText((ticks - ofDay) / perDay)}T${clockText(ofDay, digits)}`;
}
