/**
 * Bytes that are not JSON (RFC 8259). Thrown by the readers of this folder, which know neither message nor column; whoever called
 * them turns it into a FrazilError. `at` counts from the start of the array that was read, like every position here.
 */
export class JsonFault extends Error {
  readonly at: number;
  /** What stands in the grammar there, such as "a value". */
  readonly expected: string;

  constructor(at: number, expected: string) {
    super(`expected ${expected} at byte ${at}`);
    this.at = at;
    this.expected = expected;
  }
}

/** JSON whose value at `at` does not fit the type it is read as. */
export class ValueFault extends Error {
  readonly at: number;
  /** The type, or what it demands of the value. */
  readonly expected: string;
  /** A type that would hold the value, where one is known. */
  readonly fittingType: string | null;

  constructor(at: number, expected: string, fittingType: string | null = null) {
    super(`expected ${expected} at byte ${at}`);
    this.at = at;
    this.expected = expected;
    this.fittingType = fittingType;
  }
}
