import { openReaders, type Readers } from "../readers/reader.ts";

/** How the errors begin that a process of readers ends with, as which it gives no answer any more. */
const ENDED = /^the readers (ended|gave no answer)/;

/** What a long run needs of readers. A process of theirs that ended is replaced; who was waiting for it hears so and may ask again. */
export type LastingReaders = Pick<Readers, "pyiceberg" | "describe"> & AsyncDisposable;

export async function openLastingReaders(): Promise<LastingReaders> {
  let readers = await openReaders();

  async function ask<T>(of: (now: Readers) => Promise<T>): Promise<T> {
    const asked = readers;
    try {
      return await of(asked);
    } catch (error) {
      if (!ENDED.test((error as Error).message)) throw error;
      if (readers === asked) readers = await openReaders();
      // Not its message: what the process last said may name files that are not there.
      throw new Error("expected an answer, found that the readers had to be started again", { cause: error });
    }
  }

  return {
    pyiceberg: (table, options) => ask((now) => now.pyiceberg(table, options)),
    describe: (table, options) => ask((now) => now.describe(table, options)),
    [Symbol.asyncDispose]: () => readers[Symbol.asyncDispose](),
  };
}
