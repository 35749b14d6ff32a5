/** Iceberg's types (spec, "Schemas and Data Types"). Parsing and printing of their JSON forms is in `type-json.ts`. */
export type PrimitiveType =
  | { readonly kind: PlainKind }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "fixed"; readonly length: number };

/** Primitive types without parameters. `unknown` (v3) holds only nulls. */
export type PlainKind =
  | "unknown"
  | "boolean"
  | "int"
  | "long"
  | "float"
  | "double"
  | "date"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "timestamp_ns"
  | "timestamptz_ns"
  | "string"
  | "uuid"
  | "binary"
  | "variant";

export interface StructType {
  readonly kind: "struct";
  readonly fields: readonly NestedField[];
}

export interface ListType {
  readonly kind: "list";
  readonly elementId: number;
  readonly elementRequired: boolean;
  readonly element: Type;
}

export interface MapType {
  readonly kind: "map";
  readonly keyId: number;
  readonly key: Type;
  readonly valueId: number;
  readonly valueRequired: boolean;
  readonly value: Type;
}

/** A type that this version keeps but cannot read or write (geometry, geography): its JSON text as found. */
export interface OpaqueType {
  readonly kind: "opaque";
  readonly text: string;
}

export type Type = PrimitiveType | StructType | ListType | MapType | OpaqueType;

export interface NestedField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: Type;
  readonly doc?: string;
  /** v3 defaults in their JSON single-value form, kept as found. */
  readonly initialDefault?: unknown;
  readonly writeDefault?: unknown;
}

/** A table schema: a struct with an id and the ids of the fields that identify a row. */
export interface Schema {
  readonly schemaId: number;
  readonly fields: readonly NestedField[];
  readonly identifierFieldIds: readonly number[];
}
