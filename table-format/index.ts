// The public face of the table format: the only file that others import.
export { createBuilder, nullColumn, widthOf } from "./arrow/builder.ts";
export { BytesBuilder, FixedBuilder } from "./arrow/bytes-builders.ts";
export * from "./arrow/column.ts";
export type { ColumnBuilder } from "./arrow/column-builder.ts";
export { gatherColumn, type SourceNumbers } from "./arrow/gather.ts";
export { BitsBuilder, F32Builder, F64Builder, I128Builder, I32Builder, I64Builder } from "./arrow/number-builders.ts";
export { widenColumn } from "./arrow/widen.ts";
export type * from "./catalog/catalog.ts";
export { identText } from "./catalog/catalog.ts";
export * from "./errors.ts";
export type * from "./io/file-io.ts";
export type * from "./manifest/data-file.ts";
export type * from "./metadata/table-metadata.ts";
export type * from "./metadata/updates.ts";
export type * from "./parquet/data-file-writer.ts";
export type * from "./schema/types.ts";
