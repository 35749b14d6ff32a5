/** Maps items with at most `atOnce` calls under way; results in the order of the items. The first error stops further calls. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed && next < items.length) {
      const index = next++;
      try {
        results[index] = await run(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

/** The same function with at most `atOnce` calls under way; further ones wait in the order in which they came. */
export function limitConcurrency<T, R>(atOnce: number, run: (item: T) => Promise<R>): (item: T) => Promise<R> {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  return async (item) => {
    if (underWay >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay += 1;
    try {
      return await run(item);
    } finally {
      // Whoever waits takes over this place.
      const next = waiting.shift();
      if (next === undefined) underWay -= 1;
      else next();
    }
  };
}

/** Maps items in their order with at most `atOnce` calls ahead of the consumer. */
export async function* mapAhead<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  const start = (item: T): void => {
    const call = run(item);
    // It is awaited in its turn, or never, when the consumer goes away.
    call.catch(() => undefined);
    underWay.push(call);
  };
  let next = 0;
  while (next < items.length || underWay.length > 0) {
    while (next < items.length && underWay.length < atOnce) start(items[next++] as T);
    yield await (underWay.shift() as Promise<R>);
  }
}
