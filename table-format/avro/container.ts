import { snappyUncompress } from "hyparquet";
import { nodeZlib, sha256 } from "../codec/compress.ts";
import { crc32 } from "../codec/crc32.ts";
import { inflateRaw, unzstd } from "../codec/decompress.ts";
import { FrazilError } from "../errors.ts";
import { AVRO_SCHEMA_KEPT_LENGTH, AVRO_SCHEMAS_KEPT, MAX_AVRO_BLOCK_BYTES, MAX_AVRO_FILE_BYTES } from "../limits.ts";
import { compareBytes } from "../values/single-value.ts";
import { AvroCursor } from "./cursor.ts";
import { type AvroDecoder, type AvroValue, compileDecoder } from "./decoder.ts";
import { type AvroEncoder, AvroSink, compileEncoder } from "./encoder.ts";
import { type AvroSchemaJson, type AvroType, parseAvroSchema } from "./schema.ts";

/** Avro object container files (Avro 1.12 specification, "Object Container Files"). */
export interface AvroFile {
  readonly schema: AvroType;
  /** Header entries other than `avro.schema` and `avro.codec`, as text. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Every datum, in order. */
  readonly rows: readonly AvroValue[];
}

/** Codecs that are written. */
export type AvroCodec = "null" | "deflate";

/** A block ends at this many uncompressed bytes: readers hold one block at a time. */
const BLOCK_BYTES = 64 * 1024;
const MAGIC = [0x4f, 0x62, 0x6a, 0x01];
const SYNC_BYTES = 16;
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Manifests of a table repeat a few schemas, which take longer to read than the rows of a small manifest. */
const encoders = remembered((text) => compileEncoder(parseAvroSchema(text)));

/** What is written of a schema, and its share of the digest: of most manifests it is all but some hundred bytes. */
interface WrittenSchema {
  readonly utf8: Uint8Array;
  readonly encode: AvroEncoder;
  readonly digest: ReturnType<typeof sha256>;
}

/** By the schema, which callers keep. */
const written = new WeakMap<object, WrittenSchema>();

function writtenSchema(schemaJson: AvroSchemaJson): WrittenSchema {
  const known = typeof schemaJson === "object" ? written.get(schemaJson) : undefined;
  if (known !== undefined) return known;
  const text = JSON.stringify(schemaJson);
  const schema = {
    utf8: new TextEncoder().encode(text),
    encode: encoders(text),
    digest: sha256().update(text),
  };
  if (typeof schemaJson === "object") written.set(schemaJson, schema);
  return schema;
}

const decoders = remembered((text) => {
  const schema = parseAvroSchema(text);
  return { schema, read: compileDecoder(schema) };
});

/** Keeps what was made of the last texts. */
function remembered<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    const value = make(text);
    if (made.size >= AVRO_SCHEMAS_KEPT) made.clear();
    if (text.length <= AVRO_SCHEMA_KEPT_LENGTH) made.set(text, value);
    return value;
  };
}

/**
 * Encodes rows as a container file. The sync marker is a digest of the content, so that equal input gives equal bytes.
 * @param metadata extra header entries
 */
export function encodeAvroFile(
  schemaJson: AvroSchemaJson,
  metadata: ReadonlyMap<string, string>,
  rows: Iterable<AvroValue>,
  codec: AvroCodec = "deflate",
): Uint8Array {
  const { utf8, encode, digest: begun } = writtenSchema(schemaJson);
  const blocks: { rows: number; bytes: Uint8Array }[] = [];
  const digest = begun.copy();
  const block = new AvroSink();
  let rowsInBlock = 0;
  const flush = () => {
    if (rowsInBlock === 0) return;
    const bytes = codec === "deflate" ? nodeZlib().deflateRawSync(block.bytes()) : block.bytes().slice();
    digest.update(bytes);
    blocks.push({ rows: rowsInBlock, bytes });
    block.clear();
    rowsInBlock = 0;
  };
  for (const row of rows) {
    encode(block, row);
    rowsInBlock += 1;
    if (block.length >= BLOCK_BYTES) flush();
  }
  flush();

  const file = new AvroSink(blocks.reduce((sum, each) => sum + each.bytes.length + 32, utf8.length + 4096));
  file.raw(Uint8Array.from(MAGIC));
  file.int(metadata.size + 2);
  file.string("avro.schema");
  file.sized(utf8);
  for (const [key, value] of [["avro.codec", codec] as const, ...metadata]) {
    digest.update(`\n${key}=${value}`);
    file.string(key);
    file.string(value);
  }
  file.byte(0);
  const sync = digest.digest().subarray(0, SYNC_BYTES);
  file.raw(sync);
  for (const each of blocks) {
    file.int(each.rows);
    file.sized(each.bytes);
    file.raw(sync);
  }
  return file.bytes();
}

/**
 * Decodes a whole container file; codecs null, deflate, zstandard and snappy.
 * @param location names the file in errors
 * @throws FrazilError kind `corrupt` when it breaks the format, `unsupported` for another codec.
 */
export function decodeAvroFile(bytes: Uint8Array, location: string): AvroFile {
  return named(location, () => {
    const { schemaText, metadata, blocks } = readContainer(bytes, location);
    const { schema, read } = decoders(schemaText);
    const rows: AvroValue[] = [];
    const push = (cursor: AvroCursor): void => void rows.push(read(cursor));
    for (const block of blocks) eachRow(block, push);
    return { schema, metadata, rows };
  });
}

/**
 * Reads the rows of a container file, or parts of them, without keeping them all: one block is decompressed at a time.
 * @param open given the file's schema and what reads a whole row of it, gives what is called at the start of each row and reads exactly one
 * @throws FrazilError as `decodeAvroFile`
 */
export function visitAvroRows(
  bytes: Uint8Array,
  location: string,
  open: (schema: AvroType, read: AvroDecoder) => (cursor: AvroCursor) => void,
): void {
  named(location, () => {
    const { schemaText, blocks } = readContainer(bytes, location);
    const { schema, read } = decoders(schemaText);
    const visit = open(schema, read);
    for (const block of blocks) eachRow(block, visit);
  });
}

function named<T>(location: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FrazilError) || error.kind !== "corrupt" || error.message.startsWith(location)) throw error;
    throw new FrazilError(error.kind, error.code, `${location}: ${error.message}`, { cause: error });
  }
}

interface Container {
  readonly schemaText: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly blocks: Iterable<Block>;
}

interface Block {
  readonly rows: number;
  readonly cursor: AvroCursor;
}

function readContainer(bytes: Uint8Array, location: string): Container {
  const cursor = new AvroCursor(bytes);
  const magic = bytes.length < MAGIC.length ? null : cursor.take(MAGIC.length);
  if (magic === null || !MAGIC.every((byte, i) => magic[i] === byte)) {
    throw new FrazilError("corrupt", "AVRO_MAGIC", "expected an Avro container file, found other bytes");
  }
  const metadata = readHeader(cursor);
  const schemaText = metadata.get("avro.schema") ?? "";
  const inflate = inflater(metadata.get("avro.codec") ?? "null", location);
  metadata.delete("avro.schema");
  metadata.delete("avro.codec");
  return { schemaText, metadata, blocks: readBlocks(cursor, cursor.take(SYNC_BYTES), inflate) };
}

function* readBlocks(
  cursor: AvroCursor,
  sync: Uint8Array,
  inflate: (block: Uint8Array) => Uint8Array,
): Generator<Block> {
  let total = 0;
  while (!cursor.atEnd) {
    const rows = cursor.long();
    const block = new AvroCursor(inflate(cursor.sized()));
    total += block.bytes.length;
    if (total > MAX_AVRO_FILE_BYTES) {
      throw new FrazilError(
        "corrupt",
        "AVRO_BLOCK",
        `expected blocks of at most ${MAX_AVRO_FILE_BYTES} bytes, found more`,
      );
    }
    if (rows < 0n || rows > BigInt(block.bytes.length)) {
      throw new FrazilError("corrupt", "AVRO_BLOCK", `expected as many rows as fit a block, found ${rows}`);
    }
    if (compareBytes(cursor.take(SYNC_BYTES), sync) !== 0) {
      throw new FrazilError("corrupt", "AVRO_SYNC", "expected the sync marker after a block, found other bytes");
    }
    yield { rows: Number(rows), cursor: block };
  }
}

function eachRow({ rows, cursor }: Block, visit: (cursor: AvroCursor) => void): void {
  for (let i = 0; i < rows; i++) {
    const start = cursor.position;
    visit(cursor);
    // Rows of no bytes would let a short file demand endless memory.
    if (cursor.position === start)
      throw new FrazilError("corrupt", "AVRO_BLOCK", "expected rows of some bytes, found empty ones");
  }
  if (!cursor.atEnd) {
    throw new FrazilError("corrupt", "AVRO_BLOCK", `expected a block of ${rows} rows, found bytes after them`);
  }
}

function readHeader(cursor: AvroCursor): Map<string, string> {
  const header = new Map<string, string>();
  for (let count = cursor.count(); count > 0; count = cursor.count()) {
    for (let i = 0; i < count; i++) {
      const key = fromUtf8.decode(cursor.sized());
      header.set(key, fromUtf8.decode(cursor.sized()));
    }
  }
  return header;
}

function inflater(codec: string, location: string): (block: Uint8Array) => Uint8Array {
  switch (codec) {
    case "null":
      return (block) => block;
    case "deflate":
      return (block) => decompressed(() => inflateRaw(block, MAX_AVRO_BLOCK_BYTES));
    case "zstandard":
      return (block) => decompressed(() => unzstd(block, MAX_AVRO_BLOCK_BYTES));
    case "snappy":
      return (block) => decompressed(() => inflateSnappy(block));
    default:
      throw new FrazilError(
        "unsupported",
        "AVRO_CODEC",
        `${location}: expected codec null, deflate, zstandard or snappy, found ${codec}`,
      );
  }
}

/** A raw snappy block, preceded by its size as a varint and followed by the CRC-32 (big endian) of the plain bytes. */
function inflateSnappy(block: Uint8Array): Uint8Array {
  const compressed = block.subarray(0, -4);
  let size = 0;
  for (let i = 0, scale = 1; i < 5; i++, scale *= 128) {
    const part = compressed[i] ?? 0;
    size += (part & 0x7f) * scale;
    if (part < 0x80) break;
  }
  if (size > MAX_AVRO_BLOCK_BYTES) throw new RangeError(`a block of ${size} bytes`);
  const plain = new Uint8Array(size);
  snappyUncompress(compressed, plain);
  if (crc32(plain) !== new DataView(block.buffer, block.byteOffset).getUint32(compressed.length)) {
    throw new RangeError("a wrong checksum");
  }
  return plain;
}

function decompressed(run: () => Uint8Array): Uint8Array {
  try {
    return run();
  } catch (cause) {
    throw new FrazilError("corrupt", "AVRO_BLOCK", "expected a block of the header's codec, found other bytes", {
      cause,
    });
  }
}
