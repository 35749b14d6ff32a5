import { FrazilError } from "../errors.ts";
import { compareBytes } from "../values/single-value.ts";
import { corruptVariant, textOf, unsignedAt } from "./corrupt.ts";

const VERSION = 1;

/** The dictionary of a variant's metadata: field names by their ids (Parquet's VariantEncoding, "Metadata encoding"). */
export class VariantNames {
  /** The bytes that it was read from. */
  readonly metadata: Uint8Array;
  readonly #names: readonly string[];
  #ids: Map<string, number> | null = null;

  constructor(metadata: Uint8Array, names: readonly string[]) {
    this.metadata = metadata;
    this.#names = names;
  }

  get size(): number {
    return this.#names.length;
  }

  name(id: number): string | undefined {
    return this.#names[id];
  }

  /** The id of a name; undefined when the dictionary lacks it. Dictionaries that are not sorted may hold a name twice: then the first. */
  idOf(name: string): number | undefined {
    let ids = this.#ids;
    if (ids === null) {
      // Not looked up by order: whether a dictionary is sorted is only claimed.
      ids = new Map(this.#names.map((each, id) => [each, id] as const).reverse());
      this.#ids = ids;
    }
    return ids.get(name);
  }
}

/**
 * Reads metadata that ends with its bytes.
 * @throws FrazilError kind `corrupt` naming the byte; `unsupported` for a version above 1
 */
export function parseVariantNames(metadata: Uint8Array): VariantNames {
  const header = metadata[0];
  if (header === undefined) throw corruptVariant("metadata", 0, "a header", "no bytes");
  const version = header & 0x0f;
  if (version !== VERSION) {
    throw new FrazilError(
      "unsupported",
      "VARIANT_VERSION",
      `byte 0 of the metadata: variants of version ${VERSION} are read, found version ${version}`,
    );
  }
  const width = (header >> 6) + 1;
  const size = metadata.length < 1 + width ? 0 : unsignedAt(metadata, 1, width);
  const offsetsAt = 1 + width;
  const bytesAt = offsetsAt + (size + 1) * width;
  if (bytesAt > metadata.length) {
    throw corruptVariant("metadata", 1, `${size + 1} offsets in ${metadata.length} bytes`, "too few bytes");
  }
  const names: string[] = [];
  let end = bytesAt + unsignedAt(metadata, offsetsAt, width);
  if (end !== bytesAt) throw corruptVariant("metadata", offsetsAt, "the offset 0", String(end - bytesAt));
  for (let id = 0; id < size; id++) {
    const offsetAt = offsetsAt + (id + 1) * width;
    const start = end;
    end = bytesAt + unsignedAt(metadata, offsetAt, width);
    if (end < start || end > metadata.length) {
      const most = metadata.length - bytesAt;
      throw corruptVariant("metadata", offsetAt, `an offset from ${start - bytesAt} to ${most}`, String(end - bytesAt));
    }
    names.push(textOf("metadata", metadata, start, end));
  }
  if (end !== metadata.length) {
    throw corruptVariant("metadata", end, `the end of the metadata`, `${metadata.length - end} bytes more`);
  }
  return new VariantNames(metadata, names);
}

/** Reads metadata again and again: rows mostly have that of the row before. */
export function variantNamesReader(): (metadata: Uint8Array) => VariantNames {
  let last: VariantNames | null = null;
  return (metadata) => {
    if (last === null || compareBytes(last.metadata, metadata) !== 0) last = parseVariantNames(metadata);
    return last;
  };
}
