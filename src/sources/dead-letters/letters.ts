import {
  currentSchema,
  currentSnapshot,
  deletedPositions,
  fieldByName,
  type FileIO,
  FrazilError,
  identText,
  type LoadedTable,
  planSnapshot,
  readDataFile,
  valueAt,
} from "../../../table-format/index.ts";
import { DEAD_LETTER_COLUMNS } from "../../core/dead-letter.ts";

/** A dead letter as the table holds it. */
export interface Letter {
  readonly letter: bigint;
  readonly topic: string;
  readonly partition: number | null;
  readonly offset: bigint;
  /** Microseconds since 1970 UTC. */
  readonly timestamp: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** JSON: see `DEAD_LETTER_COLUMNS`. */
  readonly headers: string;
  readonly code: string;
  readonly reason: string;
  readonly column: string | null;
  readonly target: string | null;
  readonly pipeline: string;
}

/** All that is not the message's content. */
export const LETTER_HEAD = [
  "letter",
  "topic",
  "partition",
  "offset",
  "timestamp",
  "code",
  "reason",
  "column",
  "target",
  "pipeline",
] as const satisfies readonly (keyof Letter)[];

/**
 * The letters of one pipeline in a dead-letter table as it is now, row group by row group, each in the order of their numbers.
 *
 * @param names the columns to read; `pipeline` and `letter` must be among them.
 * @throws FrazilError `data` when the table lacks a column; `unsupported` when its rows can no longer be read in order.
 */
export async function* readLetters<N extends keyof Letter>(
  io: FileIO,
  table: LoadedTable,
  pipeline: string,
  names: readonly N[],
): AsyncGenerator<Pick<Letter, N | "letter">[]> {
  const { metadata } = table;
  const schema = currentSchema(metadata);
  const snapshot = currentSnapshot(metadata);
  if (snapshot === null) return;
  const ids = names.map((name) => fieldByName(schema, name)?.id ?? missingColumn(table, name));
  const letterId = ids[names.indexOf("letter" as N)] as number;
  const plan = await planSnapshot(io, metadata, snapshot);
  if (plan.hasEqualityDeletes) throw notInOrder(table, "it has equality deletes");
  const positions = deletedPositions(io);
  const files = await Promise.all(
    plan.dataFiles.map(async ({ file }) => ({
      file,
      deleted: await positions.of(file, plan.deletes.get(file.filePath) ?? []),
      first: await firstLetter(io, file, schema, letterId),
    })),
  );
  files.sort((a, b) => (a.first < b.first ? -1 : 1));
  let last = 0n;
  for (const { file, deleted } of files) {
    let position = 0;
    for await (const batch of readDataFile(io, file, schema, ids)) {
      const letters: Pick<Letter, N | "letter">[] = [];
      for (let row = 0; row < batch.length; row++, position++) {
        if (deleted.has(position)) continue;
        const entries = batch.columns.map((column, index) => [names[index], valueAt(column, row)] as const);
        const letter = Object.fromEntries(entries) as unknown as Letter;
        if (letter.pipeline === pipeline) letters.push(letter);
      }
      letters.sort((a, b) => (a.letter < b.letter ? -1 : 1));
      const [head] = letters;
      if (head === undefined) continue;
      if (head.letter <= last) throw notInOrder(table, `letter ${head.letter} stands behind letter ${last}`);
      last = (letters.at(-1) as Letter).letter;
      yield letters;
    }
  }
}

/** The number of a file's first letter of all: rows of several pipelines never share a file of ours. */
async function firstLetter(
  io: FileIO,
  file: Parameters<typeof readDataFile>[1],
  schema: Parameters<typeof readDataFile>[2],
  letterId: number,
): Promise<bigint> {
  for await (const batch of readDataFile(io, file, schema, [letterId])) {
    const column = batch.columns[0];
    const value = column === undefined || batch.length === 0 ? null : valueAt(column, 0);
    if (typeof value === "bigint") return value;
  }
  return 0n;
}

function missingColumn(table: LoadedTable, name: string): never {
  throw new FrazilError(
    "data",
    "NOT_DEAD_LETTERS",
    `table ${identText(table.ident)} has no column ${name}: expected ${Object.keys(DEAD_LETTER_COLUMNS).join(", ")}`,
    { hint: "name the job's own dead-letter table under dead_letter.table" },
  );
}

function notInOrder(table: LoadedTable, found: string): FrazilError {
  return new FrazilError(
    "unsupported",
    "LETTERS_REWRITTEN",
    `table ${identText(table.ident)} was rewritten in another order: ${found}`,
    { hint: "rewrite it sorted by letter, or query it with frazil query" },
  );
}
