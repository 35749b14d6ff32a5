import type * as NodeBuffer from "node:buffer";
import type * as NodeCrypto from "node:crypto";
import type * as NodeZlib from "node:zlib";

/**
 * Node's own modules, null where the code runs elsewhere. They are asked for and not imported, so that a bundle for browsers has
 * nothing to resolve, and Node keeps its native speed.
 */
export const zlib: typeof NodeZlib | null = builtin("zlib");
export const crypto: typeof NodeCrypto | null = builtin("crypto");
export const buffer: typeof NodeBuffer | null = builtin("buffer");

function builtin<T>(name: string): T | null {
  // Some bundlers give browsers a `process` of their own, which has no such method.
  const found = (globalThis.process as Partial<NodeJS.Process> | undefined)?.getBuiltinModule?.(name);
  return (found as T | undefined) ?? null;
}
