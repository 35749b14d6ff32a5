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
 * Decodes one bitmap that starts the bytes; gives the bytes it took.
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
  const sizeOf = (i: number): number => (header[2 * i + 1] as number) + 1;
  const isRunAt = (i: number): boolean => anyRuns && ((runFlags[i >> 3] as number) & (1 << (i & 7))) !== 0;
  const keys: number[] = [];
  const containers: Container[] = [];
  // All plain containers lie in one buffer: one of its own for each of thousands takes longer than reading it.
  let plainBytes = 0;
  for (let i = 0; i < count; i++) if (!isRunAt(i)) plainBytes += bodyBytes(sizeOf(i));
  reader.need(plainBytes);
  const plain = new Uint8Array(plainBytes + count * 2);
  let plainAt = 0;
  for (let i = 0; i < count; i++) {
    const key = header[2 * i] as number;
    const size = sizeOf(i);
    if (i > 0 && key <= (keys[i - 1] as number)) throw corrupt("ascending keys", String(key));
    let container: Container;
    if (isRunAt(i)) container = fromRuns(reader.u16s(reader.u16() * 2));
    else {
      const body = reader.take(bodyBytes(size));
      plain.set(body, plainAt);
      container = plainContainer(plain.buffer, plainAt, size);
      // Words of 32 bits begin at multiples of four.
      plainAt += Math.ceil(body.length / 4) * 4;
    }
    if (container.size !== size) throw corrupt(`${size} values in container ${key}`, String(container.size));
    keys.push(key);
    containers.push(container);
  }
  return { keys, containers, length: reader.at };
}

/** Of a container that is not stored as runs. */
function bodyBytes(size: number): number {
  return size > MAX_ARRAY_SIZE ? BITMAP_BYTES : size * 2;
}

/** Takes the bytes over; they belong to no other container. */
function plainContainer(buffer: ArrayBuffer, offset: number, size: number): Container {
  if (size > MAX_ARRAY_SIZE) return fromWords(new Uint32Array(buffer, offset, BITMAP_BYTES / 4));
  const values = new Uint16Array(buffer, offset, size);
  let last = -1;
  for (let i = 0; i < size; i++) {
    const value = values[i] as number;
    if (value <= last) throw corrupt("ascending values", String(value));
    last = value;
  }
  return fromSorted(values);
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @throws FrazilError kind `corrupt` when fewer bytes are left */
  need(length: number): void {
    if (this.at + length > this.#bytes.length) throw corrupt("more bytes", `the end at ${this.#bytes.length}`);
  }

  take(length: number): Uint8Array {
    this.need(length);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** A copy in a buffer of its own, aligned for any typed array. */
  copy(length: number): Uint8Array<ArrayBuffer> {
    const copied = new Uint8Array(length);
    copied.set(this.take(length));
    return copied;
  }

  u16s(count: number): Uint16Array {
    return new Uint16Array(this.copy(count * 2).buffer);
  }

  u16(): number {
    return this.u16s(1)[0] as number;
  }

  u32(): number {
    return new Uint32Array(this.copy(4).buffer)[0] as number;
  }
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "ROARING", `roaring bitmap: expected ${expected}, found ${found}`);
}
