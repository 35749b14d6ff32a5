/**
 * Which stream it is that bears a name, where its source can tell: Kafka's topic ids. One that is deleted and made anew under the same
 * name has another id, and begins the next generation; the points of a position say which generation they count in.
 */
export interface StreamId {
  readonly id: string;
  /** From 1. */
  readonly generation: number;
}

/** By the stream's name. */
export type StreamIds = ReadonlyMap<string, StreamId>;

/** The JSON object that stands in `ingest.stream-ids`: the id and, from the second generation on, `@` and its number; keys sorted. */
export function streamIdsText(ids: StreamIds): string {
  const texts = [...ids].map(([stream, { id, generation }]) => [stream, generation === 1 ? id : `${id}@${generation}`]);
  return JSON.stringify(Object.fromEntries(texts.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))));
}

/** Reads `streamIdsText`'s form back. Stream names such as `__proto__` are plain data. */
export function parseStreamIds(text: string): StreamIds {
  return new Map(Object.entries(JSON.parse(text) as Record<string, string>).map(([stream, id]) => [stream, idOf(id)]));
}

function idOf(text: string): StreamId {
  const later = /^(.*)@([1-9]\d{0,8})$/s.exec(text);
  return { id: later?.[1] ?? text, generation: Number(later?.[2] ?? 1) };
}

/** What all of them know: of each stream the id of its latest generation. */
export function latestIds(all: Iterable<StreamIds | undefined>): StreamIds {
  const latest = new Map<string, StreamId>();
  for (const ids of all) {
    for (const [stream, id] of ids ?? []) {
      if (id.generation > (latest.get(stream)?.generation ?? 0)) latest.set(stream, id);
    }
  }
  return latest;
}
