import type { Job } from "./job-schema.ts";
import type { Finding } from "./lint.ts";

/**
 * What several jobs would do to one another: the same name, which is one pipeline's identity, or the same table in one warehouse.
 * Placed at the top of the later file.
 */
export function sharedTables(jobs: ReadonlyMap<string, Job>): (Finding & { readonly path: string })[] {
  const found: (Finding & { readonly path: string })[] = [];
  const names = new Map<string, string>();
  const targets = new Map<string, string>();
  for (const [path, job] of jobs) {
    const warn = (message: string): void => void found.push({ path, severity: "warning", line: 1, column: 1, message });
    const identity = `${job.warehouse.location}\n${job.name}`;
    const other = names.get(identity);
    if (other !== undefined)
      warn(`has the name ${job.name} of ${other} in the same warehouse: only one of the two can run`);
    names.set(identity, other ?? path);
    for (const to of new Set(job.tables.map((route) => route.to))) {
      const target = `${job.warehouse.location}\n${to}`;
      const writer = targets.get(target);
      if (writer !== undefined && other === undefined) warn(`writes ${to}, as ${writer} does`);
      targets.set(target, writer ?? path);
    }
  }
  return found;
}
