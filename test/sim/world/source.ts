import { type ColumnBuilder, createBuilder } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op, offsetPoints } from "../../../src/core/change-batch.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import type { Position } from "../../../src/core/position.ts";
import type { Source, SourceBatch } from "../../../src/core/source.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";
import type { Changelog, LoggedChange } from "./changelog.ts";
import type { SimProcess } from "./process.ts";

const FIELDS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "part", type: { kind: "string" }, required: false },
  { name: "value", type: { kind: "long" }, required: false },
];
const EXTRA: ChangeColumn = { name: "extra", type: { kind: "long" }, required: false };

/** What a source does beside serving changes. */
export interface SourceHooks {
  /** Reading begins here: everything before must be safe. */
  begins(from: Position): void;
  acknowledged(position: Position): void;
  /** Whether the source fails now. */
  fails(): boolean;
}

/**
 * Serves the changelog to one process, transaction by transaction, in pulls of random length. What has not been acknowledged is served
 * again to whoever starts; what has been is gone. Splits appear while it is read.
 */
export function simSource(changelog: Changelog, router: TableRouter, process: SimProcess, hooks: SourceHooks): Source {
  const { clock } = process.runtime;
  const { draw } = process;
  const ends = (): Position => new Map([...changelog.splits].map(([split, { length }]) => [split, String(length)]));
  const answer = async (): Promise<void> => {
    await clock.sleep(draw.between(1, 20));
    if (hooks.fails()) throw new FrazilError("unavailable", "SIM_SOURCE", "the source does not answer");
  };
  return {
    open: answer,
    async startPosition() {
      await answer();
      return new Map([...changelog.splits.keys()].map((split) => [split, "0"]));
    },
    async endPosition() {
      await answer();
      return ends();
    },
    comparePoints: (a, b) => Number(a) - Number(b),
    async acknowledge(position) {
      // Best effort: what gets lost here is acknowledged by the next one.
      if (process.reach("before acknowledge") || hooks.fails()) return;
      hooks.acknowledged(position);
      process.reach("after acknowledge");
    },
    close: async () => undefined,
    async *read(from, signal) {
      hooks.begins(from);
      const next = new Map(from);
      while (!signal.aborted) {
        if (process.reach("read source")) await clock.sleep(0);
        const pull = pullOf(changelog, next, router, draw.between(1, 6));
        for (const [split, end] of pull.ends) next.set(split, end);
        await clock.sleep(pull.records === 0 ? draw.between(500, 1_500) : draw.between(1, 400), signal);
        if (hooks.fails()) throw new FrazilError("unavailable", "SIM_SOURCE", "the source went away");
        yield pull;
      }
    },
  };
}

/** Up to `transactions` transactions of each split behind a position. */
function pullOf(changelog: Changelog, from: Position, router: TableRouter, transactions: number): SourceBatch {
  const changes: ChangeBatch[] = [];
  const ends = new Map<string, string>();
  let records = 0;
  for (const [split, log] of changelog.splits) {
    const start = Number(from.get(split) ?? 0);
    const marks = (changelog.ends.get(split) as number[]).filter((mark) => mark > start);
    const end = marks[Math.min(transactions, marks.length) - 1];
    if (end === undefined) continue;
    changes.push(...batches(split, log.slice(start, end), start, marks, router));
    ends.set(split, String(end));
    records += end - start;
  }
  return { changes, ends, records };
}

function batches(
  split: string,
  changes: readonly LoggedChange[],
  first: number,
  marks: readonly number[],
  router: TableRouter,
): ChangeBatch[] {
  const kindOf = ({ table, extra }: LoggedChange): string => `${table} ${extra === undefined ? "" : "extra"}`;
  const byKind = Map.groupBy(changes.entries(), ([, change]) => kindOf(change));
  return [...byKind.values()].map((members) => {
    const [, { table, extra }] = members[0] as (typeof members)[number];
    const binding = router.byStream(table);
    if (binding === null) throw new Error(`no table for ${table}`);
    const fields = extra === undefined ? FIELDS : [...FIELDS, EXTRA];
    const builders = fields.map(({ type }) => createBuilder(type));
    for (const [, change] of members) append(builders, change);
    return {
      table: binding.table,
      split,
      length: members.length,
      ops: Uint8Array.from(members, ([, { op }]) => Op[op]),
      fields,
      columns: builders.map((builder) => builder.finish()),
      absent: fields.map(() => null),
      key: ["id"],
      // A transaction is one message: all of its rows lie before the same point.
      points: offsetPoints(
        BigInt64Array.from(members, ([index]) => BigInt(marks.find((mark) => mark > first + index) as number)),
      ),
      sizeBytes: members.length * 40,
    };
  });
}

function append(builders: readonly ColumnBuilder[], { op, id, part, value, extra }: LoggedChange): void {
  const [ids, parts, values, extras] = builders as [ColumnBuilder, ColumnBuilder, ColumnBuilder, ColumnBuilder?];
  ids.appendI64(BigInt(id));
  if (op === "delete") {
    parts.appendNull();
    values.appendNull();
    extras?.appendNull();
    return;
  }
  parts.appendString(part);
  values.appendI64(BigInt(value));
  if (extra !== undefined) extras?.appendI64(BigInt(extra));
}
