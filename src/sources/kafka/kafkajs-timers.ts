import { createRequire } from "node:module";

interface RequestQueuePrototype {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

const mended = new WeakSet<RequestQueuePrototype>();

/**
 * Keeps kafkajs 2.2.4 from setting timers for times that have passed. After each answer it sets one to look at the requests that wait,
 * also where none does; the time until its throttling ends is then that of the epoch, and Node 24 says so on stderr
 * (tulios/kafkajs#1751). A request that begins to wait sets the timer itself, so that one for nobody can be left out.
 */
export function mendTimers(): void {
  const queue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue") as {
    readonly prototype: RequestQueuePrototype;
  };
  const { prototype } = queue;
  if (mended.has(prototype)) return;
  mended.add(prototype);
  const { scheduleCheckPendingRequests } = prototype;
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
}
