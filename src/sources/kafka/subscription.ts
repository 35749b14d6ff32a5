import { FrazilError } from "../../core/errors.ts";
import type { TopicDescription } from "./log.ts";

/** Which topics a job reads. */
export interface Subscription {
  /** Topics named one by one; each must exist. */
  readonly names: readonly string[];
  /** Patterns over whole names. */
  readonly patterns: readonly RegExp[];
}

/** `topics:` of a job. @throws FrazilError `config`. */
export function subscription(topics: readonly string[]): Subscription {
  const parsed = topics.map(parseTopic);
  return {
    names: [...new Set(parsed.filter((topic) => typeof topic === "string"))],
    patterns: parsed.filter((topic) => typeof topic !== "string"),
  };
}

/**
 * One entry of `topics:`: a name, or a pattern between slashes (no name holds a slash), which must match the whole name: `/orders/`
 * does not take in `orders_dlq`. @throws FrazilError `config`.
 */
export function parseTopic(topic: string): string | RegExp {
  if (!topic.startsWith("/")) {
    if (/^[A-Za-z0-9._-]{1,249}$/.test(topic)) return topic;
    throw invalid(topic, "letters, digits, `.`, `_` and `-`, or a pattern between slashes");
  }
  const body = /^\/(.+)\/$/.exec(topic)?.[1];
  if (body === undefined) throw invalid(topic, "a pattern between slashes");
  try {
    return new RegExp(`^(?:${body})$`);
  } catch (cause) {
    throw invalid(topic, "a regular expression", cause);
  }
}

/** Whether a topic is read. Patterns pass over the cluster's own topics. */
export function subscribes(to: Subscription, topic: TopicDescription): boolean {
  if (to.names.includes(topic.topic)) return true;
  return !topic.internal && to.patterns.some((pattern) => pattern.test(topic.topic));
}

function invalid(topic: string, expected: string, cause?: unknown): FrazilError {
  return new FrazilError("config", "KAFKA_TOPIC_NAME", `expected ${expected}, found "${topic}"`, { cause });
}
