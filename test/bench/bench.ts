/** `npm run bench -- <name> [--json]`: one line a figure. Exits non-zero when a bench's results are wrong. */
import { changes } from "./changes.ts";
import { commit } from "./commit.ts";
import { decode } from "./decode.ts";
import { freshness } from "./freshness.ts";
import { ingest } from "./ingest.ts";
import { read } from "./read.ts";
import { soak } from "./soak.ts";
import { tableFormat } from "./table-format.ts";
import { upsert } from "./upsert.ts";

/** One figure of a case. */
export interface Figure {
  readonly case: string;
  readonly figure: string;
  /** Null where there is none, which the case tells. */
  readonly value: number | null;
  readonly unit: string;
}

/** Runs a bench and yields its figures as they come; throws when its results are wrong. */
export type Bench = (progress: (line: string) => void) => AsyncIterable<Figure>;

const BENCHES: Readonly<Record<string, Bench>> = {
  changes,
  commit,
  decode,
  freshness,
  ingest,
  read,
  soak,
  "table-format": tableFormat,
  upsert,
};

const json = process.argv.includes("--json");
const name = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
const bench = name === undefined ? undefined : BENCHES[name];
if (name === undefined || bench === undefined) {
  process.stderr.write(`usage: npm run bench -- <name> [--json]; benches: ${Object.keys(BENCHES).join(", ")}\n`);
  process.exit(64);
}
for await (const { case: of, figure, value, unit } of bench((line) => process.stderr.write(`${line}\n`))) {
  const line = json
    ? JSON.stringify({ bench: name, case: of, figure, value, unit })
    : `${name}  ${of.padEnd(24)} ${figure.padEnd(24)} ${value?.toLocaleString("en").replaceAll(",", " ") ?? "none"} ${unit}`;
  process.stdout.write(`${line}\n`);
}
