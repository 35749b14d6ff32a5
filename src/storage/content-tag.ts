import { hash } from "node:crypto";

/** An entity tag that depends on the bytes alone: 128 bits of their SHA-256. */
export function contentTag(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex").slice(0, 32);
}
