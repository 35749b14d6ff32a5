import { FrazilError } from "../errors.ts";
import { corruptVariant, unsignedAt } from "./corrupt.ts";

/** The lowest two bits of a value's first byte (Parquet's VariantEncoding, "Basic Type"). */
export const Basic = { primitive: 0, shortString: 1, object: 2, array: 3 } as const;

/** Ids of primitive types (VariantEncoding, "Encoding types"). */
export const Primitive = {
  null: 0,
  true: 1,
  false: 2,
  int8: 3,
  int16: 4,
  int32: 5,
  int64: 6,
  double: 7,
  decimal4: 8,
  decimal8: 9,
  decimal16: 10,
  date: 11,
  timestamptz: 12,
  timestamp: 13,
  float: 14,
  binary: 15,
  string: 16,
  time: 17,
  timestamptz_ns: 18,
  timestamp_ns: 19,
  uuid: 20,
} as const;

/** Bytes of a primitive value after its first one, by id. Binary and string have a length of four bytes there, and then so many more. */
const WIDTHS = [0, 0, 0, 1, 2, 4, 8, 8, 5, 9, 17, 4, 8, 8, 4, 4, 4, 8, 8, 8, 16];

/** Where the parts of an object or an array lie. An array has no ids. */
export interface ContainerLayout {
  readonly count: number;
  readonly idsAt: number;
  readonly idWidth: number;
  readonly offsetsAt: number;
  readonly offsetWidth: number;
  /** What the offsets count from. */
  readonly dataAt: number;
  readonly end: number;
}

/**
 * The layout of the object or array that begins at `at`.
 * @throws FrazilError kind `corrupt` when it does not end by `limit`
 */
export function containerAt(bytes: Uint8Array, at: number, limit: number): ContainerLayout {
  const head = bytes[at] as number;
  const isObject = (head & 3) === Basic.object;
  const header = head >> 2;
  const offsetWidth = (header & 3) + 1;
  const idWidth = isObject ? ((header >> 2) & 3) + 1 : 0;
  const countWidth = ((header >> (isObject ? 4 : 2)) & 1) === 1 ? 4 : 1;
  const idsAt = at + 1 + countWidth;
  if (idsAt > limit) throw corruptVariant("value", at, "a number of elements", `${limit - at} bytes`);
  const count = unsignedAt(bytes, at + 1, countWidth);
  const offsetsAt = idsAt + count * idWidth;
  const dataAt = offsetsAt + (count + 1) * offsetWidth;
  if (dataAt > limit) {
    throw corruptVariant("value", at + 1, `${count} elements within ${limit - at} bytes`, "too few bytes");
  }
  const total = unsignedAt(bytes, dataAt - offsetWidth, offsetWidth);
  if (dataAt + total > limit) {
    const expected = `elements that end by byte ${limit}`;
    throw corruptVariant("value", dataAt - offsetWidth, expected, `the offset ${total}`);
  }
  return { count, idsAt, idWidth, offsetsAt, offsetWidth, dataAt, end: dataAt + total };
}

/** Where the element of a number begins; within the container. */
export function elementAt(bytes: Uint8Array, layout: ContainerLayout, index: number): number {
  const { offsetsAt, offsetWidth, dataAt, end } = layout;
  const offsetAt = offsetsAt + index * offsetWidth;
  const start = dataAt + unsignedAt(bytes, offsetAt, offsetWidth);
  if (start < end) return start;
  throw corruptVariant("value", offsetAt, `an offset below ${end - dataAt}`, String(start - dataAt));
}

/** The id of the name of an object's field. */
export function fieldIdAt(bytes: Uint8Array, { idsAt, idWidth }: ContainerLayout, index: number): number {
  return unsignedAt(bytes, idsAt + index * idWidth, idWidth);
}

/**
 * The byte after the value that begins at `at`, by its own first bytes: what it holds is not looked at.
 * @throws FrazilError kind `corrupt` when it does not end by `limit`; `unsupported` for a type that came after version 1
 */
export function valueEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (at >= limit) throw corruptVariant("value", at, "a value", "the end");
  const head = bytes[at] as number;
  const header = head >> 2;
  let end: number;
  switch (head & 3) {
    case Basic.object:
    case Basic.array:
      return containerAt(bytes, at, limit).end;
    case Basic.shortString:
      end = at + 1 + header;
      break;
    default: {
      const width = WIDTHS[header];
      if (width === undefined) {
        const message = `byte ${at} of the value: primitive types up to ${WIDTHS.length - 1} are read, found ${header}`;
        throw new FrazilError("unsupported", "VARIANT_TYPE", message);
      }
      end = at + 1 + width;
      const isSized = header === Primitive.binary || header === Primitive.string;
      if (isSized && end <= limit) end += unsignedAt(bytes, at + 1, 4);
    }
  }
  if (end <= limit) return end;
  throw corruptVariant("value", at, `a value that ends by byte ${limit}`, `one that ends at ${end}`);
}
