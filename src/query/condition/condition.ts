/** A condition on rows as it was written; names are not looked up and literals have no type yet. */
export type Condition =
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  /** TRUE, FALSE, NULL. */
  | { readonly kind: "constant"; readonly value: boolean | null }
  /** A column that is a condition itself. */
  | { readonly kind: "column"; readonly column: ColumnPath }
  | {
      readonly kind: "compare";
      readonly column: ColumnPath;
      readonly operator: Comparison;
      readonly literal: Literal;
    }
  | { readonly kind: "in"; readonly column: ColumnPath; readonly literals: readonly Literal[] }
  | { readonly kind: "null"; readonly column: ColumnPath }
  | { readonly kind: "nan"; readonly column: ColumnPath }
  | { readonly kind: "like"; readonly column: ColumnPath; readonly pattern: string };

export type Comparison = "lt" | "lt-eq" | "gt" | "gt-eq" | "eq" | "not-eq";

/** The names that lead to a column: one, or those of the structs around it first. */
export type ColumnPath = readonly string[];

export type Literal =
  /** Digits with a sign, a point and an exponent as they were written. */
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  /** `DATE '2026-11-20'` and the like. */
  | { readonly kind: "date" | "time" | "timestamp" | "timestamptz"; readonly text: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" };
