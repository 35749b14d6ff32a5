import { type ErrorKind, FrazilError } from "../../table-format/index.ts";

export { assert, FrazilError, must, type ErrorKind } from "../../table-format/index.ts";

/** Exit codes of the command line (sysexits, extended by 75 and 76 for supervisors). */
export const EXIT = {
  ok: 0,
  jobFailed: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  internal: 70,
  io: 74,
  temporary: 75,
  fenced: 76,
  permission: 77,
  config: 78,
} as const;

const EXIT_OF_KIND: Record<ErrorKind, number> = {
  config: EXIT.config,
  permission: EXIT.permission,
  unavailable: EXIT.unavailable,
  io: EXIT.io,
  conflict: EXIT.temporary,
  fenced: EXIT.fenced,
  data: EXIT.data,
  "not-found": EXIT.jobFailed,
  unsupported: EXIT.data,
  corrupt: EXIT.jobFailed,
  internal: EXIT.internal,
};

/** The exit code that tells a supervisor what to do about an error. */
export function exitCodeOf(error: unknown): number {
  return error instanceof FrazilError ? EXIT_OF_KIND[error.kind] : EXIT.internal;
}
