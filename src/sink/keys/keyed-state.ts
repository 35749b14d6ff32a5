import { currentSchema } from "../../../table-format/index.ts";
import type { CommitContext } from "../../commit/context.ts";
import type { TrackedTable } from "../../commit/tracked-table.ts";
import { FileTable } from "./file-table.ts";
import type { KeyStore } from "../key-index/key-store.ts";
import { areExact, keySignature } from "./key-words.ts";
import { fileKeys, keyFields, type TableState } from "./table-state.ts";

/** What is known of a table, and what its keys are made of (`keySignature`). */
export interface KeyedState extends TableState {
  readonly signature: string;
}

/** Opens where a table's keys are kept; the state mirrors no snapshot yet. @param key names of the key columns. */
export async function openKeyedState(
  { io }: Pick<CommitContext, "io">,
  keys: KeyStore,
  table: TrackedTable,
  key: readonly string[],
): Promise<KeyedState> {
  const { metadata } = table.loaded;
  const fields = keyFields(currentSchema(metadata), key);
  const signature = keySignature(fields);
  const files = new FileTable();
  const { resolver, seed } = await keys.open({
    uuid: metadata.tableUuid,
    name: table.name,
    files,
    signature,
    exact: areExact(fields.map(({ type }) => type)),
    readWith: (given) => (entry) => fileKeys(io, currentSchema(table.loaded.metadata), key, given, entry.live.file),
  });
  return { files, resolver, key, seed, snapshotId: null, signature };
}
