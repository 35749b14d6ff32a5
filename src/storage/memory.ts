import { type FileEntry, type FileIO, FrazilError, type OutputStream } from "../../table-format/index.ts";
import { contentTag } from "./content-tag.ts";

/**
 * A store in memory with the semantics of an object store, for tests and simulations. Bytes are copied on the way in and out.
 * @param nowMs the store's clock, milliseconds since 1970 UTC; without it all objects were written at 0
 */
export function createMemoryStorage(nowMs: () => number = () => 0): FileIO {
  return new MemoryStorage(nowMs);
}

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly lastModifiedMs: number;
}

class MemoryStorage implements FileIO {
  private readonly objects = new Map<string, StoredObject>();
  private readonly nowMs: () => number;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  async read(location: string): Promise<Uint8Array> {
    return copyOf(this.existing(location).bytes);
  }

  async readRange(location: string, offset: number, length: number): Promise<Uint8Array> {
    const { bytes } = this.existing(location);
    if (offset + length > bytes.length) {
      throw new FrazilError(
        "corrupt",
        "OBJECT_TOO_SHORT",
        `${location}: expected ${length} bytes at ${offset}, found an object of ${bytes.length} bytes`,
      );
    }
    return bytes.slice(offset, offset + length);
  }

  async stat(location: string): Promise<{ sizeBytes: number; etag: string } | null> {
    const object = this.objects.get(location);
    return object === undefined ? null : { sizeBytes: object.bytes.length, etag: object.etag };
  }

  async readTagged(location: string): Promise<{ bytes: Uint8Array; etag: string } | null> {
    const object = this.objects.get(location);
    return object === undefined ? null : { bytes: copyOf(object.bytes), etag: object.etag };
  }

  async write(location: string, bytes: Uint8Array): Promise<void> {
    this.put(location, copyOf(bytes));
  }

  async openWrite(location: string): Promise<OutputStream> {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    let open = true;
    return {
      write: async (chunk) => {
        if (!open) throw new FrazilError("internal", "STREAM_ENDED", `${location}: write after close or abort`);
        chunks.push(copyOf(chunk));
        sizeBytes += chunk.length;
      },
      close: async () => {
        if (!open) throw new FrazilError("internal", "STREAM_ENDED", `${location}: close after close or abort`);
        open = false;
        this.put(location, copyOf(Buffer.concat(chunks, sizeBytes)));
        return { sizeBytes };
      },
      abort: async () => {
        open = false;
        chunks.length = 0;
      },
    };
  }

  async create(
    location: string,
    bytes: Uint8Array,
  ): Promise<{ outcome: "created"; etag: string } | { outcome: "exists" }> {
    if (this.objects.has(location)) return { outcome: "exists" };
    return { outcome: "created", etag: this.put(location, copyOf(bytes)) };
  }

  async replace(
    location: string,
    bytes: Uint8Array,
    etag: string,
  ): Promise<{ outcome: "replaced"; etag: string } | { outcome: "conflict" }> {
    if (this.objects.get(location)?.etag !== etag) return { outcome: "conflict" };
    return { outcome: "replaced", etag: this.put(location, copyOf(bytes)) };
  }

  async *list(prefix: string): AsyncIterable<FileEntry> {
    const start = `${prefix}/`;
    for (const [location, { bytes, lastModifiedMs }] of this.objects) {
      if (location.startsWith(start)) yield { location, sizeBytes: bytes.length, lastModifiedMs };
    }
  }

  async delete(location: string): Promise<void> {
    this.objects.delete(location);
  }

  private existing(location: string): StoredObject {
    const object = this.objects.get(location);
    if (object === undefined) throw new FrazilError("not-found", "OBJECT_NOT_FOUND", `${location} does not exist`);
    return object;
  }

  private put(location: string, bytes: Uint8Array): string {
    const etag = contentTag(bytes);
    this.objects.set(location, { bytes, etag, lastModifiedMs: this.nowMs() });
    return etag;
  }
}

/** Not `slice`: a Buffer's is a view. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
