import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { identText, type LoadedTable, type TableIdent } from "./catalog.ts";

/** `v1.metadata.json`, `v2.gz.metadata.json` and on: what the catalogs of file systems call a table's versions. */
const COPY = /\/metadata\/v\d+(?:\.gz)?\.metadata\.json$/;

/**
 * Copies of committed metadata files as `vN.metadata.json`, where Java's HadoopCatalog and those who read like it look for a table's
 * newest version: the highest number counts. A copy is made after the commit that it shows, never before, and only if nothing stands
 * under its name. It decides nothing: one that is missing is made with the next commit, and until then such readers see an older version.
 */
export class VersionCopies {
  readonly #io: FileIO;
  /** By table: the metadata file whose copy is known to stand. */
  readonly #standing = new Map<string, string>();

  constructor(io: FileIO) {
    this.#io = io;
  }

  /**
   * Before a commit on `base`: makes the copy of `base` if it is not known to stand, as where its writer ended between commit and copy.
   * What keeps a copy from being made does not keep a commit from being made.
   * @throws FrazilError kind `unsupported`, code `FOREIGN_COMMIT`, when another catalog has put a version of its own there.
   */
  async complete(base: LoadedTable): Promise<void> {
    if (this.#standing.get(identText(base.ident)) === base.metadataLocation) return;
    let stands: boolean;
    try {
      stands = await this.#make(base, await this.#io.read(base.metadataLocation));
    } catch (error) {
      if (error instanceof FrazilError) return;
      throw error;
    }
    if (!stands) throw foreignCommit(base);
  }

  /**
   * After a commit: makes the copy of `next`, and drops those of versions that its log no longer names. Never throws: what goes wrong here,
   * a foreign file in the copy's place included, is found before the next commit.
   */
  async publish(base: LoadedTable | null, next: LoadedTable, bytes: Uint8Array): Promise<void> {
    const forgotten = base === null ? [] : forgottenCopies(base.metadata, next.metadata);
    await Promise.allSettled([this.#make(next, bytes), ...forgotten.map((copy) => this.#io.delete(copy))]);
  }

  /** Removes all copies of a table that is dropped. */
  async drop(ident: TableIdent, tableLocation: string): Promise<void> {
    this.#standing.delete(identText(ident));
    const copies: string[] = [];
    for await (const { location } of this.#io.list(`${tableLocation}/metadata`)) {
      if (COPY.test(location)) copies.push(location);
    }
    for (const copy of copies) await this.#io.delete(copy);
  }

  /** False when something else stands under the copy's name. */
  async #make({ ident, metadataLocation }: LoadedTable, bytes: Uint8Array): Promise<boolean> {
    const copy = copyLocation(metadataLocation);
    if (copy === null) return true;
    const { outcome } = await this.#io.create(copy, bytes);
    // Two writers may copy the same version.
    if (outcome === "exists" && !equalBytes(await this.#io.read(copy), bytes)) return false;
    this.#standing.set(identText(ident), metadataLocation);
    return true;
  }
}

/** Where the copy of `NNNNN-<uuid>.metadata.json` lies; versions count from 1 there. Null for files of other names. */
export function copyLocation(metadataLocation: string): string | null {
  const match = /^(.*\/)(\d{5,15})-[^/]*?((?:\.gz)?\.metadata\.json)$/.exec(metadataLocation);
  return match === null ? null : `${match[1]}v${Number(match[2]) + 1}${match[3]}`;
}

function forgottenCopies(base: TableMetadata, next: TableMetadata): string[] {
  const kept = new Set(next.metadataLog.map(({ metadataFile }) => metadataFile));
  const forgotten = base.metadataLog.filter(({ metadataFile }) => !kept.has(metadataFile));
  return forgotten.flatMap(({ metadataFile }) => copyLocation(metadataFile) ?? []);
}

function foreignCommit(base: LoadedTable): FrazilError {
  const copy = copyLocation(base.metadataLocation);
  const message = `${copy}: expected a copy of ${base.metadataLocation}, found something else: another kind of catalog has committed to the folder of ${identText(base.ident)}, or the table's hint was put back`;
  return new FrazilError("unsupported", "FOREIGN_COMMIT", message, {
    hint: "its commit is no part of the table: write what it added again, through a sqlite, postgres or REST catalog or a job, then remove that file and those with higher numbers",
  });
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
