/**
 * A random number of 32 bits that depends on its arguments alone, so that any event and any row can be made without those before it.
 * The arguments are taken modulo 2^32; the mixing is MurmurHash3's finalizer (public domain).
 */
export function draw(seed: number, lane: number, a: number, b: number): number {
  let hash = mix(seed ^ Math.imul(lane + 1, 0x9e3779b1));
  hash = mix(hash ^ a);
  hash = mix((hash + Math.imul(b, 0x27d4eb2f)) ^ lane);
  return hash >>> 0;
}

function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
