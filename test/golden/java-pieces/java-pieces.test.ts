import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeAvroFile } from "../../../table-format/avro/container.ts";
import type { AvroValue } from "../../../table-format/avro/decoder.ts";
import { must } from "../../../table-format/errors.ts";
import { defaultColumn } from "../../../table-format/parquet/default-value.ts";
import {
  type DataFile,
  decodeValue,
  encodeValue,
  type LiveFile,
  matchEqualityDeletes,
  parsePrimitiveType,
  parseTableMetadata,
  type PrimitiveType,
  RoaringBitmap,
  type Snapshot,
  type TableMetadata,
  type Value,
  valueAt,
} from "../../../table-format/index.ts";
import { parseJson } from "../../../table-format/json/exact-json.ts";
import { AvroRow } from "../../../table-format/manifest/avro-row.ts";
import type { ManifestFile } from "../../../table-format/manifest/manifest-file.ts";
import { encodeManifestList, parseManifestList } from "../../../table-format/manifest/manifest-list.ts";
import { parseManifest, schemasCurrentFirst } from "../../../table-format/manifest/manifest-reader.ts";
import { writeManifest } from "../../../table-format/manifest/manifest-writer.ts";
import { partitionTypes } from "../../../table-format/manifest/partition-avro.ts";
import { mayHoldPartition } from "../../../table-format/manifest/partition-match.ts";
import { specById } from "../../../table-format/metadata/refs.ts";
import { lowerBound, upperBound } from "../../../table-format/parquet/metrics.ts";
import { partitionPath } from "../../../table-format/partition/path.ts";
import { applyTransform, parseTransform } from "../../../table-format/partition/transform.ts";
import { decodeDeletionVector, encodeDeletionVector } from "../../../table-format/puffin/deletion-vector.ts";
import { dataFile } from "../../unit/table-format/data-file.ts";
import { tableMetadata } from "../../unit/table-format/metadata.ts";

interface Pieces {
  readonly values: readonly {
    readonly type: string;
    readonly json: unknown;
    readonly hex: string;
    readonly transforms: Readonly<Record<string, { readonly type: string; readonly json: unknown; readonly text: string }>>;
  }[];
  readonly bounds: readonly {
    readonly string?: string;
    readonly binary?: string;
    readonly length: bigint;
    readonly low: string;
    readonly high: string | null;
  }[];
  readonly vectors: readonly { readonly ranges: readonly (readonly [bigint, bigint, bigint])[]; readonly blob: string }[];
  readonly fixed: string;
}

const read = (path: string): Buffer => readFileSync(new URL(path, import.meta.url));
const pieces = parseJson(read("pieces.json").toString()) as unknown as Pieces;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("values", () => {
  /** A value from its JSON form. */
  const parsed = (type: PrimitiveType, json: unknown): Value | null => valueAt(defaultColumn(type, json, 1), 0);

  test.each(pieces.values.map((each) => [each.type, each.hex, each] as const))("of type %s: %s", (text, _hex, each) => {
    const type = parsePrimitiveType(text);
    const value = must(parsed(type, each.json), "a value");
    expect(hex(encodeValue(type, value))).toBe(each.hex);
    expect(plain(decodeValue(type, Buffer.from(each.hex, "hex")))).toEqual(plain(value));
    for (const [transform, result] of Object.entries(each.transforms)) {
      const made = applyTransform(parseTransform(transform), type, value);
      expect({ transform, made: plain(made) }).toEqual({
        transform,
        made: plain(parsed(parsePrimitiveType(result.type), result.json)),
      });
      const schema = { schemaId: 0, fields: [{ id: 1, name: "c", required: false, type }], identifierFieldIds: [] };
      const spec = { specId: 0, fields: [{ sourceId: 1, fieldId: 1000, name: "p", transform }] };
      const path = partitionPath(spec, schema, [made]);
      expect({ transform, path: decodeURIComponent(path.replaceAll("+", "%20")) }).toEqual({
        transform,
        path: `p=${result.text}`,
      });
    }
  });

  test("bounds are cut at the same place", () => {
    expect(pieces.bounds.length).toBeGreaterThan(30);
    for (const { string, binary, length, low, high } of pieces.bounds) {
      const type: PrimitiveType = { kind: string === undefined ? "binary" : "string" };
      const bytes = string === undefined ? Buffer.from(binary ?? "", "hex") : Buffer.from(string);
      const text = (bound: Uint8Array | null) =>
        bound === null ? null : Buffer.from(bound).toString(string === undefined ? "hex" : "utf8");
      const ours = { low: text(lowerBound(type, bytes, Number(length))), high: text(upperBound(type, bytes, Number(length))) };
      expect({ string, binary, length, ...ours }).toEqual({ string, binary, length, low, high });
    }
  });
});

test.each(pieces.vectors.map(({ ranges, blob }) => [ranges.join(" "), ranges, blob] as const))(
  "the vector of %s is written byte for byte, and read",
  (_title, ranges, blob) => {
    const positions = ranges.flatMap(([from, to, step]) =>
      Array.from({ length: Number((to - from + step - 1n) / step) }, (_, i) => Number(from + BigInt(i) * step)),
    );
    expect(Buffer.from(encodeDeletionVector(RoaringBitmap.from(positions))).toString("base64")).toBe(blob);
    const decoded = decodeDeletionVector(Buffer.from(blob, "base64"), "dv");
    expect(decoded.cardinality).toBe(positions.length);
    expect(decoded.difference(RoaringBitmap.from(positions)).cardinality).toBe(0);
  },
);

describe.each(["v2", "v3"] as const)("the table of format version %s", (folder) => {
  const metadata = newestMetadata(folder);
  const lists = metadata.snapshots.map((snapshot) => ({ snapshot, bytes: read(here(folder, snapshot.manifestList)) }));

  test("has lists that are written again equal", () => {
    expect(lists).toHaveLength(7);
    for (const { snapshot, bytes } of lists) {
      const manifests = parseManifestList(bytes, snapshot.manifestList);
      expectSame(encodeManifestList(listOptions(metadata, snapshot), manifests), bytes, []);
    }
  });

  test("has manifests that are written again equal, and described as their lists do", () => {
    const manifests = new Map<string, ManifestFile>();
    for (const { snapshot, bytes } of lists) {
      for (const each of parseManifestList(bytes, snapshot.manifestList)) manifests.set(each.path, each);
    }
    const statuses = new Set<string>();
    for (const manifest of manifests.values()) {
      const bytes = read(here(folder, manifest.path));
      const raw = decodeAvroFile(bytes, manifest.path);
      const entry = new AvroRow(raw.schema, manifest.path);
      const file = new AvroRow(entry.typeOf(2), manifest.path);
      // What the file leaves to inheritance stays so.
      const entries = parseManifest(bytes, metadata, manifest).map((each, i) => {
        entry.values = raw.rows[i] as readonly AvroValue[];
        file.values = must(entry.items(2), "a data file");
        statuses.add(`${each.status} ${each.file.content}`);
        return {
          ...each,
          snapshotId: entry.long(1),
          sequenceNumber: entry.long(3),
          fileSequenceNumber: entry.long(4),
          file: { ...each.file, firstRowId: file.long(142) },
        };
      });
      const written = writeManifest(
        {
          location: manifest.path,
          formatVersion: metadata.formatVersion,
          content: manifest.content,
          spec: specById(metadata, manifest.specId),
          schemas: schemasCurrentFirst(metadata),
          snapshotId: manifest.addedSnapshotId,
          sequenceNumber: manifest.sequenceNumber,
        },
        entries,
      );
      expectSame(written.bytes, bytes, ["schema-id"]);
      const described = { ...written.manifest, lengthBytes: manifest.lengthBytes, firstRowId: manifest.firstRowId };
      expect(plain({ ...described, partitions: orderedAlike(described, metadata) })).toEqual(
        plain({ ...manifest, partitions: orderedAlike(manifest, metadata) }),
      );
    }
    expect([...statuses].sort()).toEqual([
      "added data",
      "added equality-deletes",
      "added position-deletes",
      "deleted data",
      "deleted position-deletes",
      "existing data",
      "existing equality-deletes",
    ]);
  });
});

test("Java writes partition values of type fixed as bytes with a length, which other readers of Avro do not take", () => {
  expect(pieces.fixed).toBe("read 000000 ff0102");
  const metadata = newestMetadata("fixed");
  const list = must(metadata.snapshots[0], "a snapshot").manifestList;
  const [manifest] = parseManifestList(read(here("fixed", list)), list);
  const { path } = must(manifest, "a manifest");
  expect(() => decodeAvroFile(read(here("fixed", path)), path)).toThrow(/avro/);
});

function here(folder: string, location: string): string {
  return `${folder}/${basename(location)}`;
}

function newestMetadata(folder: string): TableMetadata {
  const versions = readdirSync(new URL(folder, import.meta.url)).filter((name) => name.endsWith(".metadata.json"));
  const newest = must(versions.sort((a, b) => Number(a.slice(1).split(".")[0]) - Number(b.slice(1).split(".")[0])).at(-1), "metadata");
  return parseTableMetadata(read(`${folder}/${newest}`), newest);
}

function listOptions(metadata: TableMetadata, snapshot: Snapshot): Parameters<typeof encodeManifestList>[0] {
  return {
    formatVersion: metadata.formatVersion,
    snapshotId: snapshot.snapshotId,
    parentSnapshotId: snapshot.parentSnapshotId ?? null,
    sequenceNumber: snapshot.sequenceNumber,
    firstRowId: snapshot.firstRowId ?? null,
  };
}

/** Partition summaries without the bounds of uuids, which Java 1.11.0 compares as pairs of signed numbers. */
function orderedAlike(manifest: ManifestFile, metadata: TableMetadata): unknown {
  const types = partitionTypes(specById(metadata, manifest.specId), metadata.schemas);
  return manifest.partitions?.map((each, i) =>
    types[i]?.kind === "uuid" ? { ...each, lowerBound: null, upperBound: null } : each,
  );
}

test("bounds of uuids that stand the wrong way round keep no equality delete from a file", () => {
  const id = { id: 1, name: "u", required: false, type: { kind: "uuid" } } as const;
  const metadata = tableMetadata({ schemas: [{ schemaId: 0, fields: [id], identifierFieldIds: [] }] });
  const live = (sequenceNumber: bigint, low: string, high: string, given: Partial<DataFile>): LiveFile => ({
    file: dataFile({
      nullValueCounts: new Map([[1, 0n]]),
      lowerBounds: new Map([[1, Buffer.from(low.repeat(16), "hex")]]),
      upperBounds: new Map([[1, Buffer.from(high.repeat(16), "hex")]]),
      ...given,
    }),
    snapshotId: 1n,
    sequenceNumber,
    fileSequenceNumber: sequenceNumber,
  });
  const data = [live(1n, "f7", "00", { filePath: "javas" }), live(1n, "11", "22", { filePath: "apart" })];
  const deletes = live(2n, "ff", "ff", { content: "equality-deletes", equalityIds: [1] });
  expect([...matchEqualityDeletes(metadata, data, [deletes]).keys()]).toEqual(["javas"]);
});

test("bounds of uuids that stand the wrong way round hide no partition", () => {
  const metadata = newestMetadata("v2");
  const list = must(metadata.snapshots[0], "a snapshot").manifestList;
  const [manifest] = parseManifestList(read(here("v2", list)), list);
  const types = partitionTypes(specById(metadata, 0), metadata.schemas);
  const at = types.findIndex((type) => type?.kind === "uuid");
  const bounds = must(manifest?.partitions?.[at], "a summary");
  expect([bounds.lowerBound, bounds.upperBound].map((bound) => hex(must(bound, "a bound")))).toEqual([
    "f79c3e09677c4bbda4793f349cb785e7",
    "0".repeat(32),
  ]);
  const summary = { ...must(manifest, "a manifest"), partitions: [bounds] };
  expect(mayHoldPartition(summary, [{ kind: "uuid" }], [Buffer.from("f".repeat(32), "hex")])).toBe(true);
});

/** Equal schemas, but for `doc`, and for letters in names that Avro's specification does not allow; equal header entries, but for Java's copy of the schema in Iceberg's words and for `more`; equal records. */
function expectSame(ours: Uint8Array, javas: Uint8Array, more: readonly string[]): void {
  const [mine, java] = [headerOf(ours), headerOf(javas)];
  expect(withoutDocs(JSON.parse(mine["avro.schema"] ?? ""))).toEqual(withoutDocs(JSON.parse(java["avro.schema"] ?? "")));
  const others = (header: Readonly<Record<string, string>>, left: readonly string[]) =>
    Object.fromEntries(Object.entries(header).filter(([key]) => !["avro.schema", ...left].includes(key)));
  expect(others(mine, more)).toEqual(others(java, ["iceberg.schema"]));
  expect(plain(decodeAvroFile(ours, "ours").rows)).toEqual(plain(decodeAvroFile(javas, "java's").rows));
}

/** The header of an Avro container file, `avro.schema` and `avro.codec` included. */
function headerOf(bytes: Uint8Array): Record<string, string> {
  let at = 4;
  const long = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const text = (): string => {
    const length = long();
    return Buffer.from(bytes.subarray(at, (at += length))).toString();
  };
  const header: Record<string, string> = {};
  for (let left = long(); left !== 0; left = long()) {
    if (left < 0) long();
    for (let i = Math.abs(left); i > 0; i--) {
      const key = text();
      header[key] = text();
    }
  }
  return header;
}

function withoutDocs(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withoutDocs);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([key]) => key !== "doc")
      .map(([key, value]) => [key, key === "name" ? asciiName(String(value)) : withoutDocs(value)]),
  );
}

function asciiName(name: string): string {
  return name.replaceAll(/[^\w]/g, (letter) => `_x${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Bytes of whatever class compare by content. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${hex(value)}`;
  if (value instanceof Map) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
