import { FrazilError } from "../errors.ts";

/** What is read; null when it does not exist (any more). @throws what reading throws, but for `not-found` */
export async function unlessGone<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FrazilError && error.kind === "not-found") return null;
    throw error;
  }
}
