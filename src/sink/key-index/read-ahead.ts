import { FrazilError } from "../../core/errors.ts";
import type { FileEntry } from "../keys/file-table.ts";
import type { ReadKeys } from "../keys/key-resolver.ts";
import { KEY_WORDS } from "../keys/key-words.ts";

/** Files whose keys are read at once: round trips are what counts where they are small. */
const FILES_IN_FLIGHT = 8;

/** Memory of a row's key while a file is read: its words, and its values decoded. */
const ROW_BYTES = 32;

/** Keys of rows of one of the files that follow each other. */
interface ReadRows {
  /** Which of the entries. */
  readonly index: number;
  readonly firstRow: number;
  readonly keys: Uint32Array;
  /** Whether they are the file's last. */
  readonly last: boolean;
}

interface Lane {
  readonly keys: AsyncIterator<Uint32Array>;
  readonly bytes: number;
  next: Promise<IteratorResult<Uint32Array>>;
}

/**
 * Reads the keys of files, several at once, in the order of the files and their rows: of each file that is read ahead its first rows wait, of the
 * present one the next.
 *
 * @param limitBytes what files that are read ahead may take now, roughly; the first is read whatever it takes.
 * @throws FrazilError `corrupt` for a file with another number of rows than its manifest says.
 */
export async function* readAhead(
  entries: readonly FileEntry[],
  read: ReadKeys,
  limitBytes: () => number,
): AsyncGenerator<ReadRows> {
  const lanes: Lane[] = [];
  let started = 0;
  let bytes = 0;
  const fill = (): void => {
    for (; started < entries.length && lanes.length < FILES_IN_FLIGHT; started++) {
      const entry = entries[started] as FileEntry;
      const own = Number(entry.live.file.recordCount) * ROW_BYTES;
      if (lanes.length > 0 && bytes + own > limitBytes()) return;
      const keys = read(entry)[Symbol.asyncIterator]();
      lanes.push({ keys, bytes: own, next: ask(keys) });
      bytes += own;
    }
  };
  try {
    for (const [index, entry] of entries.entries()) {
      fill();
      const lane = lanes[0] as Lane;
      const rows = Number(entry.live.file.recordCount);
      let firstRow = 0;
      for (let found = await lane.next; found.done !== true; found = await lane.next) {
        lane.next = ask(lane.keys);
        const keys = found.value;
        const end = firstRow + keys.length / KEY_WORDS;
        if (end > rows) throw rowsExpected(entry, end);
        yield { index, firstRow, keys, last: end === rows };
        firstRow = end;
      }
      if (firstRow !== rows) throw rowsExpected(entry, firstRow);
      lanes.shift();
      bytes -= lane.bytes;
    }
  } finally {
    for (const { keys, next } of lanes) {
      await next.catch(() => {});
      await keys.return?.();
    }
  }
}

/** What fails before somebody waits for it is told then. */
function ask(keys: AsyncIterator<Uint32Array>): Lane["next"] {
  const next = keys.next();
  next.catch(() => {});
  return next;
}

function rowsExpected({ live }: FileEntry, found: number): FrazilError {
  const { filePath, recordCount } = live.file;
  return new FrazilError(
    "corrupt",
    "KEY_ROWS",
    `${filePath}: expected ${recordCount} rows, as its manifest says, found ${found} or more`,
  );
}
