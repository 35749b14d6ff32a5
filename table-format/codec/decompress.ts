import { FrazilError } from "../errors.ts";
import { gunzip as plainGunzip, inflate } from "./inflate.ts";
import { zlib as nodeZlib } from "./node-modules.ts";
import { unzstd as plainUnzstd } from "./zstd.ts";

/** Decompresses at once; throws when the bytes break their format, or would be more than `maxBytes`. */
export type Decompress = (bytes: Uint8Array, maxBytes: number) => Uint8Array;

/** Under a name of this module, so that it is known not to be null below. */
const zlib = nodeZlib;

/** Raw DEFLATE, as in Avro files. */
export const inflateRaw: Decompress =
  zlib === null
    ? (bytes, maxBytes) => inflate(bytes, 0, maxBytes).bytes
    : (bytes, maxBytes) => alone(zlib.inflateRawSync(bytes, { maxOutputLength: maxBytes }));

/** Bytes without the rest of the buffer that zlib wrote them into: entries of manifests are kept for long, and their bounds are views of it. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.length ? bytes : new Uint8Array(bytes);
}

export const gunzip: Decompress =
  zlib === null ? plainGunzip : (bytes, maxBytes) => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes });

export const unzstd: Decompress =
  zlib === null ? plainUnzstd : (bytes, maxBytes) => zlib.zstdDecompressSync(bytes, { maxOutputLength: maxBytes });

/** @throws FrazilError `unsupported` outside of Node: its dictionary alone would be most of a bundle */
export const unbrotli: Decompress =
  zlib === null
    ? () => {
        throw new FrazilError("unsupported", "UNSUPPORTED_CODEC", "brotli is decompressed by Node only");
      }
    : (bytes, maxBytes) => zlib.brotliDecompressSync(bytes, { maxOutputLength: maxBytes });
