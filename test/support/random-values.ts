import {
  createBuilder,
  isPrimitive,
  must,
  type NestedField,
  type PlainKind,
  type PrimitiveType,
  type Value,
} from "../../table-format/index.ts";
import { appendValue } from "../../table-format/arrow/append-value.ts";
import { canonicalLines, type CanonicalRow } from "../readers/canonical.ts";
import { canonicalCell } from "./canonical-cells.ts";
import type { Dice } from "./fuzz/mutate.ts";

/** A row as it was written: values by field id, of the fields that its file has. */
export interface ModelRow {
  readonly values: ReadonlyMap<number, Value | null>;
  readonly types: ReadonlyMap<number, PrimitiveType>;
  readonly path: string;
  readonly position: number;
  /** Spec and partition of its file. */
  readonly partition: string;
}

const plain = (kind: PlainKind): PrimitiveType => ({ kind });
const decimal = (precision: number, scale: number): PrimitiveType => ({ kind: "decimal", precision, scale });
const bytes = (...each: number[]): Uint8Array => Uint8Array.from(each);
const UUIDS = ["f79c3e09677c4bbda4793f349cb785e7", "00000000000040008000000000000001"].map((hex) =>
  Buffer.from(hex, "hex"),
);

/** Types and a few values of each: few, so that keys meet again. */
export const POOLS: readonly (readonly [PrimitiveType, readonly Value[]])[] = [
  [plain("boolean"), [true, false]],
  [plain("int"), [0, -1, 7, 2147483647, -2147483648]],
  [plain("long"), [0n, -1n, 9007199254740993n, -9223372036854775808n]],
  [plain("float"), [0.5, -1.25, Infinity, NaN]],
  [plain("double"), [0.1, -1e-7, -Infinity, 1e300]],
  [plain("date"), [0, -1, 19782, 20000]],
  [plain("time"), [0n, 86_399_999_999n, 1n]],
  [plain("timestamp"), [-1n, 0n, 1_709_164_800_000_001n]],
  [plain("timestamptz"), [-1n, 0n, 1_709_164_800_000_001n]],
  [plain("timestamp_ns"), [-1n, 0n, 1_709_164_800_000_000_001n]],
  [plain("timestamptz_ns"), [-1n, 0n, 1_709_164_800_000_000_001n]],
  [plain("string"), ["", "a", "ünï", "\u{1f9ca}\u{1f9ca}x", "long ".repeat(8)]],
  [plain("uuid"), UUIDS],
  [plain("binary"), [bytes(), bytes(0), bytes(0xff, 0xff, 1)]],
  [{ kind: "fixed", length: 3 }, [bytes(0, 0, 0), bytes(0xff, 1, 2)]],
  [decimal(9, 2), [0n, -1n, 999_999_999n]],
  [decimal(18, 0), [0n, -5n, 10n ** 17n]],
  [decimal(38, 10), [0n, -(10n ** 37n), 12345678901n]],
];

export const WIDER: Readonly<Partial<Record<string, PrimitiveType>>> = {
  int: plain("long"),
  float: plain("double"),
};

/** A random value of a type, often null. */
export function randomValue(type: PrimitiveType, dice: Dice): Value | null {
  if (dice.below(4) === 0) return null;
  const pool = POOLS.find(
    ([each]) =>
      each.kind === type.kind && (type.kind !== "decimal" || (each as { scale?: number }).scale === type.scale),
  );
  return dice.pick(must(pool, `values of ${type.kind}`)[1]);
}

/** A column of values. */
export function columnOf(type: PrimitiveType, values: readonly (Value | null)[]) {
  const builder = createBuilder(type);
  for (const value of values) appendValue(builder, type, value);
  return builder.finish();
}

/** A field's value as the table has it now: widened, or the field's default where the row's file lacks it. */
export function valueOf(row: ModelRow, field: NestedField): Value | null {
  const from = row.types.get(field.id);
  if (from === undefined) return (field.initialDefault as Value | undefined) ?? null;
  const value = row.values.get(field.id) ?? null;
  if (!isPrimitive(field.type)) throw new Error("a nested column");
  return value !== null && from.kind === "int" && field.type.kind === "long" ? BigInt(value as number) : value;
}

/** Rows of the model as the readers give them. */
export function modelLines(rows: readonly ModelRow[], fields: readonly NestedField[]): string[] {
  const lines: CanonicalRow[] = rows.map((row) =>
    Object.fromEntries(fields.map((field) => [field.name, canonicalCell(field.type, valueOf(row, field))])),
  );
  return canonicalLines(
    fields.map(({ name }) => name),
    lines,
  );
}
