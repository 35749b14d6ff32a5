import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import { nearest } from "../../config/suggest.ts";
import { jsonRow } from "../../query/cells.ts";
import type { RuleRouter } from "../../sink/layout/router.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { withSource } from "../job-view.ts";
import { onSignals } from "../signals.ts";
import { columnJson } from "../value-json.ts";

export interface TapOptions {
  readonly from: "earliest" | "latest";
  readonly table?: string;
  readonly limit?: number;
}

/** As `read` and `diff` call them. */
const OP_NAMES: Readonly<Record<number, string>> = {
  [Op.insert]: "insert",
  [Op.update]: "update_after",
  [Op.delete]: "delete",
  [Op.truncate]: "truncate",
  [Op.updateBefore]: "update_before",
};

/** `frazil tap <job>`: what the source's messages decode to, one JSON object a change. Opens no warehouse, commits no offsets. */
export async function tap(context: CliContext, path: string, options: TapOptions): Promise<void> {
  const { output } = context;
  const job = readJob(context, path);
  const signals = onSignals(null);
  const stop = new AbortController();
  signals.stop.addEventListener("abort", () => stop.abort());
  const onReject = (error: FrazilError): void => output.note(`${error.code}: ${error.message}`);
  try {
    await withSource(context, job, { warehouse: null, onReject }, async ({ source, router }) => {
      checkTable(options.table, job.tables);
      // A split without a point is read from its very start.
      const from = options.from === "earliest" ? new Map<string, string>() : await source.endPosition();
      let left = options.limit ?? Infinity;
      for await (const { changes } of source.read(from, stop.signal)) {
        for (const batch of changes) {
          const lines = linesOf(batch, router, options.table ?? null);
          await output.write(lines.slice(0, Math.max(0, left)).join(""));
          left -= lines.length;
        }
        if (left <= 0 || stop.signal.aborted) return;
      }
    });
  } finally {
    signals.close();
  }
}

function linesOf(batch: ChangeBatch, router: RuleRouter, wanted: string | null): string[] {
  const { target, key } = router.table(batch.table).binding;
  if (wanted !== null && target !== wanted) return [];
  const lines: string[] = [];
  for (let row = 0; row < batch.length; row++) {
    const op = batch.ops[row] as number;
    const names = ["_op", "_table", "_split", "_next"];
    const cells = [OP_NAMES[op] ?? "", target, batch.split, batch.points.after(row)].map((text) =>
      JSON.stringify(text),
    );
    for (const [index, { name }] of batch.fields.entries()) {
      const column = batch.columns[index];
      if (column === undefined || op === Op.truncate || isAbsent(batch.absent[index] ?? null, row)) continue;
      if (op === Op.delete && !(key ?? batch.key ?? [name]).includes(name)) continue;
      names.push(name);
      cells.push(columnJson(column, row));
    }
    lines.push(`${jsonRow(names, cells)}\n`);
  }
  return lines;
}

function isAbsent(bits: Uint8Array | null, row: number): boolean {
  return bits !== null && ((bits[row >> 3] as number) & (1 << (row & 7))) !== 0;
}

/** A table that no entry can give would be waited for in vain. */
function checkTable(wanted: string | undefined, tables: readonly { readonly to: string }[]): void {
  if (wanted === undefined || tables.some(({ to }) => to === wanted || to.includes("${"))) return;
  const near = nearest(
    wanted,
    tables.map(({ to }) => to),
  );
  throw new FrazilError("config", "USAGE", `no entry of tables: writes to ${wanted}`, {
    hint: near === null ? `there are ${tables.map(({ to }) => to).join(", ")}` : `did you mean ${near}?`,
  });
}
