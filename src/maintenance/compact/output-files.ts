import {
  type AnyBatch,
  type DataFile,
  type DataFileWriter,
  type FileIO,
  openDataFileWriter,
  parquetDataFile,
  type Schema,
  type Value,
} from "../../../table-format/index.ts";
import type { Runtime } from "../../core/runtime.ts";
import { batchBytes, pickRows } from "./batches.ts";
import type { Pacer } from "./pacer.ts";

/** How closely files come to their size. */
const PARTS_A_FILE = 8;

/** Where rows of a rewrite go. */
export interface OutputPlace {
  readonly specId: number;
  readonly partition: readonly (Value | null)[];
  /** A name that nobody used before. */
  location(): string;
}

export interface OutputSettings {
  readonly schema: Schema;
  /** The order that the rows come in, if it is one of the table's. */
  readonly sortOrderId: number | null;
  /** A file ends when it has about this size. */
  readonly fileSizeBytes: number;
  readonly rowGroupSizeBytes: number;
  readonly pacer: Pacer;
}

/** Writes the rows of a rewrite into data files, one open at a time: a new one for each partition, and when one is full. */
export class OutputFiles {
  readonly files: DataFile[] = [];
  readonly #io: FileIO;
  readonly #runtime: Runtime;
  readonly #settings: OutputSettings;
  #place: OutputPlace | null = null;
  #open: { readonly writer: DataFileWriter; readonly location: string } | null = null;

  constructor(io: FileIO, runtime: Runtime, settings: OutputSettings) {
    this.#io = io;
    this.#runtime = runtime;
    this.#settings = settings;
  }

  async write(place: OutputPlace, batch: AnyBatch): Promise<void> {
    if (batch.length === 0) return;
    if (this.#place !== place) await this.#endFile();
    this.#place = place;
    // Files end between batches: of files smaller than a batch each gets its part.
    const bytesPerRow = batchBytes(batch) / batch.length;
    const step = Math.max(1, Math.ceil(this.#settings.fileSizeBytes / PARTS_A_FILE / bytesPerRow));
    if (step >= batch.length) return this.#append(place, batch);
    for (let start = 0; start < batch.length; start += step) {
      const count = Math.min(step, batch.length - start);
      const from = start;
      await this.#append(
        place,
        pickRows(
          batch,
          Uint32Array.from({ length: count }, (_, row) => from + row),
        ),
      );
    }
  }

  async #append(place: OutputPlace, batch: AnyBatch): Promise<void> {
    const { schema, fileSizeBytes, rowGroupSizeBytes, pacer } = this.#settings;
    if (this.#open === null) {
      const location = place.location();
      const output = await this.#io.openWrite(location);
      this.#open = {
        location,
        writer: openDataFileWriter({ schema, output, rowGroupSizeBytes, breathe: () => pacer.breathe() }),
      };
    }
    const { writer } = this.#open;
    await writer.write(batch);
    if (writer.estimatedBytes >= fileSizeBytes) await this.#endFile();
  }

  /** All files, in the order in which their rows came. */
  async finish(): Promise<readonly DataFile[]> {
    await this.#endFile();
    return this.files;
  }

  /** Drops the file that is open; those that are finished are left, and belong to nothing. */
  async abort(): Promise<void> {
    await this.#open?.writer.abort();
    this.#open = null;
  }

  async #endFile(): Promise<void> {
    if (this.#open === null || this.#place === null) return;
    const { writer, location } = this.#open;
    const encoded = await writer.finish();
    this.#open = null;
    this.#runtime.step("compact.write");
    const { specId, partition } = this.#place;
    const { sortOrderId } = this.#settings;
    this.files.push(parquetDataFile(encoded, { filePath: location, specId, partition, sortOrderId }));
  }
}
