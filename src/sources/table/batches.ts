import {
  canWiden,
  type Column,
  FrazilError,
  isPrimitive,
  type NestedField,
  type PrimitiveType,
  type Schema,
  typesEqual,
  typeText,
  widenColumn,
} from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op } from "../../core/change-batch.ts";
import type { TableBinding } from "../../core/table-binding.ts";
import type { RowSlice } from "./rows.ts";

/** The columns that changes carry. */
export interface BatchColumns {
  readonly fields: readonly ChangeColumn[];
  /** Beside `fields`, in the table that is read. */
  readonly fieldIds: readonly number[];
}

/** How changes of one schema look. */
export interface BatchShape extends BatchColumns {
  /** The table's identifier columns, or those that the job names; null: none. */
  readonly key: readonly string[] | null;
}

/** Whom the changes are for. */
export interface BatchTarget {
  readonly split: string;
  readonly binding: TableBinding;
  readonly leftOut: (column: string) => void;
}

/** @throws FrazilError `unsupported` for nested columns that are not declared; `config` for a declared type that does not hold the table's. */
export function shapeOf({ binding, leftOut }: BatchTarget, schema: Schema): BatchShape & { ofDeletes: BatchShape } {
  const identifiers = schema.fields.filter(({ id }) => schema.identifierFieldIds.includes(id)).map(({ name }) => name);
  const named = binding.key ?? identifiers;
  const key = named.length === 0 ? null : named;
  const taken = schema.fields.filter(({ name, type }) => {
    // A column of unknown type holds nothing but nulls.
    if (type.kind === "unknown") return false;
    if (binding.keepsColumns !== true || binding.existing.size === 0 || binding.existing.has(name)) return true;
    leftOut(name);
    return false;
  });
  const columnsOf = (fields: readonly NestedField[]): BatchShape => ({
    key,
    fields: fields.map((field) => ({ name: field.name, type: typeOf(binding, field), required: field.required })),
    fieldIds: fields.map(({ id }) => id),
  });
  const ordering = binding.mode === "upsert" && key !== null ? [...key, binding.orderBy] : null;
  const deletes = ordering === null ? taken : taken.filter(({ name }) => ordering.includes(name));
  return { ...columnsOf(taken), ofDeletes: columnsOf(deletes) };
}

function typeOf({ columns, target }: TableBinding, { name, type }: NestedField): PrimitiveType {
  const declared = columns.get(name);
  if (!isPrimitive(type)) {
    if (declared?.kind === "string") return declared;
    throw new FrazilError(
      "unsupported",
      "NESTED_COLUMN",
      `column ${name} has type ${typeText(type)}; columns of structs, lists, maps and variants are taken as JSON texts alone`,
      { hint: `columns: { ${name}: string }` },
    );
  }
  if (declared === undefined || typesEqual(declared, type)) return type;
  if (canWiden(type, declared, 3)) return declared;
  throw new FrazilError(
    "config",
    "COLUMN_TYPE",
    `columns of ${target} says ${name}: ${typeText(declared)}, the table that is read has ${typeText(type)}, which does not fit into it`,
    { hint: "leave the column out of columns:, its type is known" },
  );
}

/** The rows of a slice as changes. @param pointAfter the point behind the row of a number. */
export function sliceBatch(
  { split, binding }: BatchTarget,
  { fields, key }: BatchShape,
  { length, columns, numbers }: RowSlice,
  ops: Uint8Array,
  timestampMs: bigint,
  pointAfter: (number: number) => string,
): ChangeBatch {
  const widened = columns.map((column, index) => widenColumn(column, (fields[index] as ChangeColumn).type));
  return {
    table: binding.table,
    split,
    length,
    ops,
    fields,
    columns: widened,
    absent: fields.map(() => null),
    key,
    points: { after: (row) => pointAfter(numbers[row] as number) },
    ...timesOf(binding, length, timestampMs),
    sizeBytes: widened.reduce((sum, column) => sum + sizeOf(column), length * 9),
  };
}

/** Every row goes. */
export function truncateBatch({ split, binding }: BatchTarget, timestampMs: bigint, point: string): ChangeBatch {
  return {
    table: binding.table,
    split,
    length: 1,
    ops: Uint8Array.of(Op.truncate),
    fields: [],
    columns: [],
    absent: [],
    key: null,
    points: { after: () => point },
    ...timesOf(binding, 1, timestampMs),
    sizeBytes: 64,
  };
}

/** A change was made when its snapshot was committed. */
function timesOf({ timed }: TableBinding, length: number, timestampMs: bigint): Pick<ChangeBatch, "timesUs"> {
  return timed === true ? { timesUs: new BigInt64Array(length).fill(timestampMs * 1_000n) } : {};
}

function sizeOf(column: Column): number {
  const offsets = column.layout === "bytes" ? column.offsets.byteLength : 0;
  return column.values.byteLength + offsets + (column.validity?.byteLength ?? 0);
}
