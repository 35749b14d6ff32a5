import { type LoadedTable, refSnapshot } from "../../../table-format/index.ts";
import { branchHead } from "../../commit/publish-cut.ts";
import {
  checkBranchName,
  checkForward,
  checkNotInUse,
  createBranch,
  dropBranch,
  fastForward,
} from "../../commit/ref-commit.ts";
import { apart } from "../../commit/writer-branch.ts";
import { counted, grouped } from "../../core/count-text.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { tableAt } from "../../query/as-of.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, type Output, tableText } from "../output.ts";
import { liveRows, timeText } from "../snapshot-figures.ts";
import { unknownBranch } from "../unknown-branch.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface BranchOptions {
  readonly snapshot?: string;
  /** The branch to go on to. */
  readonly fastForward?: string;
  readonly delete?: boolean;
  readonly yes?: boolean;
}

/** `frazil branch <table> [name]`: lists branches, makes a new one at once; one that is there is moved or removed with `--yes` only. */
export async function branch(
  context: CliContext,
  name: string,
  branchName: string | undefined,
  options: BranchOptions,
): Promise<void> {
  checkOptions(branchName, options);
  await withWarehouse(context, async (warehouse) => {
    const table = await namedTable(warehouse, name);
    const { output, runtime } = context;
    if (branchName === undefined) {
      await list(output, name, table);
      return;
    }
    const asked: Asked = { context, refs: { catalog: warehouse.catalog, runtime }, table, name, branch: branchName };
    if (options.fastForward !== undefined) await forward(asked, options.fastForward, options.yes === true);
    else if (options.delete === true) await remove(asked, options.yes === true);
    else await create(asked, options.snapshot);
  });
}

interface Asked {
  readonly context: CliContext;
  readonly refs: Parameters<typeof createBranch>[0];
  readonly table: LoadedTable;
  /** As the user wrote it. */
  readonly name: string;
  readonly branch: string;
}

function checkOptions(branchName: string | undefined, { snapshot, fastForward: to, delete: drop, yes }: BranchOptions) {
  const usage = (message: string): FrazilError =>
    new FrazilError("config", "USAGE", message, { hint: "frazil branch --help" });
  const given = [snapshot !== undefined, to !== undefined, drop === true].filter(Boolean).length;
  if (given > 1) throw usage("--snapshot, --fast-forward and --delete exclude each other");
  if (branchName === undefined && (given > 0 || yes === true)) throw usage("expected the name of a branch");
}

async function create({ context: { output }, refs, table, name, branch: own }: Asked, point: string | undefined) {
  const before = checkBranchName(table, own);
  const { snapshot } = tableAt(table, point ?? null);
  if (snapshot === null) {
    throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `${name} has no snapshot yet that a branch could name`);
  }
  const { snapshotId } = snapshot;
  if (before !== null && before.snapshotId !== snapshotId) {
    throw new FrazilError("config", "BAD_BRANCH", `${name} has a branch ${own} already, at ${before.snapshotId}`, {
      hint: `frazil branch ${name} ${own} --fast-forward main moves it on; --delete removes it`,
    });
  }
  await createBranch(refs, table, own, snapshotId);
  const record = { table: name, branch: own, before: before?.snapshotId ?? null, snapshotId, done: true };
  await output.write(output.json ? jsonLine(record) : `branch ${own} of ${name}: snapshot ${snapshotId}\n`);
}

async function remove({ context: { output }, refs, table, name, branch: own }: Asked, yes: boolean) {
  const before = checkBranchName(table, own);
  if (before === null) throw unknownBranch(name, own);
  checkNotInUse(table, own);
  const held = apart(table.metadata, "main", own);
  const alone = held === null || held.ahead === 0 ? "" : `; ${counted(held.ahead, "snapshot")} of it alone may expire`;
  const record = { table: name, branch: own, before: before.snapshotId, snapshotId: null, done: yes };
  if (yes) await dropBranch(refs, table, own);
  const text = `remove branch ${own} of ${name}, which names snapshot ${before.snapshotId}${alone}\n`;
  await output.write(output.json ? jsonLine(record) : text);
  if (!yes) output.note("nothing is changed yet: --yes does it");
}

async function forward({ context: { output }, refs, table, name, branch: own }: Asked, along: string, yes: boolean) {
  const before = own === "main" ? table.metadata.currentSnapshotId : (checkBranchName(table, own)?.snapshotId ?? null);
  if (own !== "main" && before === null) throw unknownBranch(name, own);
  if (table.metadata.refs.get(along)?.type !== "branch") throw unknownBranch(name, along);
  const { snapshotId } = must(refSnapshot(table.metadata, along), "a branch names a snapshot that is there");
  checkForward(table, own, along, snapshotId);
  const ahead = apart(table.metadata, own, along)?.ahead ?? null;
  // What is there already needs nobody's consent.
  const nothing = ahead === 0;
  if (yes && !nothing) await fastForward(refs, [{ table, snapshotId }], own, along);
  const after = nothing ? before : snapshotId;
  const record = { table: name, branch: own, before, snapshotId: after, along, done: yes || nothing };
  const by = ahead === null ? "" : `, ${counted(ahead, "snapshot")} further`;
  const text = nothing
    ? `${own} of ${name} holds all of ${along} already\n`
    : `move ${own} of ${name} on to ${along}: from snapshot ${before ?? "none"} to ${snapshotId}${by}\n`;
  await output.write(output.json ? jsonLine(record) : text);
  if (!yes && !nothing) output.note("nothing is changed yet: --yes does it");
}

async function list(output: Output, name: string, table: LoadedTable): Promise<void> {
  const { metadata } = table;
  const rows: string[][] = [];
  const branches = [...metadata.refs].filter(([, { type }]) => type === "branch");
  for (const [own] of branches.toSorted(([a], [b]) => rank(a).localeCompare(rank(b)))) {
    const snapshot = must(refSnapshot(metadata, own), "a branch names a snapshot that is there");
    const held = own === "main" ? null : apart(metadata, "main", own);
    const counts = { rows: liveRows(snapshot), ahead: held?.ahead ?? null, behind: held?.behind ?? null };
    if (output.json) {
      const time = timeText(snapshot.timestampMs);
      const published = own === "main" || branchHead(table, own) === null;
      await output.write(
        jsonLine({ table: name, branch: own, snapshotId: snapshot.snapshotId, time, ...counts, published }),
      );
      continue;
    }
    const figure = (count: bigint | number | null): string => (count === null ? "" : grouped(count));
    rows.push([
      own,
      String(snapshot.snapshotId),
      timeText(snapshot.timestampMs),
      figure(counts.rows),
      figure(counts.ahead),
      figure(counts.behind),
    ]);
  }
  if (output.json) return;
  if (rows.length === 0) output.note(`${name} has no branch yet, not even main`);
  else await output.write(tableText(COLUMNS, rows));
}

const COLUMNS = [
  { name: "branch", align: "left" },
  { name: "snapshot", align: "right" },
  { name: "time", align: "left" },
  { name: "rows", align: "right" },
  { name: "ahead", align: "right" },
  { name: "behind", align: "right" },
] as const;

function rank(name: string): string {
  return `${name === "main" ? 0 : 1}${name}`;
}
