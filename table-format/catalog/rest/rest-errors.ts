import { type ErrorKind, FrazilError } from "../../errors.ts";
import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";
import { MAX_REST_ERROR_LENGTH } from "../../limits.ts";
import type { RestAnswer } from "./http.ts";

/** The body of a refusal (REST spec, `ErrorModel`). */
export interface ErrorModel {
  /** Java's exception, such as `NoSuchTableException`; empty where the body is none of the spec's. */
  readonly type: string;
  readonly message: string;
}

/** What a refusal says of itself. Proxies answer with pages of their own: those are cut short and have no type. */
export function errorModel({ status, text }: RestAnswer): ErrorModel {
  try {
    const error = new JsonFields(parseJson(text), "").object("error");
    return {
      type: error.has("type") ? error.string("type") : "",
      message: error.has("message") ? cut(error.string("message")) : `status ${status}`,
    };
  } catch {
    return { type: "", message: text.trim() === "" ? `status ${status} without a body` : cut(text.trim()) };
  }
}

function cut(text: string): string {
  return text.length <= MAX_REST_ERROR_LENGTH ? text : `${text.slice(0, MAX_REST_ERROR_LENGTH)}…`;
}

/** A refusal as the project's error. Kind `unavailable`: for a request that changes something the outcome is unknown. */
export function refusal(answer: RestAnswer, what: string): FrazilError {
  const { type, message } = errorModel(answer);
  const { kind, code, hint } = meaning(answer.status);
  const named = type === "" ? "" : ` ${type}`;
  return new FrazilError(kind, code, `cannot ${what}: the catalog answered ${answer.status}${named}: ${message}`, {
    hint,
  });
}

/** No answer came: refused, cut off or timed out. */
export function noAnswer(cause: unknown, what: string, uri: string): FrazilError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message || inner.name : String(inner);
  return new FrazilError("unavailable", "REST_UNREACHABLE", `cannot ${what}: no answer from ${uri}: ${reason}`, {
    hint: "check warehouse.catalog.uri and that the catalog is running",
    cause,
  });
}

function meaning(status: number): { kind: ErrorKind; code: string; hint?: string } {
  switch (status) {
    case 401:
    case 419:
      return {
        kind: "permission",
        code: "REST_CREDENTIALS",
        hint: "check warehouse.catalog.token or credential and scope",
      };
    case 403:
      return { kind: "permission", code: "REST_DENIED", hint: "the catalog's administrator grants rights" };
    case 404:
      return { kind: "not-found", code: "REST_NOT_FOUND" };
    case 406:
    case 501:
      return { kind: "unsupported", code: "REST_NOT_IMPLEMENTED" };
    case 409:
      return { kind: "conflict", code: "REST_CONFLICT" };
    case 408:
    case 429:
      return { kind: "unavailable", code: "REST_BUSY" };
    case 400:
    case 422:
      return { kind: "data", code: "REST_REFUSED" };
  }
  if (status >= 500) return { kind: "unavailable", code: "REST_UNAVAILABLE" };
  return {
    kind: "config",
    code: "REST_REFUSED",
    hint: "check that warehouse.catalog.uri names an Iceberg REST catalog",
  };
}
