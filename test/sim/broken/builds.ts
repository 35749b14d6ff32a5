/** A deliberately broken build: one place of the engine is replaced as it is loaded. */
export interface BrokenBuild {
  readonly name: string;
  /** The file of `src` or `table-format`. */
  readonly file: string;
  /** What stands there, once. */
  readonly find: string;
  readonly replace: string;
}

/** What the simulation has to notice. */
export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  {
    name: "fence-assertion-removed",
    file: "src/commit/snapshot-change.ts",
    find: `    { type: "assert-ref-snapshot-id", ref: tag, snapshotId: plan.tagSnapshotId },\n`,
    replace: "",
  },
  {
    name: "acknowledge-first",
    file: "src/pipeline/run-loop.ts",
    find: "      const times = await this.#checkpointer.checkpoint(",
    replace: "      await this.#source.acknowledge(cut);\n      const times = await this.#checkpointer.checkpoint(",
  },
  {
    name: "files-deleted-on-unknown-outcome",
    file: "table-format/catalog/object-store.ts",
    find: `    if (state === "open") return { outcome: "unknown", cause };`,
    replace: `    if (state === "open") {
      await this.#io.delete(prepared.next.metadataLocation).catch(() => undefined);
      return { outcome: "unknown", cause };
    }`,
  },
  {
    name: "position-from-the-request",
    file: "src/commit/pipeline-committer.ts",
    find: "        position: laterOf(part.table.position, cut, this.#context.comparePoints),",
    replace: "        position: cut,",
  },
  {
    name: "vector-overwritten",
    file: "src/sink/deletions.ts",
    find: "    const bitmap = entry.deleted?.clone() ?? new RoaringBitmap();",
    replace: "    const bitmap = new RoaringBitmap();",
  },
  {
    name: "remap-off-by-one",
    file: "src/maintenance/compact/remap.ts",
    find: "      while (rank < leftOut.length && (leftOut[rank] as number) < old) rank++;",
    replace: "      while (rank + 1 < leftOut.length && (leftOut[rank] as number) < old) rank++;",
  },
  {
    name: "current-tag-adopted",
    file: "src/commit/commit-group.ts",
    find: "      checkStillOurs(base, part.table, context.pipeline, part.stamp.epoch);",
    replace:
      "      part.table.tagSnapshotId = readPipelineTag(base, context.pipeline)?.snapshot.snapshotId ?? part.table.tagSnapshotId;",
  },
  {
    name: "retry-with-a-new-id",
    file: "src/commit/commit-group.ts",
    find: "  for (let attempt = 0; ; attempt++) {\n    const tables",
    replace:
      "  for (let attempt = 0; ; attempt++) {\n    parts = parts.map((part) => ({ ...part, snapshotId: part.snapshotId + BigInt(attempt) }));\n    const tables",
  },
  {
    name: "checkpoint-inside-a-transaction",
    file: "src/pipeline/cut-pull.ts",
    find: "firstNewRow(changes, new Map([[changes.split, cut]]), compare);",
    replace: "Math.min(maxRows, firstNewRow(changes, new Map([[changes.split, cut]]), compare));",
  },
  {
    name: "lost-sidecar-counted",
    file: "src/sink/key-index/sidecar-resolver.ts",
    find: "    this.#lacking = true;\n    this.#covered.clear();\n    this.#recent.disown();\n",
    replace: "",
  },
  {
    name: "sweep-by-age",
    file: "src/maintenance/clean-orphans/plan.ts",
    find: "    // A higher epoch is being fenced in just now.",
    replace: "    return old;",
  },
];
