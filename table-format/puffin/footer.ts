import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { readAgain, type Reads } from "../io/read-again.ts";
import { parseJson } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import { MAX_PUFFIN_FOOTER_BYTES } from "../limits.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";

/** What the footer of a Puffin file says of a blob (Puffin spec, "BlobMetadata"). */
export interface PuffinBlobEntry {
  readonly type: string;
  readonly offset: number;
  readonly length: number;
  readonly properties: Readonly<Record<string, string>>;
}

export interface PuffinFooter {
  readonly blobs: readonly PuffinBlobEntry[];
}

const MAGIC = Uint8Array.of(0x50, 0x46, 0x41, 0x31);
/** Payload size, flags and the second magic. */
const TAIL_BYTES = 12;
/** Most footers fit: they come in one request. */
const GUESS_BYTES = 16 * 1024;

/**
 * Reads the footer of a Puffin file (Puffin spec, "Footer").
 * @throws FrazilError kind `corrupt` when it is none, `unsupported` for a compressed payload (LZ4).
 */
export function readPuffinFooter(io: FileIO, location: string, sizeBytes: number): Promise<PuffinFooter> {
  return readAgain(io, (reads) => footerOf(reads, location, sizeBytes));
}

async function footerOf(io: Reads, location: string, sizeBytes: number): Promise<PuffinFooter> {
  const guess = Math.min(sizeBytes, GUESS_BYTES);
  let end = await io.readRange(location, sizeBytes - guess, guess);
  if (end.length < TAIL_BYTES || !hasMagic(end, end.length - MAGIC.length)) {
    throw corrupt(location, "the magic PFA1 at the end", "other bytes");
  }
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const payloadBytes = view.getUint32(end.length - TAIL_BYTES, true);
  const footerBytes = MAGIC.length + payloadBytes + TAIL_BYTES;
  if (footerBytes > sizeBytes) throw corrupt(location, `a footer within ${sizeBytes} bytes`, `${footerBytes}`);
  if (footerBytes > MAX_PUFFIN_FOOTER_BYTES) {
    throw corrupt(location, `a footer of at most ${MAX_PUFFIN_FOOTER_BYTES} bytes`, `${footerBytes}`);
  }
  const compressed = (view.getUint8(end.length - TAIL_BYTES + 4) & 1) === 1;
  if (footerBytes > guess) end = await io.readRange(location, sizeBytes - footerBytes, footerBytes);
  const start = end.length - footerBytes;
  if (!hasMagic(end, start)) throw corrupt(location, "the magic PFA1 before the footer", "other bytes");
  if (compressed) {
    throw new FrazilError("unsupported", "PUFFIN_FOOTER", `${location}: the footer is compressed`);
  }
  return parseFooter(end.subarray(start + MAGIC.length, end.length - TAIL_BYTES), location, sizeBytes);
}

function hasMagic(bytes: Uint8Array, at: number): boolean {
  return MAGIC.every((byte, index) => bytes[at + index] === byte);
}

function parseFooter(payload: Uint8Array, location: string, sizeBytes: number): PuffinFooter {
  let json: JsonValue;
  try {
    json = parseJson(new TextDecoder().decode(payload));
  } catch (cause) {
    throw corrupt(location, "a footer in JSON", String(cause));
  }
  try {
    return {
      blobs: new JsonFields(json, "footer").objects("blobs").map((blob) => ({
        type: blob.string("type"),
        offset: placeOf(blob, "offset", sizeBytes),
        length: placeOf(blob, "length", sizeBytes),
        properties: blob.has("properties") ? Object.fromEntries(blob.strings("properties")) : {},
      })),
    };
  } catch (error) {
    if (!(error instanceof FrazilError)) throw error;
    throw new FrazilError(error.kind, error.code, `${location}: ${error.message}`, { cause: error });
  }
}

function placeOf(blob: JsonFields, key: string, sizeBytes: number): number {
  const value = Number(blob.long(key));
  if (value >= 0 && value <= sizeBytes) return value;
  throw blob.error(key, `a place within ${sizeBytes} bytes`);
}

function corrupt(location: string, expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "PUFFIN_FOOTER", `${location}: expected ${expected}, found ${found}`);
}
