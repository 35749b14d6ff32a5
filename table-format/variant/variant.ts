/**
 * A cell of type `variant` (spec, "Schemas and Data Types", "Semi-structured Types"): the two byte strings of Parquet's Variant encoding,
 * never taken apart on the way, so that every type and every digit stays as it was written. `decodeVariant` and `variantJson` read it,
 * `encodeVariant` makes one.
 *
 * A null cell is no variant at all; a variant may itself hold null (`{ kind: "null" }`), and an object may lack a field: three things.
 */
export class Variant {
  /** The names of all object fields in `value`. */
  readonly metadata: Uint8Array;
  readonly value: Uint8Array;

  constructor(metadata: Uint8Array, value: Uint8Array) {
    this.metadata = metadata;
    this.value = value;
  }
}
