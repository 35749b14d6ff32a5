import { randomHex8, type Random } from "../core/runtime.ts";

/**
 * Names of the files that a pipeline writes. Each carries the epoch and the checkpoint it was written for, so that garbage is decided by
 * name: an unreferenced file is garbage once the table's tag has a higher epoch, or the same epoch and at least that checkpoint.
 * The random part keeps two processes that believe in the same epoch from overwriting each other's files.
 */
export interface FileNames {
  /** `partition` is the Hive-style path of the partition, empty for unpartitioned tables. */
  dataFile(partition: string): string;
  deletionVectors(): string;
  positionDeletes(): string;
  manifest(attempt: number, index: number): string;
  manifestList(snapshotId: bigint, attempt: number): string;
  statistics(): string;
}

export interface FileNameScope {
  readonly tableLocation: string;
  readonly pipeline: string;
  readonly epoch: bigint;
  readonly checkpoint: bigint;
}

export function fileNames(scope: FileNameScope, random: Random): FileNames {
  return namesWithStem(`${scope.pipeline}-${fileScope(scope.epoch, scope.checkpoint)}`, scope.tableLocation, random);
}

/**
 * Names of the files of one maintenance job, whose id is random: two processes never share one. Unreferenced ones are garbage once the
 * pipeline's epoch is higher, as the job's commit asserts the epoch that it began under.
 * @param owner the pipeline that writes to the table; null when there is none, or several
 */
export function maintenanceNames(
  tableLocation: string,
  owner: { readonly pipeline: string; readonly epoch: bigint } | null,
  random: Random,
): FileNames {
  const job = `k${randomHex8(random)}${randomHex8(random)}`;
  const stem = owner === null ? `frazil-${job}` : `${owner.pipeline}-e${epochText(owner.epoch)}-${job}`;
  return namesWithStem(stem, tableLocation, random);
}

function namesWithStem(stem: string, tableLocation: string, random: Random): FileNames {
  let dataFiles = 0;
  let deleteFiles = 0;
  return {
    dataFile(partition) {
      const folder = partition === "" ? "data" : `data/${partition}`;
      const index = String(dataFiles++).padStart(4, "0");
      return `${tableLocation}/${folder}/${stem}-w00-${index}-${randomHex8(random)}.parquet`;
    },
    deletionVectors: () => `${tableLocation}/data/${stem}-dv-${randomHex8(random)}.puffin`,
    positionDeletes() {
      const index = String(deleteFiles++).padStart(4, "0");
      return `${tableLocation}/data/${stem}-pd-${index}-${randomHex8(random)}.parquet`;
    },
    manifest: (attempt, index) => `${tableLocation}/metadata/${stem}-a${attempt}-m${index}-${randomHex8(random)}.avro`,
    manifestList: (snapshotId, attempt) =>
      `${tableLocation}/metadata/${stem}-a${attempt}-snap-${snapshotId}-${randomHex8(random)}.avro`,
    statistics: () => `${tableLocation}/metadata/${stem}-stats-${randomHex8(random)}.puffin`,
  };
}

function fileScope(epoch: bigint, checkpoint: bigint): string {
  return `e${epochText(epoch)}-c${String(checkpoint).padStart(12, "0")}`;
}

function epochText(epoch: bigint): string {
  return String(epoch).padStart(10, "0");
}

/** Under which epoch of which pipeline a file was written. */
export interface OwnName {
  readonly pipeline: string;
  readonly epoch: bigint;
  /** Null for files of maintenance. */
  readonly checkpoint: bigint | null;
}

const OWN_NAME = /^([a-z0-9-]{1,40})-e(\d{10,})-(?:c(\d{12,})|k[0-9a-f]{16})-(?:w|dv-|pd-|a\d)/;

/**
 * Reads the last part of a location back. Null for names that hold no epoch: manifest lists, files of maintenance jobs on tables without
 * a pipeline of their own, files of other engines.
 */
export function parseOwnName(name: string): OwnName | null {
  const [, pipeline, epoch, checkpoint] = OWN_NAME.exec(name) ?? [];
  if (pipeline === undefined || epoch === undefined) return null;
  return { pipeline, epoch: BigInt(epoch), checkpoint: checkpoint === undefined ? null : BigInt(checkpoint) };
}

const MAINTENANCE_NAME = /^[a-z0-9-]+-k[0-9a-f]{16}-(?:w|dv-|pd-|a\d)/;

/** Whether the last part of a location is of a file that a maintenance job means to swap in. */
export function isMaintenanceName(name: string): boolean {
  return MAINTENANCE_NAME.test(name);
}

const STATISTICS_NAME = /^[a-z0-9-]+-k[0-9a-f]{16}-stats-[0-9a-f]{8}\.puffin$/;

/** Whether the last part of a location is of statistics of ours. */
export function isStatisticsName(name: string): boolean {
  return STATISTICS_NAME.test(name);
}

/** The tag that holds the pipeline's position and fence in each of its tables. */
export function tagName(pipeline: string): string {
  return `ingest.${pipeline}`;
}

/** The summary entry of snapshots that were committed to another branch than `main`: its name. */
export const BRANCH_ENTRY = "ingest.branch";

/** The pipeline whose tag bears this name; null for anybody else's tag or branch. */
export function pipelineOfTag(ref: string): string | null {
  return ref.startsWith("ingest.") ? ref.slice("ingest.".length) : null;
}

/** The table property that is set together with the first tag: a table that has it and lacks the tag has lost its position. */
export function markerProperty(pipeline: string): string {
  return `ingest.${pipeline}`;
}

/** Where a pipeline's ledger lies. */
export function ledgerLocation(warehouseLocation: string, pipeline: string): string {
  return `${warehouseLocation}/_ingest/${pipeline}/ledger.json`;
}

/** The claim that holds the name of a pipeline's anchor table, in catalogs that record claims. */
export function anchorKey(pipeline: string): string {
  return `ingest.${pipeline}.anchor`;
}
