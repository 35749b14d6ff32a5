import type { ColumnBuilder, PrimitiveType } from "../../../table-format/index.ts";

/** Reads the value at `pos` (not null), appends it and returns the position after it. Throws JsonFault and ValueFault. */
export type Convert = (bytes: Uint8Array, pos: number, end: number, builder: ColumnBuilder) => number;

/**
 * How a value stands in the JSON, as far as the JSON itself does not say: numbers of time count units of `unitNs`
 * nanoseconds, decimals and bytes are base64.
 */
export type Wire =
  | { readonly kind: "plain" }
  | { readonly kind: "instant"; readonly unitNs: number }
  | { readonly kind: "time-of-day"; readonly unitNs: number }
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "variable-decimal" }
  | { readonly kind: "bytes" }
  | OwnWire;

/** Values that one format alone writes so. Equal names read every type alike. */
export interface OwnWire {
  readonly kind: "own";
  readonly name: string;
  /** Whether the usual form of the type (see `Read`) may stand there too, so that only what differs comes to `convert`. */
  usual(type: PrimitiveType): boolean;
  /** Reads the value as the type; null when such values cannot become it. `byUser`: the type stands in `columns:`. */
  convert(type: PrimitiveType, byUser: boolean): Convert | null;
}

export const PLAIN: Wire = { kind: "plain" };

export const NS_PER_DAY = 86_400_000_000_000;

/** Nanoseconds that one unit of a date, time or timestamp type is long. */
export function unitNsOf(type: PrimitiveType): number {
  switch (type.kind) {
    case "date":
      return NS_PER_DAY;
    case "timestamp_ns":
    case "timestamptz_ns":
      return 1;
    default:
      return 1000;
  }
}
