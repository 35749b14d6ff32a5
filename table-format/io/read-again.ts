import { crc32 } from "../codec/crc32.ts";
import { FrazilError } from "../errors.ts";
import { READ_ATTEMPTS } from "../limits.ts";
import type { FileIO } from "./file-io.ts";

/** What reading takes. */
export type Reads = Pick<FileIO, "read" | "readRange">;

/**
 * Reads and decodes; what is broken is asked for again, as a range of an object comes without a checksum and may have changed on its way.
 * Bytes that come the same again are broken where they lie.
 *
 * @param decode reads by what it is given; `attempt` counts from 1
 * @throws what `decode` throws: at once, but for errors of the kinds `corrupt` and `unsupported`, which a changed byte may look like
 */
export async function readAgain<T>(io: Reads, decode: (io: Reads, attempt: number) => Promise<T>): Promise<T> {
  let before = "";
  for (let attempt = 1; ; attempt++) {
    const came: { readonly what: string; readonly bytes: Uint8Array }[] = [];
    const noted = async (what: string, coming: Promise<Uint8Array>): Promise<Uint8Array> => {
      const bytes = await coming;
      came.push({ what, bytes });
      return bytes;
    };
    const reads: Reads = {
      read: (location) => noted(location, io.read(location)),
      readRange: (location, offset, length) =>
        noted(`${location} ${offset} ${length}`, io.readRange(location, offset, length)),
    };
    try {
      return await decode(reads, attempt);
    } catch (error) {
      const isBroken = error instanceof FrazilError && (error.kind === "corrupt" || error.kind === "unsupported");
      if (!isBroken || attempt === READ_ATTEMPTS) throw error;
      const now = came
        .map(({ what, bytes }) => `${what} ${crc32(bytes)}`)
        .sort()
        .join("\n");
      if (now === before) throw error;
      before = now;
    }
  }
}
