import { murmur3x64 } from "./murmur3-x64.ts";

/** Seed of the DataSketches libraries, and what they write of its hash. */
const SEED = 9001;
const SEED_HASH = 0x93cc;
/** Hashes have 63 bits; theta as long as all of them are kept. */
const THETA_MAX = 2n ** 63n - 1n;
const TWO_TO_31 = 2 ** 31;

/** Preamble of a compact sketch: serial version, family, flags read-only, empty, compact, ordered. */
const SERIAL_VERSION = 3;
const FAMILY_COMPACT = 3;
const FLAG_READ_ONLY = 2;
const FLAG_EMPTY = 4;
const FLAG_COMPACT = 8;
const FLAG_ORDERED = 16;

/** The libraries' default: a relative standard error of 1.6 %. */
const NOMINAL_ENTRIES = 4096;

/**
 * A theta sketch: estimates the number of distinct values from the lowest hashes seen, so that sketches of parts can be united. Its
 * compact form is that of Apache DataSketches, with which Spark and Trino store distinct counts in Puffin files
 * (`apache-datasketches-theta-v1`; values as Iceberg's binary single values).
 */
export class ThetaSketch {
  #theta = THETA_MAX;
  /** The upper 31 bits of theta: most hashes of a large column are refused by them alone. */
  #thetaHigh = TWO_TO_31 - 1;
  #hashes = new Set<bigint>();
  readonly #hash = new Uint32Array(2);

  /** Takes a value; as in the libraries, no bytes are no value. */
  update(value: Uint8Array): void {
    if (value.length === 0) return;
    murmur3x64(value, SEED, this.#hash);
    const [high = 0, low = 0] = this.#hash;
    if (high >>> 1 > this.#thetaHigh) return;
    const hash = ((BigInt(high) << 32n) | BigInt(low)) >> 1n;
    if (hash === 0n || hash >= this.#theta) return;
    this.#hashes.add(hash);
    if (this.#hashes.size >= 2 * NOMINAL_ENTRIES) this.#shrink();
  }

  /** The estimated number of distinct values; exact below about 8,000. */
  estimate(): bigint {
    const count = this.#hashes.size;
    if (this.#theta === THETA_MAX) return BigInt(count);
    return BigInt(Math.round(count / (Number(this.#theta) / Number(THETA_MAX))));
  }

  /** The compact, ordered form (serial version 3), little-endian. */
  compactBytes(): Uint8Array {
    const hashes = BigUint64Array.from(this.#hashes).sort();
    const estimates = this.#theta < THETA_MAX;
    const longs = estimates ? 3 : hashes.length > 1 ? 2 : 1;
    const bytes = new Uint8Array(8 * (longs + hashes.length));
    const view = new DataView(bytes.buffer);
    const empty = hashes.length === 0 && !estimates;
    bytes.set([longs, SERIAL_VERSION, FAMILY_COMPACT]);
    bytes[5] = FLAG_READ_ONLY | FLAG_COMPACT | FLAG_ORDERED | (empty ? FLAG_EMPTY : 0);
    view.setUint16(6, SEED_HASH, true);
    if (longs > 1) view.setUint32(8, hashes.length, true);
    if (longs > 2) view.setBigUint64(16, this.#theta, true);
    for (const [i, hash] of hashes.entries()) view.setBigUint64(8 * (longs + i), hash, true);
    return bytes;
  }

  #shrink(): void {
    const sorted = BigUint64Array.from(this.#hashes).sort();
    this.#theta = sorted[NOMINAL_ENTRIES] as bigint;
    this.#thetaHigh = Number(this.#theta >> 32n);
    this.#hashes = new Set(sorted.subarray(0, NOMINAL_ENTRIES));
  }
}
