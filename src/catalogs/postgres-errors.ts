import { type ErrorKind, FrazilError } from "../core/errors.ts";

/** SQLSTATE classes and codes (PostgreSQL manual, appendix A); the longest that fits counts. */
const KIND_OF_STATE: ReadonlyMap<string, ErrorKind> = new Map([
  ["08", "unavailable"], // connection exceptions
  ["23505", "conflict"], // somebody took the name at the same moment
  ["25006", "permission"], // a server that only reads, as a standby does
  ["28", "permission"], // who we are is not believed
  ["3D", "config"], // no such database
  ["3F", "config"], // no such schema
  ["40", "unavailable"], // taken back for another transaction's sake
  ["42501", "permission"],
  ["53", "unavailable"], // out of connections, disk or memory
  ["53100", "io"], // disk full
  ["55P03", "unavailable"], // a lock that was not given in time
  ["57", "unavailable"], // shut down, or cancelled
  ["58", "io"],
  ["XX001", "corrupt"],
  ["XX002", "corrupt"],
]);

const HINTS: { readonly [kind in ErrorKind]?: string } = {
  unavailable: "check that the server runs and can be reached; what was begun is tried again",
  io: "check that the server's disk has room",
  permission: "check the user, the password and what the user may do in the database",
  config: "check warehouse.catalog.uri, and tls",
};

/** Node's codes of TLS that was refused, by us or by the server. */
const TLS_CODE = /CERT|_TLS|_SSL|ERR_TLS|SELF_SIGNED|UNABLE_TO_VERIFY/;

/**
 * An error of the server, of its driver or of the network in our words; errors of ours pass.
 * @param server `host:port/database`, without credentials
 */
export function postgresError(cause: unknown, server: string): unknown {
  if (cause instanceof FrazilError || !(cause instanceof Error)) return cause;
  const kind = kindOf(cause);
  // Several addresses of one host fail together, each with its message.
  const inner = cause instanceof AggregateError ? (cause.errors as readonly unknown[]) : [];
  const text = inner.length === 0 ? cause.message : inner.map((each) => (each as Error).message).join("; ");
  return new FrazilError(kind, "CATALOG_DATABASE", `catalog ${server}: ${text}`, { hint: HINTS[kind], cause });
}

function kindOf(cause: Error): ErrorKind {
  const { code } = cause as Error & { readonly code?: string };
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)) {
    return KIND_OF_STATE.get(code) ?? KIND_OF_STATE.get(code.slice(0, 2)) ?? "internal";
  }
  if (code !== undefined && TLS_CODE.test(code)) return "config";
  // The driver's own words for a server without TLS, and for a password that is missing.
  if (/does not support SSL/.test(cause.message)) return "config";
  if (/SASL|password must be/.test(cause.message)) return "permission";
  return "unavailable";
}

/** Whether asking again may help. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof FrazilError && error.kind === "unavailable";
}
