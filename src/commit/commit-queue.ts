import { identText, type LoadedTable, type TableIdent } from "../../table-format/index.ts";

/**
 * Lets those who commit to the same tables in one process take turns, in the order in which they asked: without it ingestion and
 * maintenance would build on the same head, and one of the two would do its work again. Between processes the catalog decides.
 */
export interface CommitQueue {
  /** Runs `attempt` while nobody else holds one of the tables. One load and one send a turn: waiting between attempts is done outside. */
  inTurn<T>(tables: readonly TableIdent[], attempt: () => Promise<T>): Promise<T>;
}

/** A queue for one process. */
export function createCommitQueue(): CommitQueue {
  /** The end of the last turn that was asked for, by table. */
  const tails = new Map<string, Promise<void>>();
  return {
    async inTurn(tables, attempt) {
      const names = tables.map(identText);
      const turn = Promise.withResolvers<void>();
      // All tables in one step: of two that want several, one is ahead at each of them, so neither waits for the other in a circle.
      const before = names.map((name) => tails.get(name) ?? Promise.resolve());
      for (const name of names) tails.set(name, turn.promise);
      await Promise.all(before);
      try {
        return await attempt();
      } finally {
        turn.resolve();
        for (const name of names) if (tails.get(name) === turn.promise) tails.delete(name);
      }
    },
  };
}

/** One attempt at committing to tables: in its turn where the process has a queue. */
export function inTurn<T>(
  queue: CommitQueue | undefined,
  tables: readonly Pick<LoadedTable, "ident">[],
  attempt: () => Promise<T>,
): Promise<T> {
  return queue === undefined
    ? attempt()
    : queue.inTurn(
        tables.map(({ ident }) => ident),
        attempt,
      );
}
