/**
 * `npm run torture -- [--kills N] [--seed S] [--store minio|versitygw|local] [--longest-stop-s N] [--report]`: one JSON line on stdout, with
 * `--report` also into docs/torture.md. SIGTERM ends it early: what was done until then is judged and told.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { addToReport } from "./report.ts";
import { STORES } from "./world.ts";
import { torture } from "./torture.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "minio" },
    "longest-stop-s": { type: "string", default: "70" },
    report: { type: "boolean", default: false },
  },
});

function whole(name: "kills" | "seed" | "longest-stop-s"): number {
  const text = values[name];
  if (/^\d{1,9}$/.test(text)) return Number(text);
  process.stderr.write(`--${name}: expected a whole number, found ${text}\n`);
  process.exit(64);
}

const store = STORES.find((name) => name === values.store);
if (store === undefined) {
  process.stderr.write(`--store: expected ${STORES.join(", ")}, found ${values.store}\n`);
  process.exit(64);
}
// As the tests do: a process that is killed leaves no cache for the next one, those that end by themselves do.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "frazil-compile-cache");
const cutOff = new AbortController();
process.once("SIGTERM", () => cutOff.abort());
const report = await torture({
  kills: whole("kills"),
  seed: whole("seed"),
  store,
  longestStopMs: whole("longest-stop-s") * 1000,
  cutOff: cutOff.signal,
  progress: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
if (values.report) addToReport(report);
const { lost, doubled, missing_files, wrong_sums, register_gaps, register_repeats, complaints } = report;
const wrong = lost + doubled + missing_files + wrong_sums + register_gaps + register_repeats + complaints.length;
process.exitCode = wrong === 0 ? 0 : 1;
