import type { Catalog, FileIO, LoadedTable, TableIdent } from "../../../table-format/index.ts";
import { compareCounted } from "../../core/counted-point.ts";
import { DEAD_LETTER_SPLIT, type LetterOrigin, type ReplayedSlab } from "../../core/dead-letter.ts";
import type { Decoder } from "../../core/format.ts";
import { KAFKA_SLAB_BYTES } from "../../core/limits.ts";
import type { Source, SourceBatch } from "../../core/source.ts";
import { type Letter, readLetters } from "./letters.ts";

export interface LetterSourceDeps {
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly decoder: Decoder;
  readonly table: TableIdent;
  readonly pipeline: string;
}

const MESSAGE = [
  "letter",
  "pipeline",
  "topic",
  "partition",
  "offset",
  "timestamp",
  "key",
  "value",
  "headers",
] as const satisfies readonly (keyof Letter)[];

type Message = Pick<Letter, (typeof MESSAGE)[number]>;

/**
 * Reads the letters of a dead-letter table, as of the opening, as the messages that they were. There is one split, whose point is the
 * number of the letter to read next; it is committed with the changes like any other, so that a letter is replayed once.
 */
export function createLetterSource(deps: LetterSourceDeps): Source {
  const { io, catalog, decoder, pipeline } = deps;
  let table: LoadedTable | null = null;
  return {
    async open() {
      table = await catalog.loadTable(deps.table);
    },
    startPosition: async () => new Map([[DEAD_LETTER_SPLIT, "0"]]),
    async endPosition() {
      let end = 0n;
      if (table !== null) {
        for await (const letters of readLetters(io, table, pipeline, ["letter", "pipeline"])) {
          end = (letters.at(-1)?.letter ?? -1n) + 1n;
        }
      }
      return new Map([[DEAD_LETTER_SPLIT, String(end)]]);
    },
    // Also of the splits that the letters come from.
    comparePoints: compareCounted,
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal): AsyncGenerator<SourceBatch> {
      if (table === null) return;
      const start = BigInt(from.get(DEAD_LETTER_SPLIT) ?? "0");
      for await (const group of readLetters(io, table, pipeline, MESSAGE)) {
        for (const run of slabRuns(group.filter(({ letter }) => letter >= start))) {
          if (signal.aborted) return;
          const end = (run.at(-1) as Message).letter + 1n;
          yield {
            changes: decoder.decode(slabOf(run)),
            ends: new Map([[DEAD_LETTER_SPLIT, String(end)]]),
            records: run.length,
          };
        }
      }
    },
  };
}

/** Letters that go into one slab: of one topic, in their order, of bounded size. */
function* slabRuns(letters: readonly Message[]): Generator<Message[]> {
  let run: Message[] = [];
  let bytes = 0;
  for (const letter of letters) {
    if (run.length > 0 && (run[0]?.topic !== letter.topic || bytes >= KAFKA_SLAB_BYTES)) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(letter);
    bytes += (letter.key?.length ?? 0) + (letter.value?.length ?? 0);
  }
  if (run.length > 0) yield run;
}

/** Letters of one topic as messages; their numbers stand for offsets. */
function slabOf(letters: readonly Message[]): ReplayedSlab {
  const count = letters.length;
  const sizeBytes = letters.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
  const bytes = new Uint8Array(sizeBytes);
  const [keyStarts, keyEnds, valueStarts, valueEnds] = [0, 1, 2, 3].map(() => new Int32Array(count).fill(-1)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  let at = 0;
  const put = (part: Uint8Array | null, starts: Int32Array, ends: Int32Array, message: number): void => {
    if (part === null) return;
    bytes.set(part, at);
    starts[message] = at;
    at += part.length;
    ends[message] = at;
  };
  for (const [message, { key, value }] of letters.entries()) {
    put(key, keyStarts, keyEnds, message);
    put(value, valueStarts, valueEnds, message);
  }
  return {
    stream: (letters[0] as Message).topic,
    split: DEAD_LETTER_SPLIT,
    count,
    bytes,
    keyStarts,
    keyEnds,
    valueStarts,
    valueEnds,
    offsets: BigInt64Array.from(letters, ({ letter }) => letter),
    timestampsMs: Float64Array.from(letters, ({ timestamp }) => Number(timestamp / 1_000n)),
    headers: (message) => parseHeaders((letters[message] as Message).headers),
    origins: letters.map(({ partition, offset }): LetterOrigin => ({ partition, offset })),
  };
}

/** The headers that a letter's text stands for. */
export function parseHeaders(text: string): (readonly [string, Uint8Array | null])[] {
  const headers = JSON.parse(text) as [string, string | null][];
  return headers.map(([name, value]) => [name, value === null ? null : new Uint8Array(Buffer.from(value, "base64"))]);
}
