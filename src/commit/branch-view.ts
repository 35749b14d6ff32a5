import {
  type Catalog,
  catalogView,
  type CommitOutcome,
  FrazilError,
  identText,
  isOnMain,
  type LoadedTable,
  type SnapshotRef,
  type TableChange,
  type TableIdent,
  type TableMetadata,
  type TableRequirement,
  type TableUpdate,
} from "../../table-format/index.ts";
import { BRANCH_ENTRY } from "./names.ts";
import { KEPT_FOR_EVER_MS } from "./snapshot-change.ts";

/** A catalog that shows a branch as `main`. */
export interface BranchCatalog extends Catalog {
  readonly branch: string;
  /** The catalog behind it, where `main` is `main`. */
  readonly whole: Catalog;
}

/** Whether the branch is shown of a table; null: the table is not there yet. */
export type ShownOf = (ident: TableIdent, metadata: TableMetadata | null) => boolean;

/** How a table was shown last. */
interface Shown {
  /** What the branch named; null: it is not there yet. */
  readonly head: bigint | null;
  /** Whether the branch has nothing of its own: then what is shown is `main`, and the next commit takes the branch there. */
  readonly follows: boolean;
}

/**
 * A catalog in which a branch of tables and `main` have changed names, so that whoever commits to `main` by the rules of this folder
 * commits to the branch by the same rules: what he asserts and moves as `main` is the branch, and `main` stands under the branch's name.
 * Every snapshot says in its summary which branch it was committed to.
 *
 * A branch that is not there yet, or behind `main`, has nothing of its own: then `main`'s head is shown, and the commit on top of it,
 * which asserts both refs, takes the branch there. So rows that come to `main` by other hands are in the branch as well, as long as
 * everything is published.
 *
 * @param shownOf of which tables the branch is shown; all others are as they are
 * @throws FrazilError on loading a table: `config`, code `BAD_BRANCH`, where a tag has the name
 */
export function branchCatalog(whole: Catalog, branch: string, shownOf: ShownOf = () => true): BranchCatalog {
  // A state that is out of date makes a commit a conflict, never a wrong one: each assertion names the heads that it was made for.
  const shown = new Map<string, Shown>();
  const show = (table: LoadedTable): LoadedTable => {
    if (!shownOf(table.ident, table.metadata)) {
      shown.delete(identText(table.ident));
      return table;
    }
    checkNoTag(table, branch);
    const state = stateOf(table.metadata, branch);
    shown.set(identText(table.ident), state);
    return { ...table, branch, metadata: swapped(table.metadata, branch, state) };
  };
  const view = catalogView(whole, {
    async loadTable(ident) {
      const table = await whole.loadTable(ident);
      if (table !== null) return show(table);
      if (shownOf(ident, null)) shown.set(identText(ident), { head: null, follows: true });
      return null;
    },
    async commit(changes, claim): Promise<CommitOutcome> {
      const outcome = await whole.commit(
        changes.map((change) => {
          const state = shown.get(identText(change.ident));
          return state === undefined ? change : onBranch(change, branch, state);
        }),
        claim,
      );
      return outcome.outcome === "committed" ? { ...outcome, tables: outcome.tables.map(show) } : outcome;
    },
  });
  return { ...view, branch, whole };
}

/**
 * A catalog for readers of a branch: `main` is what the branch names, also where it lags behind `main`. Nothing can be committed through it.
 */
export function branchForReaders(whole: Catalog, branch: string): Catalog {
  return {
    ...branchCatalog(whole, branch),
    async loadTable(ident) {
      const table = await whole.loadTable(ident);
      if (table === null) return null;
      const { metadata } = table;
      const head = metadata.refs.get(branch)?.snapshotId ?? null;
      return { ...table, branch, metadata: swapped(metadata, branch, { head, follows: false }) };
    },
    commit: () => Promise.reject(new FrazilError("internal", "READ_ONLY", `branch ${branch} is shown to be read`)),
  };
}

/** A table with a branch in `main`'s stead. @throws FrazilError as `branchCatalog` on loading it */
export function shownThrough(table: LoadedTable, branch: string): LoadedTable {
  checkNoTag(table, branch);
  return { ...table, branch, metadata: swapped(table.metadata, branch, stateOf(table.metadata, branch)) };
}

/** The catalog in which `main` is `main`. */
export function wholeCatalog(catalog: Catalog | BranchCatalog): Catalog {
  return "whole" in catalog ? catalog.whole : catalog;
}

function checkNoTag({ ident, metadata }: LoadedTable, branch: string): void {
  if (metadata.refs.get(branch)?.type !== "tag") return;
  const message = `${branch} is a tag of table ${identText(ident)}, and cannot be written to as a branch`;
  throw new FrazilError("config", "BAD_BRANCH", message, { hint: "choose another name for the branch" });
}

function stateOf(metadata: TableMetadata, branch: string): Shown {
  const head = metadata.refs.get(branch)?.snapshotId ?? null;
  return { head, follows: head === null || isOnMain(metadata, head) };
}

function swapped(metadata: TableMetadata, branch: string, { follows }: Shown): TableMetadata {
  const main = metadata.refs.get("main");
  const own = metadata.refs.get(branch);
  const refs = new Map<string, SnapshotRef>();
  const head = follows ? main : own;
  // Settings of the branch stay those of the branch.
  if (head !== undefined) refs.set("main", { ...(own ?? { type: "branch" }), snapshotId: head.snapshotId });
  for (const [name, ref] of metadata.refs) if (name !== "main" && name !== branch) refs.set(name, ref);
  if (main !== undefined) refs.set(branch, main);
  return { ...metadata, refs, currentSnapshotId: head?.snapshotId ?? null };
}

function onBranch(change: TableChange, branch: string, state: Shown): TableChange {
  const back = (name: string): string => (name === "main" ? branch : name === branch ? "main" : name);
  const requirements = change.requirements.flatMap((requirement): TableRequirement[] => {
    if (requirement.type !== "assert-ref-snapshot-id") return [requirement];
    if (requirement.ref !== "main") return [{ ...requirement, ref: back(requirement.ref) }];
    if (!state.follows) return [{ ...requirement, ref: branch }];
    return [requirement, { ...requirement, ref: branch, snapshotId: state.head }];
  });
  const updates = change.updates.map((update): TableUpdate => {
    switch (update.action) {
      case "add-snapshot": {
        const summary = new Map(update.snapshot.summary).set(BRANCH_ENTRY, branch);
        return { ...update, snapshot: { ...update.snapshot, summary } };
      }
      case "set-snapshot-ref": {
        // With an age the branch, and what it alone holds, could expire while its job stands still.
        const ref = update.name === "main" ? { ...update.ref, maxRefAgeMs: KEPT_FOR_EVER_MS } : update.ref;
        return { ...update, name: back(update.name), ref };
      }
      case "remove-snapshot-ref":
        return { ...update, name: back(update.name) };
      default:
        return update;
    }
  });
  return { ...change, requirements, updates };
}
