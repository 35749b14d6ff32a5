import type { RestFetch, RestResponse } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { HTTP_ANSWER_BYTES, HTTP_TIMEOUT_MS } from "../core/limits.ts";

/**
 * The machine's HTTP client. It gives up after `HTTP_TIMEOUT_MS` and follows no redirect, which would turn a POST into a GET and
 * carry a token to another host.
 */
export const httpFetch: RestFetch = async (url, init): Promise<RestResponse> => {
  // oxlint-disable-next-line no-restricted-globals -- the adapter itself
  const response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(HTTP_TIMEOUT_MS) });
  return { status: response.status, headers: response.headers, text: () => boundedText(response, url) };
};

async function boundedText(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > HTTP_ANSWER_BYTES) {
      const message = `expected at most ${HTTP_ANSWER_BYTES} bytes in an answer of ${url}, found more`;
      throw new FrazilError("corrupt", "ANSWER_TOO_LARGE", message);
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks, size));
}
