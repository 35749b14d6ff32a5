/** What is used of a fetch function: `globalThis.fetch` fits. It must give up on its own after a while, and then throws. */
export type RestFetch = (
  url: string,
  init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
) => Promise<RestResponse>;

/** What is used of its answer. */
export interface RestResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** What a REST catalog is handed instead of a network, a clock and random numbers. */
export interface RestContext {
  readonly fetch: RestFetch;
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** A new random UUID each time. */
  uuid(): string;
  sleep(durationMs: number): Promise<void>;
}

/** An answer with its body read. */
export interface RestAnswer {
  readonly status: number;
  readonly text: string;
  header(name: string): string | null;
}

/**
 * One exchange; the body is part of it, since a connection lost in mid-body leaves as much unknown as one that never answered.
 * @throws what fetch throws.
 */
export async function exchange(fetch: RestFetch, url: string, init: Parameters<RestFetch>[1]): Promise<RestAnswer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, text, header: (name) => response.headers.get(name) };
}
