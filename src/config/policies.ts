import { z } from "zod";
import { FrazilError } from "../core/errors.ts";
import { MAINTENANCE_CONCURRENCY } from "../core/limits.ts";
import type { MaintenanceTask } from "../core/maintenance.ts";
import type { Environment } from "./interpolate.ts";
import { type WarehouseSettings, warehouseSchema } from "./job-schema.ts";
import { readChecked, withEnvironment } from "./load.ts";
import { check } from "./problems.ts";
import { maintenanceShape, tasksOf } from "./maintenance-schema.ts";
import { duration, size, text, whole } from "./scalars.ts";

/** What the maintenance service does, and to which tables. */
export interface Policies {
  /** Null: what the command line names. */
  readonly warehouse: WarehouseSettings | null;
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly historyMs: number;
  readonly memoryBytes: number;
  /** The first whose pattern matches a table's name decides. */
  readonly policies: readonly { readonly tables: string; readonly tasks: readonly MaintenanceTask[] }[];
}

const policy = z
  .strictObject({
    tables: text()
      .meta({ example: "shop.*" })
      .describe(
        "Names of tables, `namespace.table`; `*` and `?` are wild. The first entry that matches a table decides.",
      ),
    ...maintenanceShape,
  })
  .transform(({ tables, ...block }) => ({ tables, tasks: tasksOf(block) }));

/** The file of `frazil maintain --policies`. */
export const policiesSchema: z.ZodType<Policies> = z
  .strictObject({
    warehouse: warehouseSchema.optional().describe("Where the tables are, unless the command names it."),
    concurrency: whole(1, 64).prefault(MAINTENANCE_CONCURRENCY).describe("Tables that are worked on at once."),
    lease: duration(1_000)
      .prefault("30s")
      .describe("Of several services one leads; another takes over when nothing is heard of it for so long."),
    history: duration(86_400_000).prefault("30d").describe("How long runs are remembered."),
    memory: size(64 * 2 ** 20)
      .prefault("512MiB")
      .describe("Byte budget of the process, shared by the tables that are worked on."),
    policies: z.array(policy).min(1).describe("What is done to which tables, and when."),
  })
  .transform((value) => ({
    warehouse: value.warehouse ?? null,
    concurrency: value.concurrency,
    leaseMs: value.lease,
    historyMs: value.history,
    memoryBytes: value.memory,
    policies: value.policies,
  }));

/**
 * Reads a file of policies, `${VAR}` from the environment.
 * @throws FrazilError kind `config`, code `POLICIES_INVALID`: every problem on a line of its own, as for a job file.
 */
export function loadPolicies(content: string, path: string, env: Environment): Policies {
  const policies = readChecked(policiesSchema, content, path, env, "POLICIES_INVALID");
  const { warehouse } = policies;
  return { ...policies, warehouse: warehouse === null ? null : withEnvironment(warehouse, env) };
}

/** Without a file: everything that has a default, for every table. */
export function defaultPolicies(): Policies {
  const checked = check(policiesSchema, {
    policies: [{ tables: "*", compact: {}, rewrite_manifests: {}, expire: {}, clean_orphans: {} }],
  });
  if ("value" in checked) return checked.value;
  throw new FrazilError("internal", "DEFAULT_POLICIES", "the default policies do not pass their own check");
}
