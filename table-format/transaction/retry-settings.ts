/** How often and how long a commit is attempted. Times in milliseconds. */
export interface RetrySettings {
  /** Attempts after the first one. */
  readonly retries: number;
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  /** From the first attempt on; no attempt begins later. */
  readonly totalMs: number;
}

/** Table properties `commit.retry.*`; Java's defaults for what is missing or malformed. */
export function commitRetries(properties: ReadonlyMap<string, string>): RetrySettings {
  return {
    retries: whole(properties, "commit.retry.num-retries", 4),
    minWaitMs: whole(properties, "commit.retry.min-wait-ms", 100),
    maxWaitMs: whole(properties, "commit.retry.max-wait-ms", 60_000),
    totalMs: whole(properties, "commit.retry.total-timeout-ms", 1_800_000),
  };
}

/** Table properties `commit.status-check.*`: how long the answer to a lost response is looked for. */
export function statusChecks(properties: ReadonlyMap<string, string>): RetrySettings {
  return {
    retries: whole(properties, "commit.status-check.num-retries", 3),
    minWaitMs: whole(properties, "commit.status-check.min-wait-ms", 1_000),
    maxWaitMs: whole(properties, "commit.status-check.max-wait-ms", 60_000),
    totalMs: whole(properties, "commit.status-check.total-timeout-ms", 1_800_000),
  };
}

/** The pause before an attempt: doubled from one to the next, and up to a tenth longer, so that two writers do not move in step. */
export function pauseBefore(settings: RetrySettings, retry: number, jitter: number): number {
  const wait = Math.min(settings.minWaitMs * 2 ** Math.max(0, retry - 1), settings.maxWaitMs);
  return Math.round(wait * (1 + jitter / 10));
}

function whole(properties: ReadonlyMap<string, string>, key: string, fallback: number): number {
  const text = properties.get(key)?.trim();
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : fallback;
}
