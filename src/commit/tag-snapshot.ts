import { identText, type LoadedTable, type TableChange } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { inTurn } from "./commit-queue.ts";
import type { CommitContext } from "./context.ts";
import { gaveUp, sameTable } from "./commit-errors.ts";
import { pipelineOfTag } from "./names.ts";
import { growingPauses } from "./pauses.ts";

type TagContext = Pick<CommitContext, "catalog" | "runtime" | "queue" | "giveUp">;

const GIVE_UP_AFTER_MS = 60_000;

/**
 * Makes a tag name a snapshot, or takes it away (`snapshotId` null), if it still names what it named in `table`.
 *
 * @param maxRefAgeMs how old the snapshot may become before expiry removes the tag; absent: as the table says.
 * @throws FrazilError `config` for a name that is a branch or belongs to a pipeline; `conflict` when somebody else moved the tag;
 * `unavailable` when the outcome cannot be learned.
 */
export async function setTag(
  { catalog, runtime, queue, giveUp }: TagContext,
  table: LoadedTable,
  tag: string,
  snapshotId: bigint | null,
  maxRefAgeMs?: bigint,
): Promise<void> {
  const { ident, metadata } = table;
  const before = checkTagName(table, tag)?.snapshotId ?? null;
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, giveUp);
  const age = maxRefAgeMs === undefined ? {} : { maxRefAgeMs };
  const change: TableChange = {
    ident,
    requirements: [
      { type: "assert-table-uuid", uuid: metadata.tableUuid },
      { type: "assert-ref-snapshot-id", ref: tag, snapshotId: before },
    ],
    updates: [
      snapshotId === null
        ? { action: "remove-snapshot-ref", name: tag }
        : { action: "set-snapshot-ref", name: tag, ref: { snapshotId, type: "tag", ...age } },
    ],
  };
  for (;;) {
    const outcome = await inTurn(queue, [table], () => catalog.commit([change]));
    if (outcome.outcome === "committed") return;
    // After a lost answer the tag tells whether it took effect; asking for it once more does no harm either.
    const now = sameTable(await catalog.loadTable(ident), table).metadata.refs.get(tag)?.snapshotId ?? null;
    if (now === snapshotId) return;
    if (now !== before) {
      throw new FrazilError(
        "conflict",
        "TAG_MOVED",
        `somebody else changed the tag ${tag} of table ${identText(ident)} meanwhile`,
      );
    }
    await pauses.next(() =>
      gaveUp(ident, outcome, {
        conflict: "another writer commits to this table all the time; run it again when it is quieter",
        unknown: "doing it again is safe",
      }),
    );
  }
}

/** The tag as it is, or null. @throws FrazilError `config` for a name that no user's tag may have. */
export function checkTagName({ metadata }: LoadedTable, tag: string): { readonly snapshotId: bigint } | null {
  const ref = metadata.refs.get(tag) ?? null;
  if (tag === "main" || ref?.type === "branch") {
    throw new FrazilError("config", "BAD_TAG", `${tag} is a branch, not a tag`, {
      hint: tag === "main" ? "frazil rollback moves main" : "choose another name",
    });
  }
  const pipeline = pipelineOfTag(tag);
  if (pipeline !== null) {
    throw new FrazilError("config", "BAD_TAG", `${tag} belongs to the pipeline ${pipeline}`, {
      hint: "it holds the pipeline's position and fence, and moves with its commits; choose another name",
    });
  }
  // A point in the past may be named by id, time or tag: a tag must be none of the others.
  if (tag === "" || /^\d+$/.test(tag) || /^(now|earliest|latest)$/.test(tag)) {
    throw new FrazilError("config", "BAD_TAG", `a tag cannot be called "${tag}"`, {
      hint: "numbers, now, earliest and latest mean something else where a tag is expected",
    });
  }
  return ref;
}
