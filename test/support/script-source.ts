import { type ColumnBuilder, createBuilder } from "../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op, offsetPoints } from "../../src/core/change-batch.ts";
import type { Position } from "../../src/core/position.ts";
import type { Source, SourceBatch } from "../../src/core/source.ts";
import type { TableRouter } from "../../src/core/table-binding.ts";

/** One change of a scripted changelog: tables are `{ id long, part string, value long? }` keyed by id. */
export interface ScriptedChange {
  readonly stream: string;
  readonly op: "insert" | "update" | "delete" | "truncate";
  readonly id: bigint;
  readonly part: string;
  readonly value: bigint | null;
}

const FIELDS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "part", type: { kind: "string" }, required: false },
  { name: "value", type: { kind: "long" }, required: false },
];

/** Serves fixed changelogs, one a split, in pulls of random length. A point is the number of changes taken. */
export function scriptSource(
  splits: ReadonlyMap<string, readonly ScriptedChange[]>,
  router: TableRouter,
  random: { uint32(): number },
): Source {
  const ends = (): Position => new Map([...splits].map(([split, changes]) => [split, String(changes.length)]));
  return {
    open: async () => undefined,
    startPosition: async () => new Map([...splits.keys()].map((split) => [split, "0"])),
    endPosition: async () => ends(),
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      const next = new Map([...splits.keys()].map((split) => [split, Number(from.get(split) ?? 0)]));
      while (!signal.aborted) {
        const pull: { changes: ChangeBatch[]; ends: Map<string, string>; records: number } = {
          changes: [],
          ends: new Map(),
          records: 0,
        };
        for (const [split, changes] of splits) {
          const start = next.get(split) as number;
          const end = Math.min(changes.length, start + (random.uint32() % 8));
          if (end === start) continue;
          pull.changes.push(...batches(split, changes.slice(start, end), start, router));
          pull.ends.set(split, String(end));
          pull.records += end - start;
          next.set(split, end);
        }
        yield pull satisfies SourceBatch;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** The changes as change batches; the split's point before them is `first`. */
export function batches(
  split: string,
  changes: readonly ScriptedChange[],
  first: number,
  router: TableRouter,
): ChangeBatch[] {
  const byStream = Map.groupBy(changes.entries(), ([, change]) => change.stream);
  return [...byStream].map(([stream, members]) => {
    const binding = router.byStream(stream);
    if (binding === null) throw new Error(`no table for ${stream}`);
    const builders = FIELDS.map(({ type }) => createBuilder(type));
    const ops: number[] = [];
    const absent: number[] = [];
    const points: bigint[] = [];
    for (const [index, change] of members) {
      ops.push(Op[change.op]);
      points.push(BigInt(first + index + 1));
      append(builders, change);
      absent.push(0);
    }
    return {
      table: binding.table,
      split,
      length: ops.length,
      ops: Uint8Array.from(ops),
      fields: FIELDS,
      columns: builders.map((builder) => builder.finish()),
      absent: FIELDS.map(() => null),
      key: ["id"],
      points: offsetPoints(BigInt64Array.from(points)),
      sizeBytes: ops.length * 40,
    };
  });
}

function append(builders: readonly ColumnBuilder[], change: ScriptedChange): void {
  const [id, part, value] = builders as [ColumnBuilder, ColumnBuilder, ColumnBuilder];
  if (change.op === "truncate") {
    for (const builder of builders) builder.appendNull();
    return;
  }
  id.appendI64(change.id);
  if (change.op === "delete") part.appendNull();
  else part.appendString(change.part);
  if (change.value === null || change.op === "delete") value.appendNull();
  else value.appendI64(change.value);
}
