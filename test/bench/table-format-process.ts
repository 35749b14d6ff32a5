import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { installReaders } from "../readers/install.ts";
import { spawnOwned } from "../services/owned-process.ts";
import { must } from "../../table-format/index.ts";

/** Who is asked: this library, PyIceberg, and iceberg-rust by its Python package. */
export type EngineName = "frazil" | "pyiceberg" | "iceberg-rust";

/** What a process is asked to do, `rounds` times; all locations are absolute paths. */
export type CaseRequest = { readonly rounds: number } & (
  | { readonly case: "open"; readonly metadata: string; readonly snapshotId: string }
  | { readonly case: "plan"; readonly metadata: string; readonly filter: PlanFilter | null }
  | { readonly case: "append"; readonly metadata: string; readonly warehouse: string; readonly catalog: string }
  | {
      readonly case: "vector";
      /** The Puffin file, of one blob. */
      readonly file: string;
      readonly fileSizeBytes: number;
      readonly offset: number;
      readonly length: number;
      readonly count: number;
      /** Each `step`th position below `span` is looked up. */
      readonly span: number;
      readonly step: number;
    }
);

/** `column = value`; the value of a date in days since 1970. */
export interface PlanFilter {
  readonly column: "id" | "day";
  readonly value: number;
}

/** Milliseconds of each round, on the clock and of all the process's threads together. */
export interface Times {
  readonly ms: readonly number[];
  readonly cpuMs: readonly number[];
}

/** By what was timed; the process's peak of memory (Linux only), and what was found. */
export interface CaseOutcome {
  readonly times: Readonly<Record<string, Times>>;
  readonly peakMiB: number | null;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** Runs cases of one engine, each in a process of its own, so that neither memory nor compiled code is shared. */
export interface CaseEngine {
  readonly name: EngineName;
  /** Null for a case that the engine does not have. */
  run(request: CaseRequest): Promise<CaseOutcome | null>;
}

/** This library. */
export const frazilEngine: CaseEngine = {
  name: "frazil",
  run: (request) => {
    const script = fileURLToPath(new URL("table-format-ours.ts", import.meta.url));
    return outcomeOf("frazil", process.execPath, [script, JSON.stringify(request)]);
  },
};

/** PyIceberg, or what of iceberg-rust its Python package reaches; installed on first use. */
export async function pythonEngine(
  name: "pyiceberg" | "iceberg-rust",
  progress: (line: string) => void,
): Promise<CaseEngine> {
  const python = await installReaders(progress);
  const script = fileURLToPath(new URL("table_format_peer.py", import.meta.url));
  return {
    name,
    run: async (request) => {
      const isThere =
        name === "pyiceberg" || request.case === "open" || (request.case === "plan" && request.filter === null);
      if (!isThere) return null;
      return outcomeOf(name, python, [script, JSON.stringify({ ...pythonRequest(request), engine: name })]);
    },
  };
}

function pythonRequest(request: CaseRequest): object {
  if (request.case !== "plan" || request.filter === null) return request;
  const { column, value } = request.filter;
  const literal = column === "day" ? `'${new Date(value * 86_400_000).toISOString().slice(0, 10)}'` : String(value);
  return { ...request, filter: `${column} == ${literal}` };
}

async function outcomeOf(name: EngineName, command: string, args: readonly string[]): Promise<CaseOutcome> {
  const child = spawnOwned(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TZ: "UTC" } });
  let output = "";
  let complaints = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  child.stderr?.on("data", (chunk: Buffer) => (complaints = (complaints + chunk.toString("utf8")).slice(-4000)));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${name} ended (${code}): ${complaints}`);
  return JSON.parse(must(output.trimEnd().split("\n").at(-1), "an answer")) as CaseOutcome;
}
