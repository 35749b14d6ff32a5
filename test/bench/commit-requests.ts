import type { FileIO } from "../../table-format/index.ts";

/** What a store was asked since `clear`. */
export interface Requests {
  /** All requests; of a file that is streamed out, one. */
  count: number;
  /** Bytes written to data files, and to everything else. */
  dataBytes: number;
  metadataBytes: number;
  /** When the last data file had been written; `performance.now()`. */
  dataWrittenMs: number;
  clear(): void;
}

/** A store that counts what it is asked, on its way to another one. */
export function watched(store: FileIO): { readonly io: FileIO; readonly requests: Requests } {
  const requests: Requests = {
    count: 0,
    dataBytes: 0,
    metadataBytes: 0,
    dataWrittenMs: 0,
    clear: () => void Object.assign(requests, { count: 0, dataBytes: 0, metadataBytes: 0, dataWrittenMs: 0 }),
  };
  const wrote = (location: string, bytes: number): void => {
    if (!location.includes("/data/")) {
      requests.metadataBytes += bytes;
      return;
    }
    requests.dataBytes += bytes;
    requests.dataWrittenMs = performance.now();
  };
  const asked = <T>(request: Promise<T>): Promise<T> => {
    requests.count++;
    return request;
  };
  const io: FileIO = {
    read: (location) => asked(store.read(location)),
    readRange: (location, offset, length) => asked(store.readRange(location, offset, length)),
    stat: (location) => asked(store.stat(location)),
    readTagged: (location) => asked(store.readTagged(location)),
    async write(location, bytes) {
      await asked(store.write(location, bytes));
      wrote(location, bytes.length);
    },
    async openWrite(location) {
      const output = await store.openWrite(location);
      return {
        write: (chunk) => output.write(chunk),
        abort: () => output.abort(),
        async close() {
          const closed = await asked(output.close());
          wrote(location, closed.sizeBytes);
          return closed;
        },
      };
    },
    async create(location, bytes) {
      const outcome = await asked(store.create(location, bytes));
      wrote(location, bytes.length);
      return outcome;
    },
    async replace(location, bytes, etag) {
      const outcome = await asked(store.replace(location, bytes, etag));
      wrote(location, bytes.length);
      return outcome;
    },
    list: (prefix) => {
      requests.count++;
      return store.list(prefix);
    },
    delete: (location) => asked(store.delete(location)),
  };
  return { io, requests };
}
