import { type ElementReader, type ElementReaders, parseJson, readValue } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import {
  checkWide,
  type JsonReader,
  nextByte,
  passStrings,
  readInt64,
  readKey,
  readString,
  skipSpace,
  take,
} from "../json/json-reader.ts";
import { parseSnapshot } from "./snapshot-json.ts";
import type { Snapshot, TableMetadata } from "./table-metadata.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** In how many values the members of a snapshot lie, at least. */
const MEMBER_DEPTH = 3;
const MAX_INT = 0x7fff_ffffn;

/** An own property, so that copies of a snapshot have it, too; of one getter, so that all snapshots have one shape. */
const SUMMARY: PropertyDescriptor & ThisType<ReadSnapshot> = {
  enumerable: true,
  configurable: true,
  get() {
    return ReadSnapshot.summaryOf(this);
  },
};

/** Where in a file's bytes something stands. */
export interface JsonSource {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * A snapshot with the text that it was read from. Most of a table's metadata is summaries of snapshots that nobody asks for: they are
 * checked as they are read, and taken apart when they are asked for.
 */
export class ReadSnapshot implements Snapshot {
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | null;
  readonly sequenceNumber: bigint;
  readonly timestampMs: bigint;
  readonly manifestList: string;
  declare readonly summary: ReadonlyMap<string, string>;
  readonly schemaId: number | null;
  readonly firstRowId: bigint | null;
  readonly addedRows: bigint | null;
  readonly #source: JsonSource;
  #summary: ReadonlyMap<string, string> | null = null;

  constructor(
    snapshotId: bigint,
    parentSnapshotId: bigint | null,
    sequenceNumber: bigint,
    timestampMs: bigint,
    manifestList: string,
    schemaId: number | null,
    firstRowId: bigint | null,
    addedRows: bigint | null,
    source: JsonSource,
  ) {
    this.snapshotId = snapshotId;
    this.parentSnapshotId = parentSnapshotId;
    this.sequenceNumber = sequenceNumber;
    this.timestampMs = timestampMs;
    this.manifestList = manifestList;
    Object.defineProperty(this, "summary", SUMMARY);
    this.schemaId = schemaId;
    this.firstRowId = firstRowId;
    this.addedRows = addedRows;
    this.#source = source;
  }

  /** The JSON that a snapshot was read from, with all that it held; null for others, and for those of format version 1. */
  static sourceOf(snapshot: Snapshot): JsonSource | null {
    return #source in snapshot && snapshot.sequenceNumber > 0n ? snapshot.#source : null;
  }

  static summaryOf(snapshot: ReadSnapshot): ReadonlyMap<string, string> {
    const { bytes, start, end } = snapshot.#source;
    return (snapshot.#summary ??= parseSnapshot(new JsonFields(parseJson(bytes.subarray(start, end)), "")).summary);
  }
}

/** An entry of the snapshot log with the text that it was read from. */
export class ReadLogEntry {
  readonly timestampMs: bigint;
  readonly snapshotId: bigint;
  readonly #source: JsonSource;

  constructor(timestampMs: bigint, snapshotId: bigint, source: JsonSource) {
    this.timestampMs = timestampMs;
    this.snapshotId = snapshotId;
    this.#source = source;
  }

  /** The JSON that an entry was read from; null for others. */
  static sourceOf(entry: TableMetadata["snapshotLog"][number]): JsonSource | null {
    return #source in entry ? entry.#source : null;
  }
}

/** What a table's metadata has thousands of. */
export const METADATA_ELEMENTS: ElementReaders = new Map<string, ElementReader>([
  ["snapshots", readSnapshot],
  ["snapshot-log", readLogEntry],
]);

function readSnapshot(reader: JsonReader): ReadSnapshot | null {
  const start = reader.at;
  let id: bigint | null = null;
  let parent: bigint | null = null;
  let sequenceNumber: bigint | null = 0n;
  let time: bigint | null = null;
  let manifestList: string | null = null;
  let schemaId: number | null = null;
  let firstRowId: bigint | null = null;
  let addedRows: bigint | null = null;
  if (!take(reader, OPEN_OBJECT)) return null;
  do {
    skipSpace(reader);
    if (nextByte(reader) !== QUOTE) return null;
    switch (readKey(reader)) {
      case "snapshot-id":
        if ((id = readInt64(reader)) === null) return null;
        break;
      case "parent-snapshot-id":
        if ((parent = readInt64(reader)) === null) return null;
        break;
      case "sequence-number":
        if ((sequenceNumber = readInt64(reader)) === null) return null;
        break;
      case "timestamp-ms":
        if ((time = readInt64(reader)) === null) return null;
        break;
      case "manifest-list":
        if (nextByte(reader) !== QUOTE) return null;
        manifestList = readString(reader);
        break;
      case "summary":
        if (!passStrings(reader)) return null;
        break;
      case "schema-id":
        if ((schemaId = intOf(readInt64(reader))) === null) return null;
        break;
      case "first-row-id":
        if ((firstRowId = readInt64(reader)) === null) return null;
        break;
      case "added-rows":
        if ((addedRows = readInt64(reader)) === null) return null;
        break;
      default:
        readValue(reader, MEMBER_DEPTH);
    }
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_OBJECT) || id === null || time === null || manifestList === null) return null;
  const source = sourceSince(reader, start);
  return new ReadSnapshot(id, parent, sequenceNumber, time, manifestList, schemaId, firstRowId, addedRows, source);
}

function intOf(value: bigint | null): number | null {
  return value === null || value > MAX_INT ? null : Number(value);
}

function readLogEntry(reader: JsonReader): ReadLogEntry | null {
  const start = reader.at;
  let time: bigint | null = null;
  let id: bigint | null = null;
  if (!take(reader, OPEN_OBJECT)) return null;
  do {
    skipSpace(reader);
    if (nextByte(reader) !== QUOTE) return null;
    const key = readKey(reader);
    if (key === "timestamp-ms") time = readInt64(reader);
    else if (key === "snapshot-id") id = readInt64(reader);
    else return null;
    skipSpace(reader);
  } while (take(reader, COMMA));
  if (!take(reader, CLOSE_OBJECT) || time === null || id === null) return null;
  return new ReadLogEntry(time, id, sourceSince(reader, start));
}

function sourceSince(reader: JsonReader, start: number): JsonSource {
  checkWide(reader, start);
  return { bytes: reader.bytes, start, end: reader.at };
}
