import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mendTimers } from "../../../../src/sources/kafka/kafkajs-timers.ts";

interface Queue {
  readonly throttleCheckTimeoutId: unknown;
  checkPendingRequests(): void;
  maybeThrottle(ms: number): void;
  push(request: { entry: { correlationId: number }; expectResponse: boolean; sendRequest: () => void }): void;
  destroy(): void;
}

const warnings: Error[] = [];
const note = (warning: Error): void => void warnings.push(warning);
beforeAll(() => void process.on("warning", note));
afterAll(() => void process.off("warning", note));

function queueOf(maxInFlightRequests: number | null): Queue {
  const RequestQueue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue") as new (
    options: object,
  ) => Queue;
  const logger = { debug() {}, warn() {} };
  return new RequestQueue({ maxInFlightRequests, requestTimeout: 1_000, enforceRequestTimeout: false, logger });
}

mendTimers();
mendTimers();

test("kafkajs sets no timer while no request waits", async () => {
  const queue = queueOf(null);
  queue.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: () => {} });
  queue.checkPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(warnings).toEqual([]);
});

test("a request that waits for throttling to end is sent then", async () => {
  const queue = queueOf(null);
  queue.maybeThrottle(30);
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    queue.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: resolve });
  });
  expect(performance.now() - startMs).toBeGreaterThan(20);
  queue.destroy();
  expect(warnings).toEqual([]);
});
