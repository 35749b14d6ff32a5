import { FrazilError } from "../errors.ts";
import {
  BITMAP_BYTES,
  type Container,
  fromRuns,
  fromSorted,
  fromWords,
  MAX_ARRAY_SIZE,
  runsOf,
} from "./roaring-container.ts";

/** Containers by the upper 16 bits of their values, ascending. */
export interface Containers {
  readonly keys: number[];
  readonly containers: Container[];
}

/** Portable 32-bit format (https://github.com/RoaringBitmap/RoaringFormatSpec). */
const COOKIE_NO_RUNS = 12346;
const COOKIE_RUNS = 12347;
/** With runs, fewer containers than this come without an offset table. */
const NO_OFFSET_THRESHOLD = 4;

/** Encodes; a container takes the run form where that is smallest. */
export function encodeContainers({ keys, containers }: Containers): Uint8Array {
  const bodies = containers.map(encodeContainer);
  const count = keys.length;
  const anyRuns = bodies.some((body) => body.isRun);
  const withOffsets = !anyRuns || count >= NO_OFFSET_THRESHOLD;
  const headBytes = (anyRuns ? 4 + Math.ceil(count / 8) : 8) + count * 4 + (withOffsets ? count * 4 : 0);
  const out = new Uint8Array(bodies.reduce((sum, body) => sum + body.bytes.length, headBytes));
  const view = new DataView(out.buffer);
  let at: number;
  if (anyRuns) {
    view.setUint32(0, COOKIE_RUNS | ((count - 1) << 16), true);
    bodies.forEach((body, i) => {
      if (body.isRun) out[4 + (i >> 3)] = (out[4 + (i >> 3)] as number) | (1 << (i & 7));
    });
    at = 4 + Math.ceil(count / 8);
  } else {
    view.setUint32(0, COOKIE_NO_RUNS, true);
    view.setUint32(4, count, true);
    at = 8;
  }
  containers.forEach((container, i) => {
    view.setUint16(at, keys[i] as number, true);
    view.setUint16(at + 2, container.size - 1, true);
    at += 4;
  });
  let bodyAt = headBytes;
  for (const body of bodies) {
    if (withOffsets) {
      view.setUint32(at, bodyAt, true);
      at += 4;
    }
    out.set(body.bytes, bodyAt);
    bodyAt += body.bytes.length;
  }
  return out;
}

function encodeContainer(container: Container): { isRun: boolean; bytes: Uint8Array } {
  const runs = runsOf(container);
  const plainBytes = container.size > MAX_ARRAY_SIZE ? BITMAP_BYTES : container.size * 2;
  if (2 + runs.length * 2 < plainBytes) {
    return { isRun: true, bytes: bytesOf(Uint16Array.of(runs.length / 2, ...runs)) };
  }
  const values = container.kind === "bitmap" ? container.words : container.values.subarray(0, container.size);
  return { isRun: false, bytes: bytesOf(values) };
}

function bytesOf(values: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * Decodes one bitmap that starts the bytes; gives the bytes it took. Containers that are not stored as runs are views of the bytes
 * where they lie as typed arrays want it, so these must stay as they are.
 * @throws FrazilError kind `corrupt`
 */
export function decodeContainers(bytes: Uint8Array): Containers & { readonly length: number } {
  const reader = new Reader(bytes);
  const cookie = reader.u32();
  const anyRuns = (cookie & 0xffff) === COOKIE_RUNS;
  if (!anyRuns && cookie !== COOKIE_NO_RUNS) throw corrupt("a roaring bitmap's cookie", String(cookie));
  const count = anyRuns ? (cookie >>> 16) + 1 : reader.u32();
  if (count > 0x10000) throw corrupt("at most 65536 containers", String(count));
  const runFlags = anyRuns ? reader.take(Math.ceil(count / 8)) : new Uint8Array(0);
  const header = reader.u16s(count * 2);
  if (!anyRuns || count >= NO_OFFSET_THRESHOLD) reader.take(count * 4);
  const keys: number[] = [];
  const containers: Container[] = [];
  for (let i = 0; i < count; i++) {
    const key = header[2 * i] as number;
    const size = (header[2 * i + 1] as number) + 1;
    if (i > 0 && key <= (keys[i - 1] as number)) throw corrupt("ascending keys", String(key));
    const isRun = anyRuns && ((runFlags[i >> 3] as number) & (1 << (i & 7))) !== 0;
    const container = isRun ? fromRuns(reader.u16s(reader.u16() * 2)) : plainContainer(reader, size);
    if (container.size !== size) throw corrupt(`${size} values in container ${key}`, String(container.size));
    keys.push(key);
    containers.push(container);
  }
  return { keys, containers, length: reader.at };
}

/** A container that is not stored as runs. */
function plainContainer(reader: Reader, size: number): Container {
  if (size > MAX_ARRAY_SIZE) return fromWords(reader.u32s(BITMAP_BYTES / 4), true);
  const values = reader.u16s(size);
  if (!isAscending(values)) {
    const at = values.findIndex((value, i) => i > 0 && value <= (values[i - 1] as number));
    throw corrupt("ascending values", String(values[at]));
  }
  return fromSorted(values);
}

/** Each difference of neighbours must be negative: one test for all, since a branch for each takes longer than the rest. */
function isAscending(values: Uint16Array): boolean {
  let signs = -1;
  let last = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    signs &= last - value;
    last = value;
  }
  return signs < 0;
}

/** Numbers are read where they lie, or copied where no typed array can begin. */
class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(length: number): Uint8Array {
    const start = this.#pass(length);
    return this.#bytes.subarray(start, start + length);
  }

  u16s(count: number): Uint16Array {
    const start = this.#pass(count * 2);
    const { buffer, byteOffset } = this.#bytes;
    if (((byteOffset + start) & 1) === 0) return new Uint16Array(buffer, byteOffset + start, count);
    return new Uint16Array(new Uint8Array(this.#bytes.subarray(start, this.at)).buffer);
  }

  u32s(count: number): Uint32Array {
    const start = this.#pass(count * 4);
    const { buffer, byteOffset } = this.#bytes;
    if (((byteOffset + start) & 3) === 0) return new Uint32Array(buffer, byteOffset + start, count);
    return new Uint32Array(new Uint8Array(this.#bytes.subarray(start, this.at)).buffer);
  }

  u16(): number {
    return this.u16s(1)[0] as number;
  }

  u32(): number {
    return this.u32s(1)[0] as number;
  }

  /** Moves on, and gives where it was. */
  #pass(length: number): number {
    const start = this.at;
    if (start + length > this.#bytes.length) throw corrupt("more bytes", `the end at ${this.#bytes.length}`);
    this.at = start + length;
    return start;
  }
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "ROARING", `roaring bitmap: expected ${expected}, found ${found}`);
}
