import type { AnyJob } from "../registry.ts";

/** A job whose source begins with the oldest that it still holds. */
export function fromBeginning(job: AnyJob): AnyJob {
  const { source } = job;
  if (source.type === "kafka") return { ...job, source: { ...source, start: "earliest" } };
  return source.type === "table" ? { ...job, source: { ...source, from: "earliest" } } : job;
}
