import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { currentSchema, defaultSpec } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { fileColumns } from "../parquet/file-columns.ts";
import { readFooter } from "../parquet/footer.ts";
import { parquetDataFile } from "../parquet/parquet-data-file.ts";
import { NAME_MAPPING_PROPERTY, nameMapping, nameMappingText } from "../schema/name-mapping.ts";
import { fieldByName } from "../schema/schema.ts";
import { folderValues, partitionOfFile } from "./added-file-partition.ts";
import { checkFileSchema } from "./added-file-schema.ts";
import { footerMetrics, summarizeColumns } from "./footer-metrics.ts";
import { findLiveFiles } from "./live-files.ts";
import type { OperationAttempt, TableOperation } from "./operation.ts";
import { branchHead, type SnapshotOptions, snapshotUpdates } from "./snapshot-operation.ts";

export interface AddFiles extends SnapshotOptions {
  /** Full locations of Parquet files. They stay where they are, and belong to the table from then on. */
  readonly locations: readonly string[];
  /** Refuses files that the table holds already; default true. It reads the manifests of all data files. */
  readonly checkDuplicateFiles?: boolean | undefined;
}

/**
 * Adds Parquet files that others wrote, as they are (PyIceberg's and Spark's `add_files`): only their footers are read, for their metrics
 * and their partitions. Files without field ids are read by the names of their columns: the table gets a name mapping with its columns,
 * unless it has one, in the same commit.
 *
 * The commit throws `data`, code `FILE_SCHEMA` or `FILE_PARTITION`, for a file that the table could not read as it is, naming file and
 * column; `DUPLICATE_FILE`; `not-found`, `corrupt`, `unsupported` for what is no readable Parquet file.
 */
export function addFiles({ locations, checkDuplicateFiles = true, ...options }: AddFiles): TableOperation {
  const paths = new Set(locations);
  if (paths.size < locations.length) {
    throw new FrazilError("data", "DUPLICATE_FILE", "expected each file once among those to add, found one twice");
  }
  return {
    name: "add files",
    async updates(attempt) {
      const { base } = attempt;
      if (checkDuplicateFiles) {
        const head = branchHead(base, options.branch);
        const [held] = await findLiveFiles(attempt, head, "data", ({ filePath }) => paths.has(filePath));
        if (held !== undefined) {
          throw new FrazilError("data", "DUPLICATE_FILE", `the table holds ${held.file.filePath} already`);
        }
      }
      const given = base.properties.get(NAME_MAPPING_PROPERTY) ?? nameMappingText(currentSchema(base));
      const read = await mapConcurrently(locations, MANIFESTS_AT_ONCE, (location) =>
        describe(attempt, location, given),
      );
      const updates: TableUpdate[] = [];
      if (read.some(({ hasIds }) => !hasIds) && !base.properties.has(NAME_MAPPING_PROPERTY)) {
        updates.push({ action: "set-properties", updates: new Map([[NAME_MAPPING_PROPERTY, given]]) });
      }
      const addedDataFiles = read.map(({ file }) => file);
      updates.push(...(await snapshotUpdates(attempt, options, "append", { addedDataFiles })));
      return updates;
    },
  };
}

/** The manifest entry of a file. */
async function describe(
  { context, base }: OperationAttempt,
  filePath: string,
  mappingText: string,
): Promise<{ readonly file: DataFile; readonly hasIds: boolean }> {
  const schema = currentSchema(base);
  const spec = defaultSpec(base);
  const stat = await context.io.stat(filePath);
  if (stat === null) throw new FrazilError("not-found", "FILE_NOT_FOUND", `${filePath}: no such file`);
  const mapping = nameMapping(new Map([[NAME_MAPPING_PROPERTY, mappingText]]));
  const footer = await readFooter(context.io, { filePath, fileSizeBytes: stat.sizeBytes }, mapping);
  const summaries = summarizeColumns(footer, schema);
  const columns = fileColumns(footer.metadata.schema, mapping);
  checkFileSchema({ filePath, columns, summaries, fromPath: identitiesInPath(filePath, base) }, schema);
  return {
    hasIds: footer.metadata.schema.some((element) => element.field_id !== undefined),
    file: parquetDataFile(
      { ...footerMetrics(footer, summaries), fileSizeBytes: BigInt(stat.sizeBytes) },
      { filePath, specId: spec.specId, partition: partitionOfFile(filePath, spec, schema, summaries) },
    ),
  };
}

/** Columns whose values readers take from the file's partition (spec, "Column Projection"). */
function identitiesInPath(filePath: string, base: TableMetadata): ReadonlySet<number> {
  const schema = currentSchema(base);
  const named = [...folderValues(filePath).keys()].flatMap((name) => fieldByName(schema, name)?.id ?? []);
  const identities = defaultSpec(base).fields.filter(({ transform }) => transform === "identity");
  return new Set(identities.map(({ sourceId }) => sourceId).filter((id) => named.includes(id)));
}
