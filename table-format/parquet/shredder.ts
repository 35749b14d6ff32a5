import { appendValue } from "../arrow/append-value.ts";
import { createBuilder } from "../arrow/builder.ts";
import type { ColumnBuilder } from "../arrow/column-builder.ts";
import { FrazilError } from "../errors.ts";
import type { Value } from "../manifest/data-file.ts";
import { childFields } from "../schema/schema.ts";
import type { NestedField, PrimitiveType, StructType } from "../schema/types.ts";
import type { Cell, CellStruct } from "../values/cell.ts";
import { defaultCell } from "../values/default-cell.ts";
import { notOfType, valueCheck, wrongValue } from "../values/value-check.ts";
import { checkValue } from "../variant/check.ts";
import { variantNamesReader } from "../variant/names.ts";
import { Variant } from "../variant/variant.ts";
import type { LeafEntries } from "./leaf-entries.ts";
import { isStored } from "./schema-elements.ts";

/** A batch's rows as a leaf's entries. */
export interface LeafRows extends LeafEntries {
  /** The entry at which each row begins, and at last the number of entries; null: an entry a row. */
  readonly starts: Int32Array | null;
}

/** Takes a column of structs, lists, maps or variants apart, batch by batch: the inverse of `assembleRows`. */
export interface Shredder {
  /**
   * The leaves' entries, in the order of the file's columns.
   * @throws FrazilError `data` naming a part of the column whose value is of another type, or null and required
   */
  shred(rows: readonly (Cell | null | undefined)[]): LeafRows[];
}

/** A part of a column: `put` takes a value of it, `skip` says that the path ends above it. */
interface Part {
  put(value: unknown, repetition: number): void;
  skip(definition: number, repetition: number): void;
}

/** What is known of the path down to a part. */
interface Place {
  readonly name: string;
  readonly required: boolean;
  /** Definition level at which the part is missing. */
  readonly missing: number;
  /** Definition level from which on it is there. */
  readonly definition: number;
  readonly repetition: number;
}

/** The shredder of a top-level field. */
export function createShredder(field: NestedField): Shredder {
  const sinks: LeafSink[] = [];
  const root = partOf(field, placeOf(field, { name: "", definition: 0, repetition: 0 }), sinks);
  return {
    shred(rows) {
      try {
        for (const value of rows) {
          for (const sink of sinks) sink.startRow();
          root.put(value ?? null, 0);
        }
      } catch (error) {
        // Nothing of a batch that is refused stays behind.
        for (const sink of sinks) sink.finish();
        throw error;
      }
      return sinks.map((sink) => sink.finish());
    },
  };
}

function placeOf(field: NestedField, above: Pick<Place, "name" | "definition" | "repetition">): Place {
  const { name, required } = field;
  const { definition: missing, repetition } = above;
  const definition = missing + (required ? 0 : 1);
  return { name: above.name === "" ? name : `${above.name}.${name}`, required, missing, definition, repetition };
}

function partOf(field: NestedField, place: Place, sinks: LeafSink[]): Part {
  const { type } = field;
  switch (type.kind) {
    case "struct":
      return structPart(type, place, sinks);
    case "list":
    case "map": {
      const above = { ...place, definition: place.definition + 1, repetition: place.repetition + 1 };
      const items = childFields(type).map((child) => partOf(child, placeOf(child, above), sinks));
      return type.kind === "list" ? listPart(place, items) : mapPart(place, items);
    }
    case "variant":
      return variantPart(place, sinks);
    default:
      return leafPart(type, place, sinks);
  }
}

function leafPart(type: PrimitiveType, place: Place, sinks: LeafSink[]): Part {
  const { missing, definition, repetition: most } = place;
  const sink = new LeafSink(type, most > 0);
  sinks.push(sink);
  const isOfType = valueCheck(type);
  return {
    put(value, repetition) {
      if (value === null) {
        refuseNull(place);
        sink.add(null, missing, repetition);
      } else if (isOfType(value)) {
        sink.add(value, definition, repetition);
      } else {
        throw notOfType(place.name, type, value);
      }
    },
    skip: (reached, repetition) => sink.add(null, reached, repetition),
  };
}

/** Bytes go into the file as they are, but never such as cannot be read. */
function variantPart(place: Place, sinks: LeafSink[]): Part {
  const { missing, definition, repetition: most } = place;
  const [metadata, bytes] = [new LeafSink({ kind: "binary" }, most > 0), new LeafSink({ kind: "binary" }, most > 0)];
  sinks.push(metadata, bytes);
  const namesOf = variantNamesReader();
  const skip = (reached: number, repetition: number): void => {
    metadata.add(null, reached, repetition);
    bytes.add(null, reached, repetition);
  };
  return {
    skip,
    put(value, repetition) {
      if (value === null) {
        refuseNull(place);
        skip(missing, repetition);
        return;
      }
      if (!(value instanceof Variant)) throw wrongValue(place.name, "a Variant for variant", value);
      try {
        checkValue(value.value, namesOf(value.metadata));
      } catch (error) {
        if (!(error instanceof FrazilError)) throw error;
        throw new FrazilError("data", error.code, `column ${place.name}: ${error.message}`, { cause: error });
      }
      metadata.add(value.metadata, definition, repetition);
      bytes.add(value.value, definition, repetition);
    },
  };
}

function structPart({ fields }: StructType, place: Place, sinks: LeafSink[]): Part {
  const stored = fields.filter(isStored);
  const parts = stored.map((field) => partOf(field, placeOf(field, place), sinks));
  const defaults = stored.map((field) => defaultCell(field, "writeDefault"));
  const names = new Set(fields.map(({ name }) => name));
  const skip = (reached: number, repetition: number): void => {
    for (const part of parts) part.skip(reached, repetition);
  };
  return {
    skip,
    put(value, repetition) {
      if (value === null) {
        refuseNull(place);
        skip(place.missing, repetition);
        return;
      }
      if (!isStruct(value)) throw wrongValue(place.name, "an object for struct", value);
      for (const name of Object.keys(value)) {
        if (!names.has(name)) throw wrongValue(place.name, `fields ${[...names].join(", ")}`, name);
      }
      for (const [k, part] of parts.entries()) {
        const found = value[(stored[k] as NestedField).name];
        part.put(found === undefined ? defaults[k] : found, repetition);
      }
    },
  };
}

function isStruct(value: unknown): value is CellStruct {
  if (typeof value !== "object" || value === null || value instanceof Variant) return false;
  return !Array.isArray(value) && !(value instanceof Uint8Array);
}

function listPart(place: Place, [item]: readonly Part[]): Part {
  const { put, skip } = item as Part;
  return repeatedPart(place, "an array for list", skip, put);
}

function mapPart(place: Place, [key, value]: readonly Part[]): Part {
  const [keys, values] = [key as Part, value as Part];
  const skip = (reached: number, repetition: number): void => {
    keys.skip(reached, repetition);
    values.skip(reached, repetition);
  };
  return repeatedPart(place, "an array of pairs for map", skip, (pair, repetition) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongValue(place.name, "a pair of key and value", pair);
    keys.put(pair[0] ?? null, repetition);
    values.put(pair[1] ?? null, repetition);
  });
}

function repeatedPart(place: Place, expected: string, skip: Part["skip"], put: Part["put"]): Part {
  const { missing, definition, repetition: depth } = place;
  return {
    skip,
    put(value, repetition) {
      if (value === null) {
        refuseNull(place);
        skip(missing, repetition);
        return;
      }
      if (!Array.isArray(value)) throw wrongValue(place.name, expected, value);
      if (value.length === 0) skip(definition, repetition);
      for (const [k, item] of value.entries()) put(item ?? null, k === 0 ? repetition : depth + 1);
    },
  };
}

function refuseNull({ name, required }: Place): void {
  if (required) throw new FrazilError("data", "NULL_IN_REQUIRED", `column ${name} is required, found null in it`);
}

/** Collects a leaf's entries. */
class LeafSink {
  readonly #type: PrimitiveType;
  readonly #builder: ColumnBuilder;
  readonly #isRepeated: boolean;
  #definitions: number[] = [];
  #repetitions: number[] = [];
  #starts: number[] = [];

  constructor(type: PrimitiveType, isRepeated: boolean) {
    this.#type = type;
    this.#builder = createBuilder(type);
    this.#isRepeated = isRepeated;
  }

  startRow(): void {
    if (this.#isRepeated) this.#starts.push(this.#builder.length);
  }

  add(value: Value | null, definition: number, repetition: number): void {
    appendValue(this.#builder, this.#type, value);
    this.#definitions.push(definition);
    if (this.#isRepeated) this.#repetitions.push(repetition);
  }

  finish(): LeafRows {
    const definitions = Int32Array.from(this.#definitions);
    const repetitions = this.#isRepeated ? Int32Array.from(this.#repetitions) : null;
    const starts = this.#isRepeated ? Int32Array.from([...this.#starts, this.#builder.length]) : null;
    this.#definitions = [];
    this.#repetitions = [];
    this.#starts = [];
    return { column: this.#builder.finish(), definitions, repetitions, starts };
  }
}
