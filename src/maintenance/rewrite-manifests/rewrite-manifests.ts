import {
  currentSchema,
  currentSnapshot,
  type LoadedTable,
  type ManifestFile,
  type ManifestGroup,
  mergeSettings,
  planManifestRewrite,
  produceRewrittenManifests,
  readManifestList,
  type RewrittenGroup,
  rewriteManifestGroup,
} from "../../../table-format/index.ts";
import {
  commitSnapshot,
  type MaintenanceContext,
  type SnapshotWork,
  soleOwner,
} from "../../commit/maintenance-commit.ts";
import { maintenanceNames } from "../../commit/names.ts";
import { MANIFEST_ENTRIES_SORTED } from "../../core/limits.ts";

export interface ManifestRewritePlan {
  readonly table: LoadedTable;
  readonly settings: { readonly targetSizeBytes: number; readonly entriesHeld: number };
  readonly groups: readonly ManifestGroup[];
  /** Manifests of the head, and their bytes. */
  readonly manifests: number;
  readonly bytes: bigint;
}

export interface ManifestRewriteReport {
  /** Null: other commits left nothing to do. */
  readonly snapshotId: bigint | null;
  readonly manifestsBefore: number;
  readonly bytesBefore: bigint;
  readonly manifestsAfter: number;
  readonly bytesAfter: bigint;
}

/**
 * Which manifests of the head are worth a rewrite. Reads the manifest list alone. The target size is the table's property
 * `commit.manifest.target-size-bytes`, by default 8 MiB.
 */
export async function planManifests(
  { io }: Pick<MaintenanceContext, "io">,
  table: LoadedTable,
  entriesHeld: number = MANIFEST_ENTRIES_SORTED,
): Promise<ManifestRewritePlan> {
  const { targetSizeBytes } = mergeSettings(table.metadata.properties);
  const settings = { targetSizeBytes: Number(targetSizeBytes), entriesHeld };
  const manifests = await manifestsOfHead(io, table);
  const groups = planManifestRewrite(manifests, settings);
  return { table, settings, groups, manifests: manifests.length, bytes: bytesOf(manifests) };
}

/**
 * Writes the planned manifests anew, sorted by partition, and commits them as one `replace` snapshot while others write to the table.
 * Groups of which another commit has replaced a manifest meanwhile are planned and written again for the new head.
 *
 * @throws FrazilError `conflict`, `unavailable`; what was written is garbage then.
 */
export async function runManifestRewrite(
  context: MaintenanceContext,
  plan: ManifestRewritePlan,
): Promise<ManifestRewriteReport> {
  const { io, runtime } = context;
  const { table, settings } = plan;
  const names = maintenanceNames(table.metadata.location, soleOwner(table), runtime.random);
  const sinceMs = runtime.clock.nowMs();
  let written = 0;
  const write = async (base: LoadedTable, planned: readonly ManifestGroup[], attempt: number) => {
    const done: RewrittenGroup[] = [];
    const { metadata } = base;
    const next = () => names.manifest(attempt, written++);
    for (const group of planned) {
      const { targetSizeBytes } = settings;
      done.push(await rewriteManifestGroup(io, metadata, group, currentSchema(metadata), targetSizeBytes, next));
      runtime.step("manifests.write");
      // A job in this process gets its turn between groups.
      await runtime.clock.sleep(0);
    }
    return done;
  };
  // Before the first attempt: whoever waits for the table's turn to commit waits for its list alone.
  let groups: readonly RewrittenGroup[] = await write(table, plan.groups, 0);
  const produce: SnapshotWork["produce"] = async (base, { snapshotId: id, timestampMs, attempt }) => {
    const manifests = await manifestsOfHead(io, base);
    const listed = new Set(manifests.map(identity));
    const valid = groups.filter((group) => group.manifests.every((manifest) => listed.has(identity(manifest))));
    const settled = new Set(valid.flatMap((group) => group.manifests.map(identity)));
    const others = manifests.filter((manifest) => !settled.has(identity(manifest)));
    const stale = valid.length < groups.length ? planManifestRewrite(others, settings) : [];
    groups = [...valid, ...(await write(base, stale, attempt))];
    if (groups.length === 0) return null;
    const input = { snapshotId: id, timestampMs, schema: currentSchema(base.metadata) };
    return produceRewrittenManifests(io, base.metadata, input, groups, names.manifestList(id, attempt));
  };
  const snapshotId = await commitSnapshot(context, table, { sinceMs, produce });
  const before = groups.flatMap((group) => group.manifests);
  const after = groups.flatMap((group) => group.written);
  return {
    snapshotId,
    manifestsBefore: before.length,
    bytesBefore: bytesOf(before),
    manifestsAfter: after.length,
    bytesAfter: bytesOf(after),
  };
}

/** A list may give a manifest its first row id later, when the table is upgraded: then its entries mean something else. */
function identity({ path, firstRowId }: ManifestFile): string {
  return `${path}#${firstRowId}`;
}

async function manifestsOfHead(
  io: MaintenanceContext["io"],
  { metadata }: LoadedTable,
): Promise<readonly ManifestFile[]> {
  const head = currentSnapshot(metadata);
  return head === null ? [] : readManifestList(io, head);
}

function bytesOf(manifests: readonly ManifestFile[]): bigint {
  return manifests.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n);
}
