import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Called, frazil } from "./frazil.ts";

/** A job over the generator with its own warehouse in a folder of its own, run through the command line. */
export interface GeneratedJob {
  readonly folder: string;
  readonly path: string;
  readonly warehouse: string;
  /** A verb over the job's warehouse. */
  at(...args: string[]): Called;
  /** Writes the job file anew: the changelog ends at `events`. */
  endAt(events: number): void;
  /** Runs the job until it has caught up. @throws Error with what it printed when it fails. */
  run(...options: string[]): Called;
  remove(): void;
}

/** `catalog` of the job: `sqlite` commits all tables together, `object-store` one after another. */
export function generatedJob(catalog: "sqlite" | "object-store", events: number): GeneratedJob {
  const folder = mkdtempSync(join(tmpdir(), "frazil-job-"));
  const path = join(folder, "job.yaml");
  const warehouse = join(folder, "lake");
  const job: GeneratedJob = {
    folder,
    path,
    warehouse,
    at: (...args) => frazil([...args, "--warehouse", warehouse]),
    endAt(end) {
      writeFileSync(
        path,
        `name: shop
source: { type: generator, seed: 7, events: ${end}, splits: 2 }
warehouse: { location: ${warehouse}, catalog: { type: ${catalog} } }
tables:
  - { from: shop.customers, to: shop.customers, mode: upsert, partition_by: [region] }
  - { from: shop.orders, to: shop.orders, mode: upsert }
  - { from: shop.order_events, to: shop.order_events, mode: append }
checkpoint: { interval: 1h }
`,
      );
    },
    run(...options) {
      const called = frazil(["run", path, "--until", "caught-up", ...options]);
      if (called.code !== 0) throw new Error(`run ended with ${called.code}: ${called.stderr}`);
      return called;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  job.endAt(events);
  return job;
}

/** JSON lines as objects. */
export function objects(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
