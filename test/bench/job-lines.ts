import { frazil, type JobProcess } from "../it/job/job-process.ts";

/** A `commit` line of a job, with when it came. */
export interface CommitLine {
  readonly atMs: number;
  readonly checkpoint: number;
  readonly table: string;
  readonly snapshotId: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  readonly freshnessMs: number;
}

/** What a job says at its end. */
export interface EndLine {
  readonly durationMs: number;
  readonly records: number;
  readonly checkpoints: number;
  readonly maintenanceRuns: number;
  readonly maintenanceFailures: number;
  readonly position: Readonly<Record<string, string>>;
}

/** Runs a job to its end and tells its commits as they are printed. Throws when it fails. */
export async function runJobFile(
  args: readonly string[],
  committed: (line: CommitLine, job: JobProcess) => void,
): Promise<EndLine> {
  const job = frazil(["run", ...args, "--json"]);
  let end: EndLine | null = null;
  let rest = "";
  job.child.stdout?.on("data", (text: string) => {
    const atMs = performance.now() + performance.timeOrigin;
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = JSON.parse(line) as { event: string };
      if (event.event === "commit") committed({ ...(event as unknown as CommitLine), atMs }, job);
      else if (event.event === "end") end = event as unknown as EndLine;
    }
  });
  const code = await job.ended;
  if (code !== 0 || end === null) throw new Error(`the job ended with ${code}: ${job.stderr()}`);
  return end;
}

/** The value below which a share of them lies. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}
