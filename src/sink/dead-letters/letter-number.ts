import {
  currentSchema,
  currentSnapshot,
  decodeValue,
  fieldByName,
  type FileIO,
  isPrimitive,
  type LoadedTable,
  planSnapshot,
  readDataFile,
  valueAt,
} from "../../../table-format/index.ts";
import { must } from "../../core/errors.ts";

/** The highest number of a letter in a dead-letter table, 0 in an empty one: by the bounds of its files, which are exact for whole numbers. */
export async function highestLetter(io: FileIO, { metadata }: LoadedTable): Promise<bigint> {
  const schema = currentSchema(metadata);
  const field = fieldByName(schema, "letter");
  const snapshot = currentSnapshot(metadata);
  if (field === null || !isPrimitive(field.type) || snapshot === null) return 0n;
  let highest = 0n;
  const meet = (letter: unknown): void => {
    if (typeof letter === "bigint" && letter > highest) highest = letter;
  };
  for (const { file } of (await planSnapshot(io, metadata, snapshot)).dataFiles) {
    const bound = file.upperBounds?.get(field.id);
    if (bound !== undefined) {
      meet(decodeValue(field.type, bound));
      continue;
    }
    // Another engine has rewritten the file without bounds.
    for await (const batch of readDataFile(io, file, schema, [field.id])) {
      const column = must(batch.columns[0], "one column asked for");
      for (let row = 0; row < batch.length; row++) meet(valueAt(column, row));
    }
  }
  return highest;
}
