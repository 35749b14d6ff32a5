import { appendValue } from "../arrow/append-value.ts";
import { createBuilder } from "../arrow/builder.ts";
import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import type { Value } from "../manifest/data-file.ts";
import { constantColumn } from "../parquet/default-value.ts";
import type { DataFileRef } from "../parquet/footer.ts";
import type { ColumnSources } from "../parquet/reader.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Type } from "../schema/types.ts";
import type { AnyBatch, AnyColumn, Cell } from "../values/cell.ts";
import { defaultCell } from "../values/default-cell.ts";
import { bytesOfUuid } from "../values/hex.ts";
import { decodeUnscaled } from "../values/single-value.ts";
import { checkValue } from "../variant/check.ts";
import { variantNamesReader } from "../variant/names.ts";
import { Variant } from "../variant/variant.ts";
import { decodeAvroFile } from "./container.ts";
import type { AvroValue } from "./decoder.ts";
import type { AvroRecord, AvroType } from "./schema.ts";

/** Makes a cell of a decoded Avro value. */
type Convert = (value: AvroValue) => Cell | null;

/**
 * Reads columns of an Avro data file as one batch (spec, appendix A, "Avro"). The whole file is held.
 *
 * @param fields as the table has them now; found by field id
 * @throws FrazilError `not-found`, `corrupt`; `unsupported` for files without field ids
 */
export async function readAvroColumns(
  io: FileIO,
  { filePath }: DataFileRef,
  fields: readonly NestedField[],
  sources: ColumnSources,
): Promise<AnyBatch> {
  const { schema, rows } = decodeAvroFile(await io.read(filePath), filePath);
  if (schema.kind !== "record") throw corrupt(`${filePath}: expected records`, schema.kind);
  if (schema.fields.length > 0 && schema.fields.every(({ fieldId }) => fieldId === null)) {
    throw new FrazilError("unsupported", "NO_FIELD_IDS", `${filePath}: the columns of the data file have no field ids`);
  }
  const columns = fields.map((field): AnyColumn => {
    const place = schema.fields.findIndex(({ fieldId }) => fieldId === field.id);
    const found = schema.fields[place];
    const constant = sources.constants.get(field.id);
    if (found === undefined && constant !== undefined && isPrimitive(field.type)) {
      return constantColumn(field.type, constant, rows.length);
    }
    const convert =
      found === undefined
        ? constantOf(filePath, field)
        : converter(`${filePath}: column ${field.name}`, field.type, found.type);
    return columnOf(
      field.type,
      rows.map((row) => convert((row as readonly AvroValue[])[place] ?? null)),
    );
  });
  return { length: rows.length, columns };
}

function columnOf(type: Type, values: readonly (Cell | null)[]): AnyColumn {
  if (!isPrimitive(type)) return { layout: "cells", type, length: values.length, values };
  const builder = createBuilder(type);
  for (const value of values) appendValue(builder, type, value as Value | null);
  return builder.finish();
}

function constantOf(where: string, field: NestedField): Convert {
  const { type, required, name } = field;
  const value = defaultCell(field, "initialDefault");
  if (value === null && required && type.kind !== "unknown")
    throw corrupt(`${where}: expected column ${name}, which is required`, "none");
  return () => value;
}

function converter(where: string, type: Type, avro: AvroType): Convert {
  if (avro.kind === "union") {
    const branches = avro.branches.filter(({ kind }) => kind !== "null");
    if (branches.length !== 1) throw corrupt(`${where}: expected an optional value`, `${branches.length} types`);
    const convert = converter(where, type, branches[0] as AvroType);
    return (value) => (value === null ? null : convert(value));
  }
  switch (type.kind) {
    case "struct":
      if (avro.kind === "record") return structConverter(where, type.fields, avro);
      break;
    case "list":
      if (avro.kind === "array") {
        const item = converter(`${where}.element`, type.element, avro.items);
        return (value) => (value as readonly AvroValue[]).map(item);
      }
      break;
    case "map":
      return mapConverter(where, type.key, type.value, avro);
    case "variant":
      return variantConverter(where, avro);
    default: {
      const convert = primitiveConverter(type, avro);
      if (convert !== null) return convert;
    }
  }
  throw corrupt(`${where}: expected ${typeText(type)}`, `${avro.kind} in the data file`);
}

function structConverter(where: string, fields: readonly NestedField[], record: AvroRecord): Convert {
  const parts = fields.map((field): [string, number, Convert] => {
    const place = record.fields.findIndex(({ fieldId }) => fieldId === field.id);
    const found = record.fields[place];
    const path = `${where}.${field.name}`;
    return [
      field.name,
      place,
      found === undefined ? constantOf(where, field) : converter(path, field.type, found.type),
    ];
  });
  return (value) => {
    const values = value as readonly AvroValue[];
    return Object.fromEntries(parts.map(([name, place, convert]) => [name, convert(values[place] ?? null)]));
  };
}

/** A record of two byte strings, found by their names; never shredded. */
function variantConverter(where: string, avro: AvroType): Convert {
  const fields = avro.kind === "record" ? avro.fields : [];
  const placeOf = (name: string): number =>
    fields.findIndex((field) => field.name === name && field.type.kind === "bytes");
  const [metadata, value] = [placeOf("metadata"), placeOf("value")];
  if (metadata < 0 || value < 0) throw corrupt(`${where}: expected a record of metadata and value`, avro.kind);
  const namesOf = variantNamesReader();
  return (found) => {
    const parts = found as readonly Uint8Array[];
    const variant = new Variant(parts[metadata] as Uint8Array, parts[value] as Uint8Array);
    try {
      checkValue(variant.value, namesOf(variant.metadata));
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      throw new FrazilError(error.kind, error.code, `${where}: ${error.message}`, { cause: error });
    }
    return variant;
  };
}

/** A map of text keys is an Avro map, any other an array of records of key and value. */
function mapConverter(where: string, keyType: Type, valueType: Type, avro: AvroType): Convert {
  const pairs =
    (key: Convert, value: Convert): Convert =>
    (found) =>
      (found as readonly (readonly [AvroValue, AvroValue])[]).map((pair) => [key(pair[0]), value(pair[1])]);
  if (avro.kind === "map") return pairs((key) => key, converter(`${where}.value`, valueType, avro.values));
  const entry = avro.kind === "array" && avro.items.kind === "record" ? avro.items.fields : [];
  const [key, value] = entry;
  if (key === undefined || value === undefined) throw corrupt(`${where}: expected a map`, avro.kind);
  return pairs(converter(`${where}.key`, keyType, key.type), converter(`${where}.value`, valueType, value.type));
}

const MICROS_PER_DAY = 86_400_000_000n;

/** Null when values of the Avro type are none of the type, nor of one that was widened to it. */
function primitiveConverter(type: PrimitiveType, avro: AvroType): Convert | null {
  const { kind } = avro;
  switch (type.kind) {
    case "boolean":
      return kind === "boolean" ? (value) => value : null;
    case "int":
    case "date":
      return kind === "int" ? (value) => value : null;
    case "long":
    case "time":
    case "timestamptz":
    case "timestamptz_ns":
      return kind === "long" || (kind === "int" && type.kind === "long") ? (value) => BigInt(value as number) : null;
    case "timestamp":
    case "timestamp_ns": {
      // A date that was promoted.
      const perDay = type.kind === "timestamp" ? MICROS_PER_DAY : MICROS_PER_DAY * 1000n;
      if (kind === "int") return (value) => BigInt(value as number) * perDay;
      return kind === "long" ? (value) => value : null;
    }
    case "float":
      return kind === "float" ? (value) => value : null;
    case "double":
      return kind === "float" || kind === "double" ? (value) => value : null;
    case "string":
      return kind === "string" ? (value) => value : null;
    case "decimal":
      return kind === "fixed" || kind === "bytes" ? (value) => decodeUnscaled(value as Uint8Array) : null;
    case "uuid":
      if (kind === "string") return (value) => bytesOfUuid(value as string);
      return kind === "fixed" && avro.size === 16 ? (value) => value : null;
    case "fixed":
      return kind === "fixed" && avro.size === type.length ? (value) => value : null;
    case "binary":
      return kind === "bytes" || kind === "fixed" ? (value) => value : null;
    case "geometry":
    case "geography":
      return kind === "bytes" ? (value) => value : null;
    case "unknown":
      return () => null;
  }
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "AVRO_COLUMN", `${expected}, found ${found}`);
}
