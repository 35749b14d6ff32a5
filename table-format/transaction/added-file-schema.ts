import type { SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import type { FileNode } from "../parquet/file-columns.ts";
import { physicalAppender } from "../parquet/physical-reader.ts";
import { variantAssembler } from "../parquet/variant-reader.ts";
import { fieldById } from "../schema/schema.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Schema, Type } from "../schema/types.ts";
import type { ColumnSummary } from "./footer-metrics.ts";

/** What is known of a file that is to be added. */
export interface CheckedFile {
  readonly filePath: string;
  /** All its top-level columns. */
  readonly columns: readonly FileNode[];
  readonly summaries: ReadonlyMap<number, ColumnSummary>;
  /** Columns that the file may lack because its partition says them. */
  readonly fromPath: ReadonlySet<number>;
}

/**
 * Whether the table can read a file as it stands: the file has no column that the table lacks, none of another type, and all that the
 * table requires, without nulls.
 * @throws FrazilError kind `data`, code `FILE_SCHEMA`, naming the file, the column, and what was expected and found
 */
export function checkFileSchema(file: CheckedFile, schema: Schema): void {
  const byId = new Map<number, FileNode>();
  for (const node of file.columns) {
    const field = node.id === null ? undefined : schema.fields.find(({ id }) => id === node.id);
    if (field === undefined) {
      const other = node.id === null ? null : fieldById(schema, node.id);
      const why =
        other === null ? "which the table lacks" : `with field id ${node.id}, which is ${other.name} in the table`;
      throw wrong(file, `the table's columns, found ${node.name}, ${why}`, "add the column to the table first");
    }
    // A file with ids of its own may be of another table.
    if (node.element.field_id !== undefined && field.name !== node.name) {
      throw wrong(file, `column ${field.name} under field id ${field.id}, found ${node.name}`);
    }
    byId.set(field.id, node);
  }
  for (const field of schema.fields) {
    const node = byId.get(field.id);
    if (node === undefined) checkMissing(file, field);
    else checkNode(file, field.name, field.type, node);
    if (node !== undefined && field.required) checkNoNulls(file, field, node);
  }
}

function checkMissing(file: CheckedFile, { id, name, required, initialDefault }: NestedField): void {
  const hasDefault = initialDefault !== undefined && initialDefault !== null;
  if (!required || hasDefault || file.fromPath.has(id)) return;
  throw wrong(file, `column ${name}, which the table requires, found none`);
}

function checkNoNulls(file: CheckedFile, { id, name }: NestedField, node: FileNode): void {
  if (node.element.repetition_type === "REQUIRED") return;
  const nulls = file.summaries.get(id)?.nulls ?? null;
  if (nulls === 0n) return;
  const found = nulls === null ? "a column that may hold some" : `${nulls}`;
  throw wrong(file, `no nulls in column ${name}, which the table requires, found ${found}`);
}

function checkNode(file: CheckedFile, path: string, type: Type, node: FileNode): void {
  if (isPrimitive(type)) {
    if (node.kind === "leaf" && isStoredAs(type, node.element)) return;
    throw wrong(file, `column ${path} as ${typeText(type)}, found ${nodeText(node)}`);
  }
  if (type.kind === "variant" && node.kind === "struct") {
    return checkVariantNode(file, path, node);
  }
  if (type.kind === "struct" && node.kind === "struct") {
    const parts = new Map(node.children.map((child) => [child.id, child]));
    for (const field of type.fields) {
      const part = parts.get(field.id);
      if (part !== undefined) checkNode(file, `${path}.${field.name}`, field.type, part);
      else if (field.required) throw wrong(file, `column ${path}.${field.name}, which the table requires, found none`);
    }
    return;
  }
  if (type.kind === "list" && node.kind === "list" && node.item.id === type.elementId) {
    return checkNode(file, `${path}.element`, type.element, node.item);
  }
  if (type.kind === "map" && node.kind === "map" && node.key.id === type.keyId && node.value.id === type.valueId) {
    checkNode(file, `${path}.key`, type.key, node.key);
    return checkNode(file, `${path}.value`, type.value, node.value);
  }
  throw wrong(file, `column ${path} as ${typeText(type)}, found ${nodeText(node)}`);
}

/** Shredded in whatever way, as long as it can be read. */
function checkVariantNode(file: CheckedFile, path: string, node: FileNode): void {
  try {
    variantAssembler(path, node, []);
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    throw wrong(file, `column ${path} as variant: ${error.message}`);
  }
}

/** Whether the file says that it holds values of the type, not only bytes that could be taken for some. */
function isStoredAs(type: PrimitiveType, element: SchemaElement): boolean {
  try {
    physicalAppender(type, element);
  } catch (error) {
    if (error instanceof FrazilError) return false;
    throw error;
  }
  const logical = element.logical_type;
  const named = logical?.type ?? element.converted_type;
  switch (type.kind) {
    case "int":
    case "long":
      return named === undefined || isInteger(element);
    case "date":
      return named === "DATE";
    case "time":
      return named === "TIME" || named === "TIME_MILLIS" || named === "TIME_MICROS";
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return isInstant(type, element);
    case "decimal":
      return named === "DECIMAL" && (element.precision ?? 0) <= type.precision;
    case "string":
      return named === "STRING" || named === "UTF8" || named === "ENUM" || named === "JSON";
    case "uuid":
      return named === undefined || named === "UUID";
    case "binary":
    case "fixed":
      return named === undefined || named === "BSON";
    case "geometry":
    case "geography":
      return named === undefined || named === type.kind.toUpperCase();
    default:
      return true;
  }
}

/** Unsigned integers of 32 bits and more do not fit: they are read as signed ones. */
function isInteger({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  if (logical !== undefined) return logical.type === "INTEGER" && (logical.isSigned || logical.bitWidth < 32);
  return /^INT_(?:8|16|32|64)$/.test(converted ?? "") || converted === "UINT_8" || converted === "UINT_16";
}

/** Zone and precision as the table has them. INT96 says neither; the old annotations mean UTC (Parquet format, "Timestamp"). */
function isInstant({ kind }: PrimitiveType, element: SchemaElement): boolean {
  if (element.type === "INT96") return true;
  const { logical_type: logical, converted_type: converted } = element;
  const isUtc = logical?.type === "TIMESTAMP" ? logical.isAdjustedToUTC : true;
  const isTimestamp =
    logical === undefined ? (converted ?? "").startsWith("TIMESTAMP_MI") : logical.type === "TIMESTAMP";
  const isNanos = logical?.type === "TIMESTAMP" && logical.unit === "NANOS";
  return isTimestamp && isUtc === kind.startsWith("timestamptz") && (!isNanos || kind.endsWith("_ns"));
}

function nodeText(node: FileNode): string {
  if (node.kind !== "leaf") return `a ${node.kind}`;
  const { type, converted_type: converted, logical_type: logical } = node.element;
  const parts = logical === undefined ? [] : Object.entries(logical).filter(([key]) => key !== "type");
  const details = parts.map(([key, value]) => `${key} ${String(value)}`).join(", ");
  const annotation = logical === undefined ? converted : details === "" ? logical.type : `${logical.type} (${details})`;
  return [type, annotation].filter((each) => each !== undefined).join(" ");
}

function wrong({ filePath }: CheckedFile, what: string, hint?: string): FrazilError {
  return new FrazilError("data", "FILE_SCHEMA", `${filePath}: expected ${what}`, { hint });
}
