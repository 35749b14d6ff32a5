import { FrazilError } from "../errors.ts";
import { crypto, zlib } from "./node-modules.ts";

/**
 * What writing takes, and only Node has at once.
 * @throws FrazilError `unsupported` elsewhere
 */
export function nodeZlib(): NonNullable<typeof zlib> {
  if (zlib === null) throw notHere();
  return zlib;
}

/** A SHA-256 that is fed piece by piece. @throws FrazilError as `nodeZlib` */
export function sha256(): ReturnType<NonNullable<typeof crypto>["createHash"]> {
  if (crypto === null) throw notHere();
  return crypto.createHash("sha256");
}

function notHere(): FrazilError {
  return new FrazilError("unsupported", "READ_ONLY_RUNTIME", "files are written by Node: elsewhere they are read");
}
