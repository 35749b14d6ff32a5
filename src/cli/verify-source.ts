import { parseCounted } from "../core/counted-point.ts";
import { counted } from "../core/count-text.ts";
import type { Position } from "../core/position.ts";
import { asWritten } from "../commit/writer-branch.ts";
import type { Finding } from "../maintenance/verify/finding.ts";
import { type ComparedTable, type Comparison, compareWithSource, reasonAgainst } from "../pipeline/compare-source.ts";
import type { AnyJob } from "../registry.ts";
import { targetMatcher } from "../sink/layout/router.ts";
import type { CliContext } from "./context.ts";
import { fromBeginning } from "./from-beginning.ts";
import { readJob } from "./job-file.ts";
import { type JobView, progressOf, withJob, withSource } from "./job-view.ts";
import { jsonLine } from "./output.ts";

type Print = (subject: string, findings: readonly Finding[]) => Promise<number>;

/** The source of a job against its tables; what cannot be compared is said, and is no finding. @returns how many findings there are. */
export async function verifySource(context: CliContext, path: string, print: Print): Promise<number> {
  const job = fromBeginning(readJob(context, path));
  return withJob(context, job, async (view) => {
    if (view.warehouse === null || view.state.tables.length === 0) {
      context.output.note(`${job.name} holds no table yet`);
      return 0;
    }
    const { warehouse } = view;
    const from = await withSource(context, job, { warehouse, onReject: () => {} }, async ({ source }) => {
      const progress = await progressOf(view, source);
      return { beginning: await source.startPosition(), positions: progress.positions.tables };
    });
    const lost = lostText(job, from.beginning);
    const compared: ComparedTable[] = [];
    for (const { name, loaded } of view.state.tables) {
      const rule = job.tables.find((each) => targetMatcher([each])(loaded.ident));
      const position = from.positions.get(name);
      if (rule === undefined || position === undefined) continue;
      const reason = lost ?? reasonAgainst({ loaded, rule });
      // The position is that of the branch that the job writes to.
      if (reason === null) compared.push({ name, loaded: asWritten(loaded), rule, position });
      else await tellCannot(context, name, reason);
    }
    if (compared.length === 0) return 0;
    const comparisons = await compareWithSource(warehouse.io, compared, (run) =>
      withSource(context, job, { warehouse, onReject: () => {} }, async ({ source, router }) => {
        await recall(view, source);
        return run(source, router);
      }),
    );
    let found = 0;
    for (const comparison of comparisons) {
      const findings = findingsOf(comparison);
      found += await print(comparison.table.name, findings);
      await tellCompared(context, comparison, findings.length);
    }
    return found;
  });
}

/** Which life of a stream counts shows only when the known one was told. */
async function recall(view: JobView, source: Parameters<typeof progressOf>[1]): Promise<void> {
  await progressOf(view, source);
}

/** Why the source does not tell all any more; null: it does. A table that is read holds its oldest rows as a whole. */
function lostText({ source }: AnyJob, beginning: Position): string | null {
  if (source.type !== "kafka") return null;
  for (const [split, point] of beginning) {
    if (parseCounted(point)?.offset !== 0n) return `${split} begins at ${point}: what was before it is gone`;
  }
  return null;
}

async function tellCannot({ output }: CliContext, table: string, reason: string): Promise<void> {
  if (output.json) await output.write(jsonLine({ event: "cannot", check: "source", table, reason }));
  else await output.write(`– ${table}: cannot be compared with the source: ${reason}\n`);
}

async function tellCompared({ output }: CliContext, { table, source }: Comparison, findings: number): Promise<void> {
  const rows = source.reduce((sum, { count }) => sum + count, 0);
  const { rule, name } = table;
  if (output.json) {
    await output.write(
      jsonLine({ event: "verified", check: "source", table: name, rows, ranges: source.length, findings }),
    );
    return;
  }
  const what =
    rule.mode === "upsert" ? `${counted(rows, "key")} in ${counted(source.length, "range")}` : counted(rows, "row");
  await output.write(`  source: ${what} compared\n`);
}

/** A topic that is compacted lacks messages that later ones have overtaken, which the table does not have yet. */
const KEYS_HINT =
  "frazil positions reset has the job read all again; of a compacted topic, look again once the job has caught up";

const ROWS_HINT =
  "roll the table back to where it was right, with its position, and the job reads on from there: frazil rollback";

function findingsOf({ table, source, found }: Comparison): Finding[] {
  const { name, rule } = table;
  return source.flatMap((range, index): Finding[] => {
    const there = found[index] ?? { count: 0, hash: 0n };
    if (range.count === there.count && range.hash === there.hash) return [];
    const isKeyed = rule.mode === "upsert";
    const text = ({ count, hash }: typeof there) =>
      `${counted(count, isKeyed ? "key" : "row")}${isKeyed ? ` of hash ${hash.toString(16)}` : ""}`;
    return [
      {
        check: "source",
        table: name,
        object: isKeyed ? `range ${index} of ${source.length}` : "rows",
        expected: text(range),
        found: text(there),
        hint: isKeyed ? KEYS_HINT : ROWS_HINT,
      },
    ];
  });
}
