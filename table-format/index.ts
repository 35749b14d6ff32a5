// The public face of the table format: the only file that others import.
export * from "./arrow/column.ts";
export type * from "./catalog/catalog.ts";
export { identText } from "./catalog/catalog.ts";
export * from "./errors.ts";
export type * from "./io/file-io.ts";
export type * from "./manifest/data-file.ts";
export type * from "./metadata/table-metadata.ts";
export type * from "./metadata/updates.ts";
export type * from "./parquet/data-file-writer.ts";
export type * from "./schema/types.ts";
