/** Time. Real in `cli/`, virtual in simulations. */
export interface Clock {
  /** Whole milliseconds since 1970 UTC. */
  nowMs(): number;
  /** Milliseconds that never go back, for durations. */
  monotonicMs(): number;
  /** Resolves after the time, or at once when the signal aborts; never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Random numbers. Seeded in simulations. */
export interface Random {
  /** Uniform over 32 bits. */
  uint32(): number;
}

/**
 * Everything outside the program that the engine's decisions depend on. Storage, catalogs and sources are handed in beside it.
 * `step` is called with a name at each point where a crash would leave a different state behind (`put.data`, `commit.sent`, ...):
 * simulations and the demo crash there; otherwise it does nothing.
 */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly step: (name: string) => void;
  readonly log: Log;
}

/** A temporary folder for one query or session. It goes with `close`, or else with the process. */
export interface ScratchFolder {
  readonly path: string;
  close(): Promise<void>;
}

/** Structured log: a constant message and fields. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Eight hexadecimal digits. */
export function randomHex8(random: Random): string {
  return random.uint32().toString(16).padStart(8, "0");
}

/** A version 4 UUID (RFC 9562). */
export function randomUuid(random: Random): string {
  const hex = [0, 0, 0, 0].map(() => randomHex8(random)).join("");
  const variant = ((parseInt(hex[16] as string, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** A positive snapshot id below 2^53, so that no reader rounds it. */
export function randomSnapshotId(random: Random): bigint {
  const id = (BigInt(random.uint32() & 0x1fffff) << 32n) | BigInt(random.uint32());
  return id === 0n ? 1n : id;
}
