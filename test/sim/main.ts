import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { BROKEN_BUILDS } from "./broken/builds.ts";
import { runCampaign } from "./campaign.ts";
import { partsOf } from "./record.ts";
import { addToReport, committedBuild, noteBroken, readRecord, writeReport } from "./report.ts";
import { runSeed } from "./run-seed.ts";
import { commandOf, shrink } from "./shrink.ts";
import { addTotals, noTotals, sortedTotals } from "./totals.ts";
import type { Worked } from "./worker.ts";
import { type Given, type Part, PARTS } from "./world/settings.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "100" },
    processes: { type: "string", default: String(Math.min(4, availableParallelism())) },
    without: { type: "string", default: "" },
    transactions: { type: "string" },
    checkpoints: { type: "string" },
    trace: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    broken: { type: "boolean", default: false },
    build: { type: "string" },
    shrink: { type: "boolean", default: false },
  },
});

const from = Number(values.from);
const seeds = Number(values.seeds);
const without = values.without === "" ? [] : values.without.split(",").map(partOf);
const given: Given = {
  without,
  transactions: values.transactions === undefined ? undefined : Number(values.transactions),
  checkpoints: values.checkpoints === undefined ? undefined : Number(values.checkpoints),
};

if (values.trace) await printTrace();
else if (values.broken) await breakBuilds();
else await simulate();

/** Every line of one seed's trace. */
async function printTrace(): Promise<void> {
  const { lines, digest, failure } = await runSeed(from, given, { trace: true, everySnapshot: true });
  process.stdout.write((lines ?? []).join(""));
  process.stdout.write(`${digest}\n${failure?.text ?? "every promise held"}\n`);
  if (failure !== null) process.exitCode = 1;
}

async function simulate(): Promise<void> {
  const startedMs = performance.now();
  // Of what a seed is when it is whole.
  const isReported =
    values.report && without.length === 0 && given.transactions === undefined && given.checkpoints === undefined;
  const build = isReported && seeds > 0 ? committedBuild() : "";
  const parts = isReported
    ? partsOf(readRecord(), from, seeds)
    : [{ first: from, last: from + seeds - 1, isNew: true }];
  const totals = noTotals();
  const failures: Worked["failures"][number][] = [];
  for (const part of parts) {
    const worked = await runCampaign({
      from: part.first,
      seeds: part.last - part.first + 1,
      ...given,
      without,
      processes: Number(values.processes),
      stopAtFirst: false,
      progress: (done) =>
        process.stderr.write(
          `\r${totals.seeds + done.seeds} of ${seeds} seeds, ${totals.violations + done.violations} violations `,
        ),
    });
    addTotals(totals, worked.totals);
    failures.push(...worked.failures);
    if (isReported) addToReport({ ...part, build, ...worked });
  }
  process.stderr.write("\n");
  process.stdout.write(`${JSON.stringify(sortedTotals(totals), null, 2)}\n`);
  process.stdout.write(`${totals.seeds} seeds in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s\n`);
  for (const { seed, text } of failures) process.stdout.write(`\nseed ${seed}: ${text}\n  ${commandOf(seed, given)}\n`);
  if (isReported) {
    writeReport(readRecord());
    process.stdout.write("docs/simulation.json has them\n");
  }
  const [first] = failures;
  if (first !== undefined) {
    process.exitCode = 1;
    await printShrunk(first.seed);
  }
}

async function printShrunk(seed: number): Promise<void> {
  if (!values.shrink) {
    process.stdout.write(`\nmake it smaller: ${commandOf(seed, given)} --shrink\n`);
    return;
  }
  const failed = await runSeed(seed, given);
  if (failed.failure === null) return;
  const { given: small, result } = await shrink(failed, (text) => process.stderr.write(`  ${text}\n`));
  process.stdout.write(`\nsmaller: ${result.failure?.text}\n  ${commandOf(seed, small)}\n`);
}

/** Runs each broken build until a seed catches it. */
async function breakBuilds(): Promise<void> {
  for (const { name } of BROKEN_BUILDS) {
    if (values.build !== undefined && values.build !== name) continue;
    const { totals, failures } = await runCampaign({
      from,
      seeds,
      ...given,
      without,
      processes: Number(values.processes),
      stopAtFirst: true,
      broken: name,
    });
    const [first] = failures;
    if (first === undefined) {
      process.exitCode = 1;
      process.stdout.write(`${name}: NOT caught by ${totals.seeds} seeds\n`);
      continue;
    }
    process.stdout.write(
      `${name}: caught by seed ${first.seed} after ${totals.seeds} seeds: ${first.text.split("\n")[0]}\n`,
    );
    if (values.report) noteBroken(name, first.seed, first.rule);
  }
}

function partOf(name: string): Part {
  const part = PARTS.find((each) => each === name);
  if (part === undefined) throw new Error(`there is no part ${name}; there are ${PARTS.join(", ")}`);
  return part;
}
