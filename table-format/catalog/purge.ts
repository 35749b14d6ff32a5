import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { tableRoots } from "../io/confined.ts";
import type { FileIO } from "../io/file-io.ts";
import { unlessGone } from "../io/unless-gone.ts";
import { FILES_DELETED_AT_ONCE, MANIFESTS_AT_ONCE } from "../limits.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import { readManifest } from "../manifest/manifest-reader.ts";
import { statisticsPaths } from "../metadata/statistics.ts";
import { identText, type LoadedTable } from "./catalog.ts";

/** @throws FrazilError `config`, code `GC_DISABLED`, for a table whose files are not its own, by its property `gc.enabled`. */
export function checkMayDelete({ ident, metadata }: Pick<LoadedTable, "ident" | "metadata">): void {
  if (metadata.properties.get("gc.enabled") !== "false") return;
  throw new FrazilError(
    "config",
    "GC_DISABLED",
    `table ${identText(ident)} has gc.enabled=false: its files may belong to other tables too`,
    { hint: "let the engine that set the property clean it up" },
  );
}

/**
 * The files that go with a table: what its snapshots and its metadata log name and that lies in its own folders, data first and the current
 * metadata file last. Files elsewhere were brought by whoever knows to whom else they belong; files that nothing names stay, too. Held in
 * memory: some 100 bytes a file.
 *
 * @throws FrazilError `config`, code `GC_DISABLED`; `corrupt` for a manifest that cannot be read. Missing ones name nothing any more.
 */
export async function ownFiles(io: FileIO, table: LoadedTable): Promise<readonly string[]> {
  checkMayDelete(table);
  const { metadata, metadataLocation } = table;
  const manifests = new Set<string>();
  const contents = new Set<string>(statisticsPaths(metadata));
  for (const snapshot of metadata.snapshots) {
    const unseen = ((await unlessGone(() => readManifestList(io, snapshot))) ?? []).filter(
      ({ path }) => !manifests.has(path),
    );
    for (const { path } of unseen) manifests.add(path);
    await mapConcurrently(unseen, MANIFESTS_AT_ONCE, async (manifest) => {
      const entries = (await unlessGone(() => readManifest(io, metadata, manifest))) ?? [];
      for (const { status, file } of entries) if (status !== "deleted") contents.add(file.filePath);
    });
  }
  const lists = metadata.snapshots.flatMap(({ manifestList, manifests: own }) =>
    own === undefined ? manifestList : [],
  );
  const log = metadata.metadataLog.map(({ metadataFile }) => metadataFile);
  const all = new Set([...contents, ...manifests, ...lists, ...log, metadataLocation]);
  const roots = tableRoots(metadata);
  return [...all].filter((location) => roots.some((root) => location.startsWith(`${root}/`)));
}

/** Deletes files of a table that is dropped, all but the last of them before the last one: what is left over names itself. */
export async function deleteFiles(io: FileIO, files: readonly string[]): Promise<void> {
  const last = files.at(-1);
  await mapConcurrently(files.slice(0, -1), FILES_DELETED_AT_ONCE, (location) => io.delete(location));
  if (last !== undefined) await io.delete(last);
}
