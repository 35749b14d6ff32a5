import { nearest } from "../../config/suggest.ts";
import { FrazilError } from "../../core/errors.ts";
import { answerError } from "./broker-error.ts";
import type { KafkaLog, TopicDescription } from "./log.ts";
import { type Subscription, subscribes } from "./subscription.ts";

/** Errors of a topic that pass by themselves: it is just being made, or its leaders are being elected. */
const PASSING: readonly (string | null)[] = ["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"];

/**
 * The topics that a job reads, as they are now; one that is not there comes without partitions.
 * @throws FrazilError as `KafkaLog` says, and `permission` or `config` for a topic that is refused.
 */
export async function describeSubscribed(log: KafkaLog, to: Subscription): Promise<TopicDescription[]> {
  const named = await log.describe(to.names);
  const all = to.patterns.length === 0 ? [] : await log.describe(null);
  const matched = all.filter((topic) => subscribes(to, topic) && !to.names.includes(topic.topic));
  for (const { topic, error } of named) {
    if (error !== null && !PASSING.includes(error)) throw answerError(error, topic);
  }
  return [...named, ...matched];
}

/** Checks that every topic that is named exists. @throws FrazilError `config` with the name that may be meant. */
export async function checkTopics(log: KafkaLog, topics: readonly TopicDescription[]): Promise<void> {
  const missing = topics.filter(({ error }) => error === "UNKNOWN_TOPIC_OR_PARTITION").map(({ topic }) => topic);
  if (missing.length === 0) return;
  const there = (await log.describe(null)).filter(({ internal }) => !internal).map(({ topic }) => topic);
  const problems = missing.map((topic) => {
    const meant = nearest(topic, there);
    return meant === null ? topic : `${topic} (did you mean ${meant}?)`;
  });
  throw new FrazilError("config", "TOPIC_NOT_FOUND", `no such topic: ${problems.join(", ")}`, {
    hint: there.length === 0 ? "the cluster has no topics that we may see" : `there are ${summary(there.toSorted())}`,
  });
}

function summary(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
