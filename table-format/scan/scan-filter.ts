import { type BoundExpression, mapPredicates, predicatesOf, TRUE } from "../expression/bound.ts";
import { bindExpression } from "../expression/bind.ts";
import type { Expression } from "../expression/expression.ts";
import { rangeOfMetrics, rangeOfSummary } from "../expression/metrics-range.ts";
import {
  type PartitionColumn,
  partitionColumns,
  type PartitionTuple,
  projectExpression,
  residualEvaluator,
} from "../expression/projection.ts";
import { mayMatch, mustMatch, type RangeOf } from "../expression/value-range.ts";
import type { DataFile, FileStatistics } from "../manifest/data-file.ts";
import type { ManifestFile } from "../manifest/manifest-file.ts";
import { type EntryFilter, entryFilter } from "../manifest/matching-entries.ts";
import { schemasCurrentFirst } from "../manifest/manifest-reader.ts";
import { partitionTypes } from "../manifest/partition-avro.ts";
import { specById } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";

/** What a filter on rows says of manifests and files, by what is known without opening data files (spec, "Scan Planning"). */
export interface ScanFilter {
  /** Whether a manifest may list files that matter, by its partition summaries. */
  mayHold(manifest: ManifestFile): boolean;
  /**
   * What is left to be tested on the rows of a data file: by the values of its partition, and by its metrics. Null: it holds no row
   * of which the filter is true.
   */
  residualOf(file: FileStatistics): BoundExpression | null;
  /** Passes the files that have a residual. */
  readonly files: EntryFilter;
  /** Whether a delete file may take rows of which the filter is true. */
  mayDelete(file: DataFile): boolean;
  /** Whether the filter is true of every row of a file's partition. */
  coversPartition(file: FileStatistics): boolean;
}

/** The filter as one partition spec sees it. */
interface SpecFilter {
  readonly mayHold: (manifest: ManifestFile) => boolean;
  readonly residualOf: (tuple: PartitionTuple) => BoundExpression;
}

/**
 * Prepares a filter for planning.
 * @param schema that has the names of the filter
 * @throws FrazilError kind `config` as `bindExpression`
 */
export function scanFilter(metadata: TableMetadata, schema: Schema, filter: Expression): ScanFilter {
  const expression = bindExpression(filter, schema);
  const schemas = schemasCurrentFirst(metadata);
  const bySpec = new Map<number, SpecFilter>();
  const ofSpec = (specId: number): SpecFilter => {
    let known = bySpec.get(specId);
    if (known === undefined) {
      const spec = specById(metadata, specId);
      known = specFilter(expression, partitionColumns(spec, partitionTypes(spec, schemas)), spec.fields.length);
      bySpec.set(specId, known);
    }
    return known;
  };
  const byKeys = new Map<string, BoundExpression>();
  const ofKeys = (ids: readonly number[]): BoundExpression => {
    const key = ids.join();
    const known = byKeys.get(key) ?? onColumns(expression, new Set(ids));
    byKeys.set(key, known);
    return known;
  };
  const residualOf: ScanFilter["residualOf"] = (file) => {
    const residual = ofSpec(file.specId).residualOf(file.partition);
    // A file that counts no rows has none; a filter that is always true does not ask.
    if (residual.kind === "false" || (residual.kind !== "true" && file.recordCount === 0n)) return null;
    const metrics = rangeOfMetrics(file);
    if (!mayMatch(residual, metrics)) return null;
    return mustMatch(residual, metrics) ? TRUE : residual;
  };
  const columns = new Set([...predicatesOf(expression)].map(({ ref }) => ref.fieldId));
  return {
    mayHold: (manifest) => ofSpec(manifest.specId).mayHold(manifest),
    residualOf,
    files: entryFilter(columns, (file) => residualOf(file) !== null),
    coversPartition: (file) => ofSpec(file.specId).residualOf(file.partition).kind === "true",
    mayDelete: (file) => {
      if (ofSpec(file.specId).residualOf(file.partition).kind === "false") return false;
      // A row dies by its keys: what the delete file says of other columns has nothing to do with the row (apache/iceberg#4311).
      return file.content !== "equality-deletes" || mayMatch(ofKeys(file.equalityIds ?? []), rangeOfMetrics(file));
    },
  };
}

function specFilter(expression: BoundExpression, columns: readonly PartitionColumn[], fields: number): SpecFilter {
  const projected = projectExpression(expression, columns, "inclusive");
  const places = new Map(columns.map(({ ref, place }) => [ref.fieldId, place]));
  const rangeOf =
    (partitions: NonNullable<ManifestFile["partitions"]>): RangeOf =>
    ({ fieldId, type }) => {
      const summary = partitions[places.get(fieldId) ?? -1];
      return summary === undefined ? null : rangeOfSummary(summary, type);
    };
  return {
    mayHold: ({ partitions }) =>
      partitions === null || partitions.length !== fields
        ? projected.kind !== "false"
        : mayMatch(projected, rangeOf(partitions)),
    residualOf: residualEvaluator(expression, columns),
  };
}

/** What the expression says of some columns alone: true of every row of which the expression is. */
function onColumns(expression: BoundExpression, ids: ReadonlySet<number>): BoundExpression {
  return mapPredicates(expression, (predicate) => (ids.has(predicate.ref.fieldId) ? predicate : TRUE));
}
