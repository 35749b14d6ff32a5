import { grouped } from "../../core/count-text.ts";
import { DEAD_LETTER_SPLIT } from "../../core/dead-letter.ts";
import type { Position } from "../../core/position.ts";
import type { CliContext } from "../context.ts";
import { readJob } from "../job-file.ts";
import { inSplitOrder, type Progress, progressOf, withJob, withSource } from "../job-view.ts";
import { jsonLine, tableText } from "../output.ts";

/** `frazil positions <job>`: one line a split with the points of tables, ledger and source. */
export async function positions(context: CliContext, path: string): Promise<void> {
  const { output } = context;
  const job = readJob(context, path);
  await withJob(context, job, async (view) => {
    const { anchor, ledger } = view.state;
    const progress = await withSource(context, job, { warehouse: view.warehouse }, ({ source }) =>
      progressOf(view, source),
    );
    const splits = splitsOf(progress, ledger?.ledger.position ?? null);
    if (output.json) {
      for (const split of splits) {
        await output.write(
          jsonLine({
            split,
            position: progress.positions.resume?.get(split) ?? null,
            from: progress.from.get(split) ?? null,
            end: progress.end.get(split) ?? null,
            lag: progress.lag(split),
            ledger: ledger?.ledger.position.get(split),
            anchor,
            tables: Object.fromEntries(
              [...progress.positions.tables].map(([table, position]) => [table, position.get(split) ?? null]),
            ),
          }),
        );
      }
      return;
    }
    const { resume, tables } = progress.positions;
    if (resume === null) output.note(`${job.name} holds no table yet: the next run starts at the points shown`);
    const total = (lag: bigint | null): string => (lag === null ? "?" : grouped(lag));
    await output.write(
      tableText(
        [
          { name: "split", align: "left" },
          { name: "next", align: "right" },
          { name: "end", align: "right" },
          { name: "lag", align: "right" },
        ],
        splits.map((split) => [
          split,
          progress.from.get(split) ?? "start",
          progress.end.get(split) ?? (split === DEAD_LETTER_SPLIT ? "" : "gone"),
          total(progress.lag(split)),
        ]),
      ),
    );
    if (tables.size === 0) return;
    const rows = [...tables].flatMap(([table, position]) =>
      splits.map((split) => [table === anchor ? `${table} (anchor)` : table, split, position.get(split) ?? "none"]),
    );
    if (ledger !== null) {
      rows.push(...splits.map((split) => ["(ledger)", split, ledger.ledger.position.get(split) ?? "none"]));
    }
    const columns = [
      { name: "table", align: "left" as const },
      { name: "split", align: "left" as const },
      { name: "position", align: "right" as const },
    ];
    await output.write(`\n${tableText(columns, rows)}`);
  });
}

/** Splits that the source has, or that something committed has a point of. */
function splitsOf({ positions: { tables }, from, end }: Progress, ledger: Position | null): string[] {
  const all = [from, end, ...tables.values(), ...(ledger === null ? [] : [ledger])];
  return inSplitOrder(all.flatMap((position) => [...position.keys()]));
}
