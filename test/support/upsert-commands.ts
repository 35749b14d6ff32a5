import fc from "fast-check";

/** How a commit of somebody else changes the table; `keys` are taken as far as they fit. */
export type ForeignAct =
  | { readonly kind: "append" | "delete" | "update"; readonly keys: readonly number[] }
  | { readonly kind: "rewrite" }
  | { readonly kind: "compact" };

/** What goes wrong, or comes between, while a checkpoint is committed. */
export type Trouble =
  | { readonly kind: "none" }
  /** The process ends at its `step`-th step from here. */
  | { readonly kind: "crash"; readonly step: number }
  | { readonly kind: "lost-answer"; readonly landed: boolean }
  /** The store refuses its `request`-th request from here. */
  | { readonly kind: "outage"; readonly request: number }
  | { readonly kind: "foreign"; readonly act: ForeignAct };

/** Bits of columns that are sent, a number that the values are made from, and the partition. */
interface Content {
  readonly sent: number;
  readonly part: number;
}

export type Command =
  | { readonly kind: "rest" }
  | ({ readonly kind: "insert" | "update" | "patch"; readonly key: number } & Content)
  | ({ readonly kind: "rekey"; readonly key: number; readonly to: number; readonly whole: boolean } & Content)
  | { readonly kind: "delete"; readonly key: number }
  | { readonly kind: "truncate" }
  | { readonly kind: "add-column" | "widen" | "plan-compaction" | "run-compaction" }
  | { readonly kind: "commit"; readonly trouble: Trouble }
  | {
      readonly kind: "restart";
      readonly damage: "none" | "delete" | "truncate" | "flip";
      readonly crash: number | null;
    }
  | { readonly kind: "foreign"; readonly act: ForeignAct };

/** What does not change during a run. */
export interface Setting {
  readonly formatVersion: 2 | 3;
  readonly catalog: "memory" | "object-store";
  readonly key: "number" | "text" | "pair";
  readonly partitionBy: readonly string[];
  readonly sidecars: boolean;
  /** How changes come: with all their columns declared, or as messages without a schema, of which each process learns the columns. */
  readonly messages: "declared" | "plain";
  readonly seed: number;
}

export const KEYS = 10;

const key = fc.nat(KEYS - 1);
const content = { sent: fc.nat(15), part: fc.nat(3) };
const constantOf = <T extends string>(kind: T) => fc.record({ kind: fc.constant(kind) });

/** Somebody else's change of rows. */
export const foreignChange: fc.Arbitrary<ForeignAct> = fc.record({
  kind: fc.constantFrom("append" as const, "delete" as const, "update" as const),
  keys: fc.uniqueArray(key, { minLength: 1, maxLength: 4 }),
});

const foreignAct: fc.Arbitrary<ForeignAct> = fc.oneof(constantOf("compact"), foreignChange, constantOf("rewrite"));

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 10, arbitrary: constantOf("none") },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("crash" as const), step: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lost-answer" as const), landed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("outage" as const), request: fc.nat(12) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("foreign" as const), act: foreignAct }) },
);

/** One command. Shrinks to `rest`, which does nothing. */
const command: fc.Arbitrary<Command> = fc.oneof(
  { withCrossShrink: true },
  { weight: 1, arbitrary: constantOf("rest") },
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constantFrom("insert" as const, "update" as const), key, ...content }),
  },
  { weight: 14, arbitrary: fc.record({ kind: fc.constant("patch" as const), key, ...content }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("rekey" as const), key, to: key, whole: fc.boolean(), ...content }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
  { weight: 1, arbitrary: constantOf("truncate") },
  { weight: 1, arbitrary: constantOf("add-column") },
  { weight: 1, arbitrary: constantOf("widen") },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("commit" as const), trouble }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("restart" as const),
      damage: fc.constantFrom("none" as const, "delete" as const, "truncate" as const, "flip" as const),
      crash: fc.option(fc.nat(5), { freq: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("foreign" as const), act: foreignAct }) },
  { weight: 1, arbitrary: constantOf("plan-compaction") },
  { weight: 1, arbitrary: constantOf("run-compaction") },
);

/** So many commands. */
export function commands(count: number): fc.Arbitrary<Command[]> {
  return fc.array(command, { minLength: count, maxLength: count });
}

/** @param sidecars of a hundred runs those whose keys lie in files: each of their checkpoints asks DuckDB. */
export function settings(formatVersion: 2 | 3, sidecars: number): fc.Arbitrary<Setting> {
  return fc.record({
    formatVersion: fc.constant(formatVersion),
    catalog: fc.constantFrom("memory" as const, "memory" as const, "object-store" as const),
    key: fc.constantFrom("number" as const, "text" as const, "pair" as const),
    partitionBy: fc.constantFrom([], ["part"], ["bucket(3, part)"]),
    sidecars: fc.nat(99).map((share) => share >= 100 - sidecars),
    messages: fc.constantFrom("declared" as const, "declared" as const, "plain" as const),
    seed: fc.nat(1_000_000),
  });
}
