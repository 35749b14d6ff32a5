import type { AvroValue } from "../avro/decoder.ts";
import type { AvroRecord, AvroType } from "../avro/schema.ts";
import { FrazilError } from "../errors.ts";

/**
 * Reads fields of decoded records by Iceberg field id: names and order are the writer's business (field 504 is called
 * `added_files_count` by some and `added_data_files_count` by others). Set `values`, then ask; an absent field is null.
 */
export class AvroRow {
  values: readonly AvroValue[] = [];
  readonly #location: string;
  readonly #record: AvroRecord;
  readonly #index = new Map<number, number>();

  constructor(type: AvroType | null, location: string) {
    this.#location = location;
    const record = type === null ? null : recordIn(type);
    if (record === null)
      throw new FrazilError("corrupt", "MANIFEST_SCHEMA", `${location}: expected a record, found none`);
    this.#record = record;
    record.fields.forEach((field, i) => {
      if (field.fieldId !== null) this.#index.set(field.fieldId, i);
    });
    if (record.fields.length > 0 && this.#index.size === 0) {
      const message = `${location}: expected field ids in Avro record ${record.name}, found none`;
      throw new FrazilError("corrupt", "MANIFEST_SCHEMA", message, {
        hint: "the writer of this table does not follow the Iceberg specification; rewrite its manifests with another engine",
      });
    }
  }

  has(id: number): boolean {
    return this.#index.has(id);
  }

  /** The Avro type of a field, or null when the writer has no such field. */
  typeOf(id: number): AvroType | null {
    const index = this.#index.get(id);
    return index === undefined ? null : (this.#record.fields[index]?.type ?? null);
  }

  value(id: number): AvroValue {
    const index = this.#index.get(id);
    return index === undefined ? null : (this.values[index] ?? null);
  }

  /** An int; writers that use long are fine while the value fits. */
  int(id: number): number | null {
    const value = this.value(id);
    if (value === null) return null;
    if (typeof value === "number" && (value | 0) === value) return value;
    if (typeof value === "bigint" && BigInt.asIntN(32, value) === value) return Number(value);
    throw this.#mismatch(id, "an int of 32 bits", value);
  }

  long(id: number): bigint | null {
    const value = this.value(id);
    if (value === null || typeof value === "bigint") return value;
    if (Number.isSafeInteger(value)) return BigInt(value as number);
    throw this.#mismatch(id, "an integer", value);
  }

  string(id: number): string | null {
    const value = this.value(id);
    if (value === null || typeof value === "string") return value;
    throw this.#mismatch(id, "a string", value);
  }

  bytes(id: number): Uint8Array | null {
    const value = this.value(id);
    if (value === null || value instanceof Uint8Array) return value;
    throw this.#mismatch(id, "bytes", value);
  }

  boolean(id: number): boolean | null {
    const value = this.value(id);
    if (value === null || typeof value === "boolean") return value;
    throw this.#mismatch(id, "true or false", value);
  }

  longs(id: number): bigint[] | null {
    return (
      this.items(id)?.map((item) => {
        if (typeof item === "bigint") return item;
        if (Number.isSafeInteger(item)) return BigInt(item as number);
        throw this.#mismatch(id, "integers", item);
      }) ?? null
    );
  }

  /** The items of an array, or the fields of a record. */
  items(id: number): readonly AvroValue[] | null {
    const value = this.value(id);
    if (value === null || Array.isArray(value)) return value as readonly AvroValue[] | null;
    throw this.#mismatch(id, "an array or a record", value);
  }

  /** A map of int keys and longs, written as an array of key-value records. */
  longMap(id: number): ReadonlyMap<number, bigint> | null {
    return this.#map(id, "a long", (value) => {
      if (typeof value === "number") return BigInt(value);
      return typeof value === "bigint" ? value : null;
    });
  }

  /** A map of int keys and bytes, written as an array of key-value records. */
  bytesMap(id: number): ReadonlyMap<number, Uint8Array> | null {
    return this.#map(id, "bytes", (value) => (value instanceof Uint8Array ? value : null));
  }

  #map<T>(id: number, expected: string, parse: (value: AvroValue) => T | null): ReadonlyMap<number, T> | null {
    const pairs = this.items(id);
    if (pairs === null) return null;
    const map = new Map<number, T>();
    for (const pair of pairs) {
      const items = Array.isArray(pair) ? (pair as readonly AvroValue[]) : [];
      // By index: taking the pair apart as an iterable costs more than all the rest.
      const key = items[0];
      const parsed = parse(items[1] ?? null);
      if (typeof key !== "number" || parsed === null) throw this.#mismatch(id, `pairs of an int and ${expected}`, pair);
      map.set(key, parsed);
    }
    return map;
  }

  #mismatch(id: number, expected: string, value: AvroValue): FrazilError {
    const found = Array.isArray(value) ? "an array" : value instanceof Uint8Array ? "bytes" : String(value);
    const message = `${this.#location}: field ${id} of ${this.#record.name}: expected ${expected}, found ${found}`;
    return new FrazilError("corrupt", "MANIFEST_FIELD", message);
  }

  /** The value, or a `corrupt` error that names the field. */
  required<T>(id: number, value: T | null): T {
    if (value !== null) return value;
    const message = `${this.#location}: expected field ${id} of ${this.#record.name}, found none`;
    throw new FrazilError("corrupt", "MANIFEST_FIELD", message);
  }
}

/** The record, also behind an optional (a union with null) or as the element of an array. */
function recordIn(type: AvroType): AvroRecord | null {
  switch (type.kind) {
    case "record":
      return type;
    case "array":
      return recordIn(type.items);
    case "union":
      return type.branches.map(recordIn).find((record) => record !== null) ?? null;
    default:
      return null;
  }
}
