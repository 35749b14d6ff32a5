import { FrazilError } from "../core/errors.ts";

/** Of a table, as it was named. */
export function unknownBranch(table: string, branch: string): FrazilError {
  return new FrazilError("not-found", "BRANCH_NOT_FOUND", `${table} has no branch ${branch}`, {
    hint: `frazil branch ${table} lists its branches`,
  });
}
