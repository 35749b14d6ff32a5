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
    return value === null ? null : Number(value);
  }

  long(id: number): bigint | null {
    const value = this.value(id);
    return value === null ? null : BigInt(value as number | bigint);
  }

  string(id: number): string | null {
    return this.value(id) as string | null;
  }

  bytes(id: number): Uint8Array | null {
    return this.value(id) as Uint8Array | null;
  }

  boolean(id: number): boolean | null {
    return this.value(id) as boolean | null;
  }

  longs(id: number): bigint[] | null {
    const value = this.value(id);
    return value === null ? null : (value as readonly (number | bigint)[]).map(BigInt);
  }

  /** A map of int keys, written as an array of key-value records. */
  map<T extends AvroValue>(id: number): ReadonlyMap<number, T> | null {
    const value = this.value(id);
    if (value === null) return null;
    const map = new Map<number, T>();
    for (const pair of value as readonly (readonly [number, T])[]) map.set(pair[0], pair[1]);
    return map;
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
