/** Iceberg's types (spec, "Schemas and Data Types"). Parsing and printing of their JSON forms is in `type-json.ts`. */
export type PrimitiveType =
  | { readonly kind: PlainKind }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "fixed"; readonly length: number }
  | GeometryType
  | GeographyType;

/** Shapes in a plane (v3): well-known binary. `crs` names the coordinate reference system, as found. */
export interface GeometryType {
  readonly kind: "geometry";
  readonly crs: string;
}

/** Shapes on the earth (v3): well-known binary, edges interpolated by `algorithm`. */
export interface GeographyType {
  readonly kind: "geography";
  readonly crs: string;
  readonly algorithm: EdgeAlgorithm;
}

export type EdgeAlgorithm = "spherical" | "vincenty" | "thomas" | "andoyer" | "karney";

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
  | "binary";

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

/** A value of any type that it says itself (v3): neither a primitive nor a nested type. */
export interface VariantType {
  readonly kind: "variant";
}

export type Type = PrimitiveType | StructType | ListType | MapType | VariantType;

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
