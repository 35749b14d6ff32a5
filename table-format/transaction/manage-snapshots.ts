import { FrazilError } from "../errors.ts";
import { ancestors, isAncestor, snapshotById } from "../metadata/refs.ts";
import type { Snapshot, SnapshotRef, TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import type { OperationAttempt, TableOperation } from "./operation.ts";
import { setHead, snapshotUpdates } from "./snapshot-operation.ts";

/** An operation that only looks at metadata. */
export function metadataOperation(
  name: string,
  updates: (base: TableMetadata, attempt: OperationAttempt) => readonly TableUpdate[],
): TableOperation {
  return { name, updates: async (attempt) => updates(attempt.base, attempt) };
}

/**
 * Moves `main` back to one of its ancestors (Java's `rollbackTo`). The snapshots that are rolled back stay until they expire.
 * The commit throws `data`, codes `SNAPSHOT_NOT_FOUND`, `NOT_AN_ANCESTOR`.
 */
export function rollbackTo(snapshotId: bigint): TableOperation {
  return metadataOperation("rollback", (base) => {
    held(base, snapshotId);
    const current = base.currentSnapshotId;
    if (current === null || !isAncestor(base, snapshotId, current)) {
      throw refused("NOT_AN_ANCESTOR", `snapshot ${snapshotId} is not an ancestor of the table's current state`);
    }
    return moved(base, snapshotId);
  });
}

/** Moves `main` back to its newest ancestor that is older than a time (milliseconds since 1970 UTC; Java's `rollbackToTime`). */
export function rollbackToTime(timestampMs: bigint): TableOperation {
  return metadataOperation("rollback to a time", (base) => {
    const current = base.currentSnapshotId;
    let newest: Snapshot | null = null;
    for (const snapshot of current === null ? [] : ancestors(base, current)) {
      if (snapshot.timestampMs >= timestampMs) continue;
      if (newest === null || snapshot.timestampMs > newest.timestampMs) newest = snapshot;
    }
    if (newest === null) {
      throw refused("SNAPSHOT_NOT_FOUND", `no snapshot of main is older than ${timestampMs} ms since 1970`);
    }
    return moved(base, newest.snapshotId);
  });
}

/** Moves `main` to any snapshot that the table holds (Java's `setCurrentSnapshot`). */
export function setCurrentSnapshot(snapshotId: bigint): TableOperation {
  return metadataOperation("set current snapshot", (base) => {
    held(base, snapshotId);
    return moved(base, snapshotId);
  });
}

/** How long a branch, its snapshots or a tag are kept (spec, "Snapshot Retention Policy"); absent: as the table says. */
export type RefRetention = Omit<SnapshotRef, "snapshotId" | "type">;

/**
 * Makes a branch; at the head of `main`, as the caller knew it or as the same commit leaves it, unless a snapshot is given. In a table
 * without snapshots it begins with an empty one, as in Java. The commit throws `data`, code `REF_EXISTS`.
 */
export function createBranch(name: string, snapshotId?: bigint, retention: RefRetention = {}): TableOperation {
  const ref = createRef("branch", name, snapshotId, retention);
  return {
    name: ref.name,
    async updates(attempt) {
      const { base, started, ownSnapshotIds } = attempt;
      const isEmpty = started.currentSnapshotId === null && !ownSnapshotIds.has(base.currentSnapshotId ?? 0n);
      if (snapshotId !== undefined || !isEmpty) return ref.updates(attempt);
      if (base.refs.has(name)) throw refExists(name);
      const updates = await snapshotUpdates(attempt, { branch: name }, "append", { mergeManifests: false });
      return updates.map((update) =>
        update.action === "set-snapshot-ref" ? { ...update, ref: { ...retention, ...update.ref } } : update,
      );
    },
  };
}

/** Makes a tag; at the head of `main` unless a snapshot is given. The commit throws `data`, code `REF_EXISTS`. */
export function createTag(
  name: string,
  snapshotId?: bigint,
  retention: Pick<RefRetention, "maxRefAgeMs"> = {},
): TableOperation {
  return createRef("tag", name, snapshotId, retention);
}

function createRef(type: SnapshotRef["type"], name: string, id: bigint | undefined, retention: RefRetention) {
  return metadataOperation(`create ${type} ${name}`, (base, { started, ownSnapshotIds }) => {
    const head = base.currentSnapshotId;
    // What the same commit has added, or else the head that the caller saw: at a later attempt another one would be meant.
    const isOwn = head !== null && ownSnapshotIds.has(head);
    const snapshotId = id ?? (isOwn ? head : started.currentSnapshotId);
    if (snapshotId === null) throw refused("SNAPSHOT_NOT_FOUND", "the table has no snapshot yet");
    if (base.refs.has(name)) throw refExists(name);
    held(base, snapshotId);
    return [{ action: "set-snapshot-ref", name, ref: { ...retention, type, snapshotId } }];
  });
}

/**
 * Lets a branch or a tag name another snapshot (Java's `replaceBranch`, `replaceTag`), or the one that another ref names; its retention
 * stays.
 */
export function replaceRef(name: string, to: bigint | string): TableOperation {
  return metadataOperation(`replace ${name}`, (base) => {
    const ref = existing(base, name);
    const snapshotId = typeof to === "string" ? existing(base, to).snapshotId : to;
    held(base, snapshotId);
    return ref.snapshotId === snapshotId ? [] : [{ action: "set-snapshot-ref", name, ref: { ...ref, snapshotId } }];
  });
}

/**
 * Moves a branch on to what another ref names, if that comes of it (Java's `fastForwardBranch`); a branch that does not exist is made.
 * The commit throws `data`, code `NOT_AN_ANCESTOR`.
 */
export function fastForwardBranch(branch: string, to: string): TableOperation {
  return metadataOperation(`fast-forward ${branch}`, (base) => {
    const target = existing(base, to).snapshotId;
    if (base.refs.get(branch)?.type === "tag") throw wrongType(branch, "branch");
    const before = base.refs.get(branch)?.snapshotId;
    if (before === target) return [];
    if (before !== undefined && !isAncestor(base, before, target)) {
      throw refused("NOT_AN_ANCESTOR", `cannot fast-forward: ${branch} is not an ancestor of ${to}`);
    }
    return [setHead(base, branch, target)];
  });
}

/** Gives a branch another name. `main` keeps its own. */
export function renameBranch(from: string, to: string): TableOperation {
  return metadataOperation(`rename branch ${from}`, (base) => {
    checkNotMain(from);
    const ref = existing(base, from, "branch");
    if (base.refs.has(to)) throw refExists(to);
    return [
      { action: "remove-snapshot-ref", name: from },
      { action: "set-snapshot-ref", name: to, ref },
    ];
  });
}

/** Takes a branch away. Its snapshots stay until they expire. */
export function removeBranch(name: string): TableOperation {
  return removeRef("branch", name);
}

/** Takes a tag away. */
export function removeTag(name: string): TableOperation {
  return removeRef("tag", name);
}

function removeRef(type: SnapshotRef["type"], name: string): TableOperation {
  return metadataOperation(`remove ${type} ${name}`, (base, { started }) => {
    checkNotMain(name);
    // Gone by our own request whose answer was lost, or by another's: it is as it was to be.
    if (!base.refs.has(name) && started.refs.has(name)) return [];
    existing(base, name, type);
    return [{ action: "remove-snapshot-ref", name }];
  });
}

/** Changes how long a ref and its snapshots are kept; what is undefined stays, null takes a limit away. */
export function setRefRetention(
  name: string,
  retention: { readonly [K in keyof RefRetention]?: RefRetention[K] | null },
): TableOperation {
  return metadataOperation(`retention of ${name}`, (base) => {
    const merged = Object.entries({ ...existing(base, name), ...retention }).filter(
      ([, value]) => value !== null && value !== undefined,
    );
    const ref = Object.fromEntries(merged) as unknown as SnapshotRef;
    return [{ action: "set-snapshot-ref", name, ref }];
  });
}

function moved(base: TableMetadata, snapshotId: bigint): TableUpdate[] {
  return base.currentSnapshotId === snapshotId ? [] : [setHead(base, "main", snapshotId)];
}

function held(base: TableMetadata, snapshotId: bigint): void {
  if (snapshotById(base, snapshotId) !== null) return;
  throw refused("SNAPSHOT_NOT_FOUND", `the table does not hold snapshot ${snapshotId}`);
}

function existing(base: TableMetadata, name: string, type?: SnapshotRef["type"]): SnapshotRef {
  const ref = base.refs.get(name);
  if (ref === undefined) throw refused("REF_NOT_FOUND", `the table has no ref ${name}`);
  if (type !== undefined && ref.type !== type) throw wrongType(name, type);
  return ref;
}

function refExists(name: string): FrazilError {
  return refused("REF_EXISTS", `ref ${name} already exists`);
}

function wrongType(name: string, type: SnapshotRef["type"]): FrazilError {
  return refused("REF_TYPE", `ref ${name} is a ${type === "branch" ? "tag" : "branch"}, not a ${type}`);
}

function checkNotMain(name: string): void {
  if (name === "main") throw refused("MAIN_STAYS", "main cannot be removed or renamed");
}

function refused(code: string, message: string): FrazilError {
  return new FrazilError("data", code, message);
}
