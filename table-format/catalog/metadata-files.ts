import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { unlessGone } from "../io/unless-gone.ts";
import { MAX_CACHED_METADATA_BYTES } from "../limits.ts";
import { parseTableMetadata } from "../metadata/metadata-json.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { LoadedTable, TableIdent } from "./catalog.ts";

/** Parsed metadata kept per catalog: a few versions of each table of a job. */
const MAX_CACHED_FILES = 64;
/** How often a reader starts over when the file it was told of has been cleaned up meanwhile. */
const MAX_RELOADS = 5;
/** A name with a UUID is given once, so what it names never changes. `vN.metadata.json` may come again. */
const UNIQUE_NAME = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** Reads metadata files and remembers them by location, so that polling a table that does not move costs one small read. */
export class MetadataFiles {
  readonly #io: FileIO;
  readonly #cached = new Map<string, { readonly metadata: TableMetadata; readonly sizeBytes: number }>();
  #cachedBytes = 0;

  constructor(io: FileIO) {
    this.#io = io;
  }

  async load(location: string): Promise<TableMetadata> {
    const known = this.#cached.get(location);
    if (known !== undefined) {
      this.#keep(location, known.metadata, known.sizeBytes);
      return known.metadata;
    }
    const bytes = await this.#io.read(location);
    const metadata = parseTableMetadata(bytes, location);
    this.#keep(location, metadata, bytes.length);
    return metadata;
  }

  /** Keeps what a file is known to hold that was made of another one, with which it shares nearly all. */
  remember(location: string, metadata: TableMetadata): void {
    this.#keep(location, metadata, this.#cached.get(location)?.sizeBytes ?? 0);
  }

  /** The least recently used ones go, but not the last. */
  #keep(location: string, metadata: TableMetadata, sizeBytes: number): void {
    if (!UNIQUE_NAME.test(location)) return;
    this.#forget(location);
    this.#cached.set(location, { metadata, sizeBytes });
    this.#cachedBytes += sizeBytes;
    while (
      this.#cached.size > MAX_CACHED_FILES ||
      (this.#cachedBytes > MAX_CACHED_METADATA_BYTES && this.#cached.size > 1)
    ) {
      this.#forget(this.#cached.keys().next().value as string);
    }
  }

  #forget(location: string): void {
    this.#cachedBytes -= this.#cached.get(location)?.sizeBytes ?? 0;
    this.#cached.delete(location);
  }

  /**
   * Follows a pointer to a metadata file, anew if the file is gone because the table has moved on by many commits meanwhile.
   * @param pointer the location of the current file, or null when there is no such table.
   */
  async follow(ident: TableIdent, pointer: () => Promise<string | null>): Promise<LoadedTable | null> {
    let missing: string | null = null;
    for (let attempt = 0; ; attempt++) {
      const metadataLocation = await pointer();
      if (metadataLocation === null) return null;
      if (metadataLocation === missing || attempt > MAX_RELOADS) {
        const message = `the catalog names ${metadataLocation}, which does not exist`;
        throw new FrazilError("corrupt", "METADATA_MISSING", message);
      }
      const metadata = await unlessGone(() => this.load(metadataLocation));
      if (metadata !== null) return { ident, metadata, metadataLocation };
      missing = metadataLocation;
    }
  }
}
