/**
 * Where to resume: for each split (unit read in parallel, such as `shop.orders/0`: topic and topic partition) the point after the
 * last change taken, in the source's own notation (Kafka: the next offset). Opaque to everything but the source, which orders
 * the points of one split by `Source.comparePoints`.
 */
export type Position = ReadonlyMap<string, string>;

/** The JSON object that stands in `ingest.position`, keys sorted so that equal positions have equal text. */
export function positionText(position: Position): string {
  return JSON.stringify(Object.fromEntries([...position].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Reads `positionText`'s form back. Split names such as `__proto__` are plain data. */
export function parsePosition(text: string): Position {
  return new Map(Object.entries(JSON.parse(text) as Record<string, string>));
}

/** `base` with the points of `later` in place of its own. */
export function advance(base: Position, later: Position): Position {
  return new Map([...base, ...later]);
}
