/**
 * A version 7 UUID (RFC 9562), which the spec asks for in `Idempotency-Key`: the time in front, the rest of a random one behind.
 * @param random a version 4 UUID.
 */
export function idempotencyKey(nowMs: number, random: string): string {
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${random.slice(15)}`;
}
