/**
 * What the caller must do about an error; the exit code of the command line follows from it.
 *
 * - `config`: a setting is wrong; change it. `permission`: credentials or rights are missing.
 * - `unavailable`: a server could not be reached after the retries; try later.
 * - `io`: a disk or a store refuses to write. `conflict`: somebody else changed the same thing; start again from fresh state.
 * - `fenced`: another process of the same pipeline has taken over; do not restart.
 * - `data`: the data does not fit the schema or the rules. `not-found`: a named thing does not exist.
 * - `unsupported`: valid, but beyond what this version reads or writes. `corrupt`: a file breaks its format.
 * - `internal`: a bug.
 */
export type ErrorKind =
  | "config"
  | "permission"
  | "unavailable"
  | "io"
  | "conflict"
  | "fenced"
  | "data"
  | "not-found"
  | "unsupported"
  | "corrupt"
  | "internal";

/** The one error class. `message` says what was expected and what was found, `hint` what to do next. */
export class FrazilError extends Error {
  override readonly name = "FrazilError";
  /** Stable name in capitals, such as `TABLE_NOT_FOUND`. */
  readonly code: string;
  readonly kind: ErrorKind;
  /** A command or a setting to try. */
  readonly hint: string | undefined;

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.hint = options.hint;
  }
}

/** Throws an `internal` error when a programmer's assumption does not hold. Never for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new FrazilError("internal", "ASSERTION", message);
}

/** The value, or an `internal` error when it is null or undefined. */
export function must<T>(value: T | null | undefined, message: string): T {
  if (value === null || value === undefined) {
    throw new FrazilError("internal", "ASSERTION", message);
  }
  return value;
}
