import { readdirSync, readFileSync } from "node:fs";
import { crc32, gzipSync, inflateRawSync } from "node:zlib";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  ancestors,
  currentSchema,
  type DataFile,
  type Schema,
  cellAt,
  parseTableMetadata,
  readPuffinFooter,
  snapshotAsOf,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { AvroCursor } from "../../../table-format/avro/cursor.ts";
import { AvroSink } from "../../../table-format/avro/encoder.ts";
import type { ManifestFile } from "../../../table-format/manifest/manifest-file.ts";
import { parseManifestList } from "../../../table-format/manifest/manifest-list.ts";
import { parseManifest } from "../../../table-format/manifest/manifest-reader.ts";
import { tableStatistics } from "../../../table-format/metadata/statistics.ts";
import { NO_SOURCES, readParquetColumns } from "../../../table-format/parquet/reader.ts";
import {
  decodeDeletionVector,
  encodeDeletionVector,
  readDeletionVector,
} from "../../../table-format/puffin/deletion-vector.ts";
import { encodePuffin } from "../../../table-format/puffin/puffin.ts";
import { RoaringBitmap } from "../../../table-format/puffin/roaring.ts";
import { parseSchema } from "../../../table-format/schema/schema-json.ts";
import { dataFile } from "../../unit/table-format/data-file.ts";
import { type Dice, mutateBytes, mutateJson } from "./mutate.ts";

/** A kind of input: what is changed, and what reads it. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs of each hundred. */
  readonly share: number;
  make(dice: Dice): Uint8Array;
  /** @throws FrazilError for what is wrong with the input; anything else is a defect */
  read(bytes: Uint8Array): Promise<void> | void;
}

const folder = (name: string) => new URL(`../../golden/${name}/`, import.meta.url);
const load = (name: string, test: RegExp): Uint8Array[] =>
  readdirSync(folder(name))
    .filter((file) => test.test(file))
    .map((file) => new Uint8Array(readFileSync(new URL(file, folder(name)))));

const LOCATION = "mem://t/input";
const SPARK = "spark-v3-vectors";
const metadataTexts = [
  load(SPARK, /metadata\.json$/),
  load("pyiceberg-manifests/v1", /metadata\.json$/),
  load("pyiceberg-manifests/v2", /metadata\.json$/),
]
  .flat()
  .map((bytes) => new TextDecoder().decode(bytes));
const tables = metadataTexts.map((text) => parseTableMetadata(new TextEncoder().encode(text), "m.json"));
const lists = [
  load(SPARK, /^snap-/),
  load("pyiceberg-manifests/v1", /^snap-/),
  load("pyiceberg-manifests/v2", /^snap-/),
].flat();
const manifests = [SPARK, "pyiceberg-manifests/v1", "pyiceberg-manifests/v2"].flatMap((name, i) =>
  load(name, /-m\d\.avro$/).map((bytes) => ({ bytes, metadata: tables[i] as TableMetadata })),
);
/** With checksums nearly every change ends there. */
const parquet = load("parquet-encodings", /-unchecked\.parquet$/);
const puffins = load(SPARK, /\.puffin$/);

/** The same container file with its blocks not compressed, so that changes reach the rows. */
function uncompressed(bytes: Uint8Array): Uint8Array {
  const cursor = new AvroCursor(bytes);
  const sink = new AvroSink();
  sink.raw(cursor.take(4));
  let codec = "null";
  for (let count = cursor.long(); count !== 0n; count = cursor.long()) {
    sink.int(Number(count));
    for (let i = 0n; i < count; i++) {
      const key = Buffer.from(cursor.sized()).toString();
      const value = Buffer.from(cursor.sized());
      if (key === "avro.codec") codec = value.toString();
      sink.string(key);
      sink.sized(key === "avro.codec" ? Buffer.from("null") : value);
    }
  }
  sink.byte(0);
  sink.raw(cursor.take(16));
  while (!cursor.atEnd) {
    sink.int(Number(cursor.long()));
    const block = cursor.sized();
    sink.sized(codec === "deflate" ? inflateRawSync(block) : block);
    sink.raw(cursor.take(16));
  }
  return sink.bytes().slice();
}

const plainLists = lists.map(uncompressed);
const plainManifests = manifests.map((each) => ({ ...each, bytes: uncompressed(each.bytes) }));

const manifestFile = (firstRowId: bigint | null): ManifestFile => ({
  path: LOCATION,
  lengthBytes: 1n,
  specId: 0,
  content: "data",
  sequenceNumber: 5n,
  minSequenceNumber: 1n,
  addedSnapshotId: 7n,
  addedFilesCount: 1,
  existingFilesCount: 1,
  deletedFilesCount: 1,
  addedRowsCount: 1n,
  existingRowsCount: 1n,
  deletedRowsCount: 1n,
  partitions: null,
  keyMetadata: null,
  firstRowId,
});

const SCHEMA: Schema = parseSchema({
  type: "struct",
  fields: [
    [1n, "id", "long"],
    [2n, "small", "int"],
    [3n, "name", "string"],
    [4n, "flag", "boolean"],
    [5n, "ratio", "double"],
    [
      6n,
      "point",
      {
        type: "struct",
        fields: [
          { id: 7n, name: "x", required: false, type: "int" },
          {
            id: 8n,
            name: "y",
            required: false,
            type: { type: "list", "element-id": 9n, element: "string", "element-required": false },
          },
        ],
      },
    ],
    [
      10n,
      "tags",
      { type: "map", "key-id": 11n, key: "string", "value-id": 12n, value: "long", "value-required": false },
    ],
    [13n, "total", "decimal(20, 3)"],
    [
      14n,
      "lists",
      {
        type: "list",
        "element-id": 15n,
        "element-required": false,
        element: { type: "list", "element-id": 16n, element: "int", "element-required": false },
      },
    ],
  ].map(([id, name, type]) => ({ id, name, required: false, type })) as never,
});

async function readParquet(bytes: Uint8Array): Promise<void> {
  const io = createMemoryStorage();
  await io.write(LOCATION, bytes);
  const file = { filePath: LOCATION, fileSizeBytes: bytes.length };
  for await (const { length, columns } of readParquetColumns(io, file, SCHEMA.fields, NO_SOURCES)) {
    // Not all rows: a file may rightly claim millions of nulls.
    for (let row = 0; row < Math.min(length, 100); row++) for (const column of columns) cellAt(column, row);
  }
}

/** Positions as the formats of vectors hold them: arrays, runs and bitmaps. */
const vectors = [
  RoaringBitmap.from([0, 5, 70_000, 4_000_000_000]),
  RoaringBitmap.range(100_000),
  RoaringBitmap.from(Array.from({ length: 5000 }, (_, i) => i * 13)),
].map(encodeDeletionVector);

/** A vector with a changed body and the checksum and length that belong to it. */
function resealed(vector: Uint8Array, dice: Dice): Uint8Array {
  const body = mutateBytes(vector.subarray(8, vector.length - 4), dice);
  const out = new Uint8Array(body.length + 12);
  out.set(vector.subarray(4, 8), 4);
  out.set(body, 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length + 4);
  view.setUint32(out.length - 4, crc32(out.subarray(4, out.length - 4)));
  return out;
}

function parseMetadata(bytes: Uint8Array, location = LOCATION): void {
  const metadata = parseTableMetadata(bytes, location);
  currentSchema(metadata);
  snapshotAsOf(metadata, 0n);
  for (const { snapshotId } of metadata.snapshots.slice(0, 3)) for (const _ of ancestors(metadata, snapshotId));
  tableStatistics(metadata);
}

const encoder = new TextEncoder();

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: "metadata by value",
    share: 15,
    make: (dice) => encoder.encode(mutateJson(dice.pick(metadataTexts), dice)),
    read: (bytes) => parseMetadata(bytes),
  },
  {
    name: "metadata by byte",
    share: 8,
    make: (dice) => mutateBytes(encoder.encode(dice.pick(metadataTexts)), dice),
    read: (bytes) => parseMetadata(bytes),
  },
  {
    name: "gzip metadata",
    share: 2,
    make: (dice) => mutateBytes(gzipSync(dice.pick(metadataTexts)), dice),
    read: (bytes) => parseMetadata(bytes, "mem://t/1.gz.metadata.json"),
  },
  {
    name: "manifest list",
    share: 5,
    make: (dice) => mutateBytes(dice.pick(lists), dice),
    read: (bytes) => void parseManifestList(bytes, LOCATION),
  },
  {
    name: "manifest list, plain",
    share: 15,
    make: (dice) => mutateBytes(dice.pick(plainLists), dice),
    read: (bytes) => void parseManifestList(bytes, LOCATION),
  },
  {
    name: "manifest, plain",
    share: 20,
    make: (dice) => {
      const at = dice.below(plainManifests.length);
      const bytes = mutateBytes((plainManifests[at] as (typeof plainManifests)[number]).bytes, dice);
      return Uint8Array.from([at, ...bytes]);
    },
    read: (bytes) => {
      const { metadata } = manifests[bytes[0] as number] as (typeof manifests)[number];
      parseManifest(bytes.subarray(1), metadata, manifestFile((bytes.length & 1) === 0 ? null : 100n));
    },
  },
  {
    name: "manifest",
    share: 3,
    make: (dice) => mutateBytes(dice.pick(manifests).bytes, dice),
    read: (bytes) => void parseManifest(bytes, tables[0] as TableMetadata, manifestFile(null)),
  },
  {
    name: "vector",
    share: 4,
    make: (dice) => mutateBytes(dice.pick(vectors), dice),
    read: (bytes) => void decodeDeletionVector(bytes, LOCATION),
  },
  {
    name: "vector with its checksum",
    share: 10,
    make: (dice) => resealed(dice.pick(vectors), dice),
    read: (bytes) => void decodeDeletionVector(bytes, LOCATION),
  },
  {
    name: "Puffin footer",
    share: 6,
    make: (dice) =>
      mutateBytes(
        dice.below(2) === 0
          ? dice.pick(puffins)
          : encodePuffin([{ type: "x", fields: [1], properties: { a: "b" }, bytes: Uint8Array.of(1, 2, 3) }]).bytes,
        dice,
      ),
    read: async (bytes) => {
      const io = createMemoryStorage();
      await io.write(LOCATION, bytes);
      const { blobs } = await readPuffinFooter(io, LOCATION, bytes.length);
      for (const { offset, length } of blobs) {
        const file: DataFile = {
          ...dataFile({ filePath: LOCATION }),
          content: "position-deletes",
          fileFormat: "PUFFIN",
          fileSizeBytes: BigInt(bytes.length),
          contentOffset: BigInt(offset),
          contentSizeBytes: BigInt(length),
        };
        await readDeletionVector(io, file);
      }
    },
  },
  { name: "Parquet", share: 12, make: (dice) => mutateBytes(dice.pick(parquet), dice), read: readParquet },
];
