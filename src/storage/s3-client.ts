import type * as S3Sdk from "@aws-sdk/client-s3";
import { FrazilError } from "../core/errors.ts";
import {
  S3_ATTEMPTS,
  S3_CONNECT_TIMEOUT_MS,
  S3_FIRST_PAUSE_MS,
  S3_IDLE_TIMEOUT_MS,
  S3_LONGEST_PAUSE_MS,
  S3_REQUEST_TIMEOUT_MS,
} from "../core/limits.ts";
import type { Runtime } from "../core/runtime.ts";
import { s3Error } from "./s3-errors.ts";

/** `warehouse.s3` of the job file. What is absent comes from the SDK's own chain (environment, profile, instance role). */
export interface S3Settings {
  readonly endpoint?: string | undefined;
  /** Default: the SDK's chain, and `us-east-1` where an endpoint is named. */
  readonly region?: string | undefined;
  /** `http://host/bucket/key` instead of `http://bucket.host/key`. Default: true where an endpoint is named. */
  readonly pathStyle?: boolean | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  /** Credentials that end, asked for again when they do; in the place of the three above. */
  readonly credentials?: (() => Promise<S3Credentials>) | undefined;
  /** From a request's first byte to its answer's head. Default `S3_REQUEST_TIMEOUT_MS`. */
  readonly requestTimeoutMs?: number | undefined;
  /** Entries to a page of a list. Default: as many as the store gives, 1,000. */
  readonly listPage?: number | undefined;
}

/** Access keys, and when they end. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export type S3Deps = Pick<Runtime, "clock" | "random" | "log">;

/** The SDK's module beside the client made from it. */
export interface S3Connection {
  readonly sdk: typeof S3Sdk;
  readonly client: S3Sdk.S3Client;
}

/**
 * Sends requests. The SDK itself never repeats one: a hidden second attempt of a conditional write would meet the first one's effect
 * and report our own success as somebody else's.
 */
export interface S3Sender {
  /** One attempt; throws what the SDK throws. */
  once<T>(call: (connection: S3Connection) => Promise<T>): Promise<T>;
  /**
   * Up to `S3_ATTEMPTS` attempts with growing pauses, for requests that may be repeated.
   * @param action what is tried, for messages, such as `read`
   * @throws FrazilError
   */
  repeated<T>(action: string, location: string, call: (connection: S3Connection) => Promise<T>): Promise<T>;
}

/** The SDK is loaded at the first request: a job on a local folder does without its 90 ms and 20 MB. */
export function createS3Sender(settings: S3Settings, deps: S3Deps): S3Sender {
  if ((settings.accessKeyId === undefined) !== (settings.secretAccessKey === undefined)) {
    throw new FrazilError(
      "config",
      "S3_HALF_CREDENTIALS",
      "expected warehouse.s3.access_key_id and secret_access_key together, found only one of them",
    );
  }
  let connection: Promise<S3Connection> | null = null;
  const once = async <T>(call: (connection: S3Connection) => Promise<T>): Promise<T> =>
    call(await (connection ??= connect(settings)));
  const repeated = async <T>(
    action: string,
    location: string,
    call: (connection: S3Connection) => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(call);
      } catch (error) {
        const failure = s3Error(error, action, location);
        if (failure.kind !== "unavailable" || attempt === S3_ATTEMPTS) throw failure;
        deps.log.warn("store did not answer, trying again", { action, location, attempt, reason: failure.message });
        await deps.clock.sleep(pauseMs(attempt, deps.random.uint32()));
      }
    }
  };
  return { once, repeated };
}

async function connect(settings: S3Settings): Promise<S3Connection> {
  const sdk = await import("@aws-sdk/client-s3");
  const { endpoint, accessKeyId, secretAccessKey, sessionToken } = settings;
  const region = settings.region ?? (endpoint === undefined ? undefined : "us-east-1");
  const client = new sdk.S3Client({
    maxAttempts: 1,
    forcePathStyle: settings.pathStyle ?? endpoint !== undefined,
    // Checksums are asked for where they are wanted: the SDK's defaults break multipart uploads on some other stores.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // `Expect: 100-continue` costs every large request a connection of its own.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: S3_CONNECT_TIMEOUT_MS,
      requestTimeout: settings.requestTimeoutMs ?? S3_REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      socketTimeout: S3_IDLE_TIMEOUT_MS,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
  });
  if (region === undefined) await requireRegion(client);
  return { sdk, client };
}

/** The SDK looks for a region only when it signs, and its error then looks like that of a store that does not answer. */
async function requireRegion(client: S3Sdk.S3Client): Promise<void> {
  try {
    await client.config.region();
  } catch (error) {
    throw new FrazilError("config", "S3_NO_REGION", "expected the region of the bucket, found none", {
      hint: "set warehouse.s3.region or AWS_REGION",
      cause: error,
    });
  }
}

function pauseMs(attempt: number, random: number): number {
  const full = Math.min(S3_FIRST_PAUSE_MS * 2 ** (attempt - 1), S3_LONGEST_PAUSE_MS);
  return full / 2 + (full / 2) * (random / 2 ** 32);
}
