import { FrazilError } from "../errors.ts";
import { GZIP_AT_ONCE_BYTES } from "../limits.ts";
import { crypto, zlib } from "./node-modules.ts";

/**
 * What writing takes, and only Node has at once.
 * @throws FrazilError `unsupported` elsewhere
 */
export function nodeZlib(): NonNullable<typeof zlib> {
  if (zlib === null) throw notHere();
  return zlib;
}

/** Metadata files come to a tenth of their size; the highest level would take three times as long for a further hundredth. */
const GZIP = { level: 1 } as const;

/** Compresses with gzip, much of it on another thread, so that this one goes on. @throws FrazilError as `nodeZlib` */
export async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const here = nodeZlib();
  if (bytes.length <= GZIP_AT_ONCE_BYTES) return here.gzipSync(bytes, GZIP);
  return new Promise((resolve, reject) => {
    here.gzip(bytes, GZIP, (error, compressed) => (error === null ? resolve(compressed) : reject(error)));
  });
}

/** A SHA-256 that is fed piece by piece. @throws FrazilError as `nodeZlib` */
export function sha256(): ReturnType<NonNullable<typeof crypto>["createHash"]> {
  if (crypto === null) throw notHere();
  return crypto.createHash("sha256");
}

function notHere(): FrazilError {
  return new FrazilError("unsupported", "READ_ONLY_RUNTIME", "files are written by Node: elsewhere they are read");
}
