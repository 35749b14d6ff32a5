import { FrazilError } from "../core/errors.ts";

/** What is known of an error that the S3 client threw. A request without an answer has no status. */
interface S3Failure {
  readonly status: number | null;
  /** The store's error code (`NoSuchKey`), or the name of the client's own error (`TimeoutError`). */
  readonly code: string;
  readonly message: string;
}

/** Codes of a store without room: MinIO's drives and quotas, versitygw, Ceph. */
const FULL = new Set([
  "XMinioStorageFull",
  "XMinioAdminBucketQuotaExceeded",
  "InsufficientStorage",
  "InsufficientCapacity",
  "QuotaExceeded",
  "ServiceQuotaExceededException",
]);

/** Codes of a store that does not know us. */
const BAD_CREDENTIALS = new Set(["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"]);

/** Codes that ask for another attempt although their status (400, 403, 409) does not; certainly nothing was done. */
const TRY_AGAIN = new Set([
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "BadDigest",
  "XAmzContentChecksumMismatch",
  "OperationAborted",
  "ConditionalRequestConflict",
  "SlowDown",
  "InternalError",
  "ServiceUnavailable",
]);

/** The status and code of an error thrown by `@aws-sdk/client-s3`. */
export function s3Failure(error: unknown): S3Failure {
  const thrown = error as {
    name?: unknown;
    code?: unknown;
    message?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const status = thrown.$metadata?.httpStatusCode ?? null;
  const named = typeof thrown.name === "string" && thrown.name !== "Error" ? thrown.name : null;
  const code = named ?? (typeof thrown.code === "string" ? thrown.code : "Error");
  return { status, code, message: typeof thrown.message === "string" ? thrown.message : String(error) };
}

/** Codes of a 404 about the object or the upload; `NotFound` stands where the answer has no body (HEAD). */
const MISSING = new Set(["NoSuchKey", "NoSuchUpload", "NotFound", "UnknownError"]);

/** Whether the object, or the upload, that the request names does not exist. A 404 about a bucket or a user is another matter. */
export function isMissing(error: unknown): boolean {
  const { status, code } = s3Failure(error);
  return status === 404 && MISSING.has(code);
}

/** Whether a condition (`If-Match`, `If-None-Match`) did not hold. */
export function isPreconditionFailed(error: unknown): boolean {
  return s3Failure(error).status === 412;
}

/** AWS's answer to two conditional requests that race: this one did nothing, and the other may yet fail too. */
export function isConditionalRace(error: unknown): boolean {
  const { status, code } = s3Failure(error);
  return status === 409 && code === "ConditionalRequestConflict";
}

/**
 * The project's error for a failed request. Kind `unavailable` means that the request may be sent again, and that the outcome of a
 * write is unknown.
 * @param action what was tried, such as `write`
 */
export function s3Error(error: unknown, action: string, location: string): FrazilError {
  if (error instanceof FrazilError) return error;
  const failure = s3Failure(error);
  const found = failure.status === null ? failure.code : `${failure.status} ${failure.code}`;
  const text = `cannot ${action} ${location}: the store answered ${found}: ${failure.message}`;
  const refusal = refusalOf(failure);
  if (refusal?.code === "S3_NO_CREDENTIALS") {
    // The store was not asked: it has said nothing.
    return new FrazilError(refusal.kind, refusal.code, `cannot ${action} ${location}: no credentials are to be found`, {
      hint: refusal.hint,
      cause: error,
    });
  }
  if (refusal !== null) {
    return new FrazilError(refusal.kind, refusal.code, text, { hint: refusal.hint, cause: error });
  }
  const unanswered = failure.status === null;
  return new FrazilError(
    "unavailable",
    unanswered ? "S3_UNREACHABLE" : "S3_UNAVAILABLE",
    unanswered ? `cannot ${action} ${location}: no answer from the store: ${failure.message || found}` : text,
    {
      hint: unanswered ? "check warehouse.s3.endpoint (or AWS_ENDPOINT_URL) and that the store is running" : undefined,
      cause: error,
    },
  );
}

interface Refusal {
  readonly kind: "config" | "permission" | "io" | "not-found" | "conflict" | "corrupt" | "unsupported";
  readonly code: string;
  readonly hint?: string;
}

/** The refusal that another attempt would only repeat, or null. */
function refusalOf({ status, code }: S3Failure): Refusal | null {
  if (code === "CredentialsProviderError") {
    return {
      kind: "permission",
      code: "S3_NO_CREDENTIALS",
      hint: "set warehouse.s3.access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    };
  }
  if (status === null || TRY_AGAIN.has(code)) return null;
  if (status === 507 || FULL.has(code)) {
    return { kind: "io", code: "S3_STORE_FULL", hint: "free space in the store, or raise its quota" };
  }
  if (code === "NoSuchBucket") {
    return { kind: "config", code: "S3_NO_SUCH_BUCKET", hint: "create the bucket, or correct warehouse.location" };
  }
  if (BAD_CREDENTIALS.has(code)) {
    return {
      kind: "permission",
      code: "S3_CREDENTIALS",
      hint: "check warehouse.s3.access_key_id and secret_access_key, or where they come from (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, the profile)",
    };
  }
  switch (status) {
    case 401:
    case 403:
      return {
        kind: "permission",
        code: "S3_DENIED",
        hint: "the job needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on its warehouse",
      };
    case 301:
    case 307:
      return { kind: "config", code: "S3_WRONG_REGION", hint: "set warehouse.s3.region to the bucket's region" };
    case 404:
      return MISSING.has(code)
        ? { kind: "not-found", code: "OBJECT_NOT_FOUND" }
        : { kind: "config", code: "S3_REFUSED" };
    case 408:
    case 429:
      return null;
    case 412:
      return { kind: "conflict", code: "S3_PRECONDITION_FAILED" };
    case 416:
      return { kind: "corrupt", code: "OBJECT_TOO_SHORT" };
    case 501:
      return { kind: "unsupported", code: "S3_NOT_IMPLEMENTED" };
  }
  return status >= 400 && status < 500 ? { kind: "io", code: "S3_REFUSED" } : null;
}
