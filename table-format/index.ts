// The public face of the table format: the only file that others import.
export { createBuilder, nullColumn, widthOf } from "./arrow/builder.ts";
export { BytesBuilder, FixedBuilder } from "./arrow/bytes-builders.ts";
export * from "./arrow/column.ts";
export type { ColumnBuilder } from "./arrow/column-builder.ts";
export { gatherColumn, type SourceNumbers } from "./arrow/gather.ts";
export { BitsBuilder, F32Builder, F64Builder, I128Builder, I32Builder, I64Builder } from "./arrow/number-builders.ts";
export { batchOfRows } from "./arrow/row-batch.ts";
export { widenColumn } from "./arrow/widen.ts";
export type * from "./catalog/catalog.ts";
export { identText, parseIdent } from "./catalog/catalog.ts";
export { catalogView } from "./catalog/catalog-view.ts";
export {
  attemptCommit,
  type CatalogContext,
  checkChanges,
  type Conflict,
  conflictOutcome,
  deleteForgotten,
  lostRace,
  type PreparedChange,
  prepareChange,
} from "./catalog/commit-file.ts";
export { checkIdent, checkNames, tableLocation } from "./catalog/ident.ts";
export * from "./catalog/lifecycle-errors.ts";
export type * from "./catalog/managed-catalog.ts";
export { MemoryCatalog } from "./catalog/memory.ts";
export { MetadataFiles } from "./catalog/metadata-files.ts";
export { ObjectStoreCatalog } from "./catalog/object-store.ts";
export { checkMayDelete, deleteFiles, ownFiles } from "./catalog/purge.ts";
export type { RestContext, RestFetch, RestResponse } from "./catalog/rest/http.ts";
export { RestCatalog, type RestCatalogOptions } from "./catalog/rest/rest-catalog.ts";
export type { LentCredential } from "./catalog/rest/table-answer.ts";
export { copyLocation } from "./catalog/version-copies.ts";
export * from "./errors.ts";
export { canonicalPath, isWithin, placesInTable } from "./io/canonical-path.ts";
export { bindExpression } from "./expression/bind.ts";
export type { BoundExpression, BoundPredicate, BoundReference } from "./expression/bound.ts";
export { evaluator, type ValueReader } from "./expression/evaluate.ts";
export * from "./expression/expression.ts";
export { rangeOfMetrics } from "./expression/metrics-range.ts";
export { partitionColumns, projectExpression, residualEvaluator } from "./expression/projection.ts";
export { mayMatch, mustMatch, type RangeOf, type ValueRange } from "./expression/value-range.ts";
export { mapConcurrently } from "./io/concurrent-map.ts";
export { confinedTo, insideOf, tableRoots } from "./io/confined.ts";
export type * from "./io/file-io.ts";
export { unlessGone } from "./io/unless-gone.ts";
export { jsonText, parseJson } from "./json/exact-json.ts";
export type * from "./manifest/data-file.ts";
export { contentKey, scopedDataFile } from "./manifest/delete-scope.ts";
export { createManifestCache } from "./manifest/manifest-cache.ts";
export type { ManifestEntry, ManifestFile } from "./manifest/manifest-file.ts";
export { readManifestList } from "./manifest/manifest-list.ts";
export { type ManifestCache, readManifest } from "./manifest/manifest-reader.ts";
export { applyUpdates, checkRequirements, requirementText } from "./metadata/apply.ts";
export { schemaIdFor } from "./metadata/apply-layout.ts";
export { tableMetadataBytes } from "./metadata/metadata-bytes.ts";
export { parseTableMetadata } from "./metadata/metadata-json.ts";
export { METADATA_SUFFIX, versionNumber } from "./metadata/metadata-name.ts";
export {
  ancestors,
  currentSchema,
  currentSnapshot,
  defaultSpec,
  isAncestor,
  isOnMain,
  refSnapshot,
  schemaById,
  snapshotAsOf,
  snapshotById,
  snapshotSchema,
  specById,
} from "./metadata/refs.ts";
export { statisticsPaths, tableStatistics } from "./metadata/statistics.ts";
export type * from "./metadata/table-metadata.ts";
export type * from "./metadata/updates.ts";
export type * from "./parquet/data-file-writer.ts";
export { defaultColumn } from "./parquet/default-value.ts";
export type { DataFileRef } from "./parquet/footer.ts";
export { openDataFileWriter } from "./parquet/hyparquet-encoder.ts";
export { explicitLineage, withLineage } from "./parquet/lineage.ts";
export { type DataFilePlace, parquetDataFile } from "./parquet/parquet-data-file.ts";
export { NO_SOURCES, readDataFile, readDataFileRows, readParquetColumns } from "./parquet/reader.ts";
export { partitionPath } from "./partition/path.ts";
export { type BoundField, bindSpec, parsePartitionBy, UNPARTITIONED } from "./partition/spec.ts";
export {
  applyTransform,
  floorDivide,
  parseTransform,
  type Transform,
  transformResultType,
} from "./partition/transform.ts";
export { partitionTuple, tupleKey, type TupleReader, tupleReader } from "./partition/tuple.ts";
export {
  type DeletionVector,
  isDeletionVector,
  readDeletionVector,
  readDeletionVectors,
  writeDeletionVectors,
} from "./puffin/deletion-vector.ts";
export { type PuffinFooter, readPuffinFooter } from "./puffin/footer.ts";
export { encodePuffin } from "./puffin/puffin.ts";
export { RoaringBitmap } from "./puffin/roaring.ts";
export { ThetaSketch } from "./puffin/theta-sketch.ts";
export { planAppends, scanAppends, type SnapshotRange } from "./scan/appends.ts";
export { readColumns } from "./scan/data-columns.ts";
export { type ChangedRows, type ChangelogPlan, countOf, countRows, diffSnapshots } from "./scan/changelog.ts";
export {
  CHANGELOG_FIELDS,
  type ChangelogOptions,
  type ChangelogRows,
  changelogScan,
  type ChangeType,
} from "./scan/changelog-scan.ts";
export { type DeletedPositions, deletedPositions } from "./scan/deleted-positions.ts";
export { equalityDeletes, matchEqualityDeletes } from "./scan/equality-deletes.ts";
export { fileRows, type ScannedRows } from "./scan/file-rows.ts";
export { type FileScanTask, planFiles, type PlanOptions } from "./scan/file-tasks.ts";
export { planSnapshot, type SnapshotPlan } from "./scan/plan.ts";
export { readPositionDeletes, writePositionDeletes } from "./scan/position-deletes.ts";
export { type MatchedRows, matchRows } from "./scan/row-matching.ts";
export type { RowMarks } from "./scan/row-marks.ts";
export { readTasks, type ScanOptions, scanRows } from "./scan/rows.ts";
export { type PointInTime, timeTravel } from "./scan/time-travel.ts";
export { addColumns, canWiden, widenField } from "./schema/evolve.ts";
export { fieldById, fieldByName, highestFieldId, type NewField, newSchema } from "./schema/schema.ts";
export { parseSchema, schemaJson, schemaJsonText } from "./schema/schema-json.ts";
export {
  isComparable,
  isPrimitive,
  parsePrimitiveType,
  parseType,
  typeJson,
  typesEqual,
  typeText,
} from "./schema/type-json.ts";
export type * from "./schema/types.ts";
export { type CompareRows, rowOrder, sortRows } from "./sort/row-order.ts";
export { normalSortBy, orderApplies, parseSortBy, sortByTexts } from "./sort/sort-order.ts";
export { type AddFiles, addFiles } from "./transaction/add-files.ts";
export { type Append, appendFiles, fastAppend } from "./transaction/append.ts";
export { appendRows, type RowSource, writeRows } from "./transaction/append-rows.ts";
export { cherryPick } from "./transaction/cherry-pick.ts";
export { commitOperations } from "./transaction/commit.ts";
export { createTable, type NewTable } from "./transaction/create-table.ts";
export { type DeleteDataFiles, deleteDataFiles } from "./transaction/delete-data-files.ts";
export {
  type ExpiredSnapshots,
  type ExpireSnapshots,
  expireSnapshots,
  removeSnapshots,
} from "./transaction/expire-snapshots.ts";
export { EVERY_FILE, type FileFilter, partitionsOf } from "./transaction/file-filter.ts";
export {
  createBranch,
  createTag,
  fastForwardBranch,
  type RefRetention,
  removeBranch,
  removeTag,
  renameBranch,
  replaceRef,
  rollbackTo,
  rollbackToTime,
  setCurrentSnapshot,
  setRefRetention,
} from "./transaction/manage-snapshots.ts";
export type { PlannedFile } from "./transaction/manifest-filter.ts";
export { mergeSettings } from "./transaction/manifest-merge.ts";
export type { OperationAttempt, OperationNames, TableOperation, WriteContext } from "./transaction/operation.ts";
export { type OverwriteFiles, overwriteFiles } from "./transaction/overwrite.ts";
export type { PositionDelta } from "./transaction/position-deltas.ts";
export { type ReplacePartitions, replacePartitions } from "./transaction/replace-partitions.ts";
export {
  keepBranch,
  reachedByBranches,
  refExpired,
  type SnapshotRetention,
  tableRetention,
} from "./transaction/retention.ts";
export { type RewriteFiles, rewriteFiles } from "./transaction/rewrite-files.ts";
export {
  type ManifestGroup,
  planManifestRewrite,
  produceRewrittenManifests,
  type RewrittenGroup,
  rewriteManifestGroup,
} from "./transaction/rewrite-manifests.ts";
export { type RowDelta, rowDelta } from "./transaction/row-delta.ts";
export type { RowFilter } from "./transaction/row-filter.ts";
export type { SchemaChange } from "./transaction/schema-changes.ts";
export type { SnapshotOptions, ValidationOptions } from "./transaction/snapshot-operation.ts";
export {
  type AddedDeleteFile,
  type Operation,
  type ProducedSnapshot,
  produceSnapshot,
  type SnapshotInput,
  type SnapshotNames,
} from "./transaction/snapshot-producer.ts";
export {
  deleteUnreachable,
  inOwnFolders,
  NO_UNREACHABLE_FILES,
  type UnreachableFiles,
  unreachableFiles,
} from "./transaction/unreachable-files.ts";
export { unionByName } from "./transaction/union-by-name.ts";
export { updateSchema } from "./transaction/update-schema.ts";
export { type SpecChange, updateSpec } from "./transaction/update-spec.ts";
export {
  replaceSortOrder,
  updateLocation,
  updateProperties,
  upgradeFormatVersion,
} from "./transaction/update-table.ts";
export { type AnyBatch, type AnyColumn, type Cell, cellAt, type CellStruct, type NestedColumn } from "./values/cell.ts";
export { gatherAny } from "./values/gather-any.ts";
export { compareValues, decodeValue, encodeValue, valueAt } from "./values/single-value.ts";
export { valueText } from "./values/value-text.ts";
export { encodeVariant } from "./variant/encode.ts";
export { variantJson } from "./variant/text.ts";
export { decodeVariant, type VariantValue } from "./variant/value.ts";
export { Variant } from "./variant/variant.ts";
