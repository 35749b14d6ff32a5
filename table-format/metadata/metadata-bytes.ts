import { jsonText } from "../json/exact-json.ts";
import { schemaJson } from "../schema/schema-json.ts";
import { currentSchema, defaultSpec } from "./refs.ts";
import { oldSnapshotJson, refJson, snapshotJson } from "./snapshot-json.ts";
import { type JsonSource, ReadLogEntry, ReadSnapshot } from "./snapshot-reader.ts";
import { sortOrderJson, specFieldsJson, specJson } from "./spec-json.ts";
import type { JsonValue, TableMetadata } from "./table-metadata.ts";

const COMMA = 0x2c;

/** Text, or elements of a list that stand in bytes as they are to be written. */
type Part = string | readonly JsonSource[];

/**
 * The bytes of a metadata file, not compressed, fields in Java's order. What was read from a file is written as it stood there,
 * with what this version does not know of it.
 */
export function tableMetadataBytes(m: TableMetadata): Uint8Array {
  const encoder = new TextEncoder();
  const parts = metadataParts(m).map((part) => (typeof part === "string" ? encoder.encode(part) : part));
  const length = parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.length : listLength(part)), 0);
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      out.set(part, at);
      at += part.length;
    } else at = writeList(part, out, at);
  }
  return out;
}

function metadataParts(m: TableMetadata): Part[] {
  const none = m.formatVersion < 3 ? -1n : null;
  const v1 = m.formatVersion === 1;
  const head = [
    ...membersOf({
      "format-version": BigInt(m.formatVersion),
      // The oldest tables have none.
      ...((!v1 || m.tableUuid !== "") && { "table-uuid": m.tableUuid }),
      location: m.location,
      ...(!v1 && { "last-sequence-number": m.lastSequenceNumber }),
      "last-updated-ms": m.lastUpdatedMs,
      "last-column-id": BigInt(m.lastColumnId),
      ...(v1 && { schema: schemaJson(currentSchema(m)) }),
      "current-schema-id": BigInt(m.currentSchemaId),
      schemas: m.schemas.map(schemaJson),
      ...(v1 && { "partition-spec": specFieldsJson(defaultSpec(m)) }),
      "default-spec-id": BigInt(m.defaultSpecId),
      "partition-specs": m.partitionSpecs.map(specJson),
      "last-partition-id": BigInt(m.lastPartitionId),
      "default-sort-order-id": BigInt(m.defaultSortOrderId),
      "sort-orders": m.sortOrders.map(sortOrderJson),
      properties: Object.fromEntries(m.properties),
      "current-snapshot-id": m.currentSnapshotId ?? none,
      ...(m.formatVersion >= 3 && { "next-row-id": m.nextRowId }),
      refs: Object.fromEntries([...m.refs].map(([name, ref]) => [name, refJson(ref)])),
    }),
    ...(v1 ? membersOf({ snapshots: m.snapshots.map(oldSnapshotJson) }) : []),
  ];
  return [
    `{${head.join(",")}`,
    ...(v1 ? [] : listParts("snapshots", m.snapshots, ReadSnapshot.sourceOf, snapshotJson)),
    membersOf(Object.fromEntries(m.unknownFields))
      .map((text) => `,${text}`)
      .join(""),
    ...listParts("snapshot-log", m.snapshotLog, ReadLogEntry.sourceOf, snapshotLogJson),
    ...listParts("metadata-log", m.metadataLog, () => null, metadataLogJson),
    "}",
  ];
}

function membersOf(object: { readonly [key: string]: JsonValue }): string[] {
  return Object.entries(object).map(([key, value]) => `${JSON.stringify(key)}:${jsonText(value)}`);
}

/** What a table's metadata has thousands of and hands on from commit to commit is encoded once: a commit encodes what it adds alone. */
const encoded = new WeakMap<object, JsonSource>();

/**
 * A member behind others.
 * @param sourceOf where an entry was read from, if it was
 */
function listParts<T extends object>(
  key: string,
  entries: readonly T[],
  sourceOf: (entry: T) => JsonSource | null,
  toJson: (entry: T) => JsonValue,
): Part[] {
  const list = entries.map((entry) => {
    const known = sourceOf(entry) ?? encoded.get(entry);
    if (known !== undefined) return known;
    const bytes = new TextEncoder().encode(jsonText(toJson(entry)));
    const source = { bytes, start: 0, end: bytes.length };
    encoded.set(entry, source);
    return source;
  });
  return [`,"${key}":[`, list, "]"];
}

function listLength(list: readonly JsonSource[]): number {
  return list.reduce((sum, { start, end }) => sum + end - start, Math.max(0, list.length - 1));
}

/** Writes the elements and what parts them; gives the place behind them. Those that stood in a row are copied together. */
function writeList(list: readonly JsonSource[], out: Uint8Array, start: number): number {
  let at = start;
  let next = 0;
  for (let first = list[0]; first !== undefined; first = list[next]) {
    const { bytes } = first;
    let { end } = first;
    for (next++; next < list.length; next++) {
      const element = list[next] as JsonSource;
      if (element.bytes !== bytes || element.start !== end + 1 || bytes[end] !== COMMA) break;
      end = element.end;
    }
    out.set(bytes.subarray(first.start, end), at);
    at += end - first.start;
    if (next < list.length) out[at++] = COMMA;
  }
  return at;
}

function snapshotLogJson({ timestampMs, snapshotId }: TableMetadata["snapshotLog"][number]): JsonValue {
  return { "timestamp-ms": timestampMs, "snapshot-id": snapshotId };
}

function metadataLogJson({ timestampMs, metadataFile }: TableMetadata["metadataLog"][number]): JsonValue {
  return { "timestamp-ms": timestampMs, "metadata-file": metadataFile };
}
