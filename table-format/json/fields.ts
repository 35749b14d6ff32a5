import { FrazilError } from "../errors.ts";
import type { JsonValue } from "../metadata/table-metadata.ts";

/** A JSON object and where it stands, for messages such as `snapshots[3].snapshot-id: expected an integer, found "x"`. */
export class JsonFields {
  readonly #object: { readonly [key: string]: JsonValue };
  readonly #where: string;

  constructor(value: JsonValue | undefined, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw mismatch(where, "an object", value);
    this.#object = value as { readonly [key: string]: JsonValue };
    this.#where = where;
  }

  /** `where` of one of its members. */
  path(key: string): string {
    return this.#where === "" ? key : `${this.#where}.${key}`;
  }

  keys(): string[] {
    return Object.keys(this.#object);
  }

  /** The member as it stands; undefined when absent. */
  get(key: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  /** Neither absent nor null. */
  has(key: string): boolean {
    const value = this.get(key);
    return value !== undefined && value !== null;
  }

  string(key: string): string {
    const value = this.get(key);
    if (typeof value !== "string") throw mismatch(this.path(key), "a string", value);
    return value;
  }

  boolean(key: string): boolean {
    const value = this.get(key);
    if (typeof value !== "boolean") throw mismatch(this.path(key), "true or false", value);
    return value;
  }

  /** A 64-bit integer. */
  long(key: string): bigint {
    const value = this.get(key);
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) {
      throw mismatch(this.path(key), "a 64-bit integer", value);
    }
    return value;
  }

  /** A 32-bit integer. */
  int(key: string): number {
    return asInt(this.get(key), this.path(key));
  }

  array(key: string): readonly JsonValue[] {
    const value = this.get(key);
    if (!Array.isArray(value)) throw mismatch(this.path(key), "an array", value);
    return value as readonly JsonValue[];
  }

  ints(key: string): number[] {
    return this.array(key).map((value, i) => asInt(value, `${this.path(key)}[${i}]`));
  }

  object(key: string): JsonFields {
    return new JsonFields(this.get(key), this.path(key));
  }

  /** The members of an array of objects. */
  objects(key: string): JsonFields[] {
    return this.array(key).map((value, i) => new JsonFields(value, `${this.path(key)}[${i}]`));
  }

  /** An object whose values all are strings. */
  strings(key: string): Map<string, string> {
    const members = this.object(key);
    const strings = new Map<string, string>();
    for (const name of members.keys()) strings.set(name, members.string(name));
    return strings;
  }

  /** An error about one of its members. */
  error(key: string, expected: string): FrazilError {
    return mismatch(this.path(key), expected, this.get(key));
  }
}

function asInt(value: JsonValue | undefined, where: string): number {
  if (typeof value !== "bigint" || BigInt.asIntN(32, value) !== value) {
    throw mismatch(where, "a 32-bit integer", value);
  }
  return Number(value);
}

function mismatch(where: string, expected: string, found: JsonValue | undefined): FrazilError {
  const what =
    typeof found === "object" && found !== null ? (Array.isArray(found) ? "an array" : "an object") : undefined;
  const shown =
    found === undefined
      ? "nothing"
      : (what ?? (typeof found === "string" ? JSON.stringify(found) : `${found as boolean | number | bigint | null}`));
  return new FrazilError("corrupt", "UNEXPECTED_JSON", `${where || "document"}: expected ${expected}, found ${shown}`);
}
