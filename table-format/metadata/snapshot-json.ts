import { FrazilError } from "../errors.ts";
import type { JsonFields } from "../json/fields.ts";
import type { JsonValue, Snapshot, SnapshotRef } from "./table-metadata.ts";

const NO_SUMMARY: ReadonlyMap<string, string> = new Map();

/** Reads a snapshot's JSON form. v1 snapshots that list their manifests inline have an empty `manifestList`. */
export function parseSnapshot(json: JsonFields): Snapshot {
  const inline = !json.has("manifest-list") && json.has("manifests");
  return {
    snapshotId: json.long("snapshot-id"),
    parentSnapshotId: json.has("parent-snapshot-id") ? json.long("parent-snapshot-id") : null,
    sequenceNumber: json.has("sequence-number") ? json.long("sequence-number") : 0n,
    timestampMs: json.long("timestamp-ms"),
    manifestList: json.has("manifest-list") ? json.string("manifest-list") : "",
    ...(inline && { manifests: manifestsOf(json) }),
    summary: json.has("summary") ? json.strings("summary") : NO_SUMMARY,
    schemaId: json.has("schema-id") ? json.int("schema-id") : null,
    firstRowId: json.has("first-row-id") ? json.long("first-row-id") : null,
    addedRows: json.has("added-rows") ? json.long("added-rows") : null,
  };
}

function manifestsOf(json: JsonFields): string[] {
  return json.array("manifests").map((path, i) => {
    if (typeof path !== "string") throw json.error(`manifests[${i}]`, "a string");
    return path;
  });
}

/** The JSON form of a snapshot of a table of version 1, which has no sequence numbers. */
export function oldSnapshotJson(snapshot: Snapshot): JsonValue {
  const { "sequence-number": _none, ...json } = snapshotJson(snapshot);
  return json;
}

/** The JSON form of a snapshot, for format version 2 and up. */
export function snapshotJson(snapshot: Snapshot): { readonly [key: string]: JsonValue } {
  const { operation, ...summary } = Object.fromEntries(snapshot.summary);
  return {
    "sequence-number": snapshot.sequenceNumber,
    "snapshot-id": snapshot.snapshotId,
    ...(snapshot.parentSnapshotId !== null && { "parent-snapshot-id": snapshot.parentSnapshotId }),
    "timestamp-ms": snapshot.timestampMs,
    ...(operation !== undefined && { summary: { operation, ...summary } }),
    ...(snapshot.manifests === undefined
      ? { "manifest-list": snapshot.manifestList }
      : { manifests: snapshot.manifests }),
    ...(snapshot.schemaId !== null && { "schema-id": BigInt(snapshot.schemaId) }),
    ...(snapshot.firstRowId !== null && { "first-row-id": snapshot.firstRowId }),
    ...(snapshot.addedRows !== null && { "added-rows": snapshot.addedRows }),
  };
}

/** Reads the JSON form of a branch or tag. */
export function parseRef(json: JsonFields): SnapshotRef {
  const type = json.string("type").toLowerCase();
  if (type !== "branch" && type !== "tag") throw json.error("type", '"branch" or "tag"');
  return {
    snapshotId: json.long("snapshot-id"),
    type,
    ...(json.has("min-snapshots-to-keep") && { minSnapshotsToKeep: json.int("min-snapshots-to-keep") }),
    ...(json.has("max-snapshot-age-ms") && { maxSnapshotAgeMs: json.long("max-snapshot-age-ms") }),
    ...(json.has("max-ref-age-ms") && { maxRefAgeMs: json.long("max-ref-age-ms") }),
  };
}

/** The JSON form of a branch or tag. */
export function refJson(ref: SnapshotRef): JsonValue {
  return {
    "snapshot-id": ref.snapshotId,
    type: ref.type,
    ...(ref.minSnapshotsToKeep !== undefined && { "min-snapshots-to-keep": BigInt(ref.minSnapshotsToKeep) }),
    ...(ref.maxSnapshotAgeMs !== undefined && { "max-snapshot-age-ms": ref.maxSnapshotAgeMs }),
    ...(ref.maxRefAgeMs !== undefined && { "max-ref-age-ms": ref.maxRefAgeMs }),
  };
}

/**
 * What the spec asks of a ref's own fields.
 * @throws FrazilError kind `data`.
 */
export function checkRef(name: string, ref: SnapshotRef): void {
  const wrong = (what: string): FrazilError => new FrazilError("data", "INVALID_REF", `ref ${name}: ${what}`);
  if (name === "main" && ref.type !== "branch") throw wrong("main must be a branch");
  if (name === "main" && ref.maxRefAgeMs !== undefined) throw wrong("main never expires, so it has no max-ref-age-ms");
  if (ref.type === "tag" && (ref.minSnapshotsToKeep !== undefined || ref.maxSnapshotAgeMs !== undefined)) {
    throw wrong("min-snapshots-to-keep and max-snapshot-age-ms belong to branches");
  }
  for (const value of [ref.minSnapshotsToKeep, ref.maxSnapshotAgeMs, ref.maxRefAgeMs]) {
    if (value !== undefined && value <= 0) throw wrong(`${value} must be positive`);
  }
}
