import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Random, randomUuid } from "../../core/runtime.ts";
import { type FolderOwner, markUsed, OWNER_FILE } from "./cache-sweep.ts";
import { cacheError, readSidecar, refuseScarcity, type Sidecar, type SidecarKind, written } from "./sidecar.ts";

const SUFFIX = ".keys";

/** The sidecars of one table, in a folder that only its owner may read: who knows the seed can make keys that collide. */
export interface SidecarFolder {
  readonly kind: SidecarKind;
  /** What was there and can be used: sidecars whose keys can be compared. */
  readonly sidecars: readonly Sidecar[];
  /** A path for another one. @throws FrazilError as `written`. */
  newPath(): Promise<string>;
}

/**
 * Opens a table's folder, which need not be there before the first sidecar, and removes from it what cannot be used: broken sidecars, those of other key columns, half
 * written ones.
 *
 * @param signature of the key columns and of the way in which keys are made of them.
 * @throws FrazilError as `cacheError` for a folder that cannot be read or cleaned.
 */
export async function openSidecarFolder(
  folder: string,
  signature: string,
  words: 2 | 4,
  owner: FolderOwner,
  random: Random,
): Promise<SidecarFolder> {
  const usable: Sidecar[] = [];
  try {
    for (const name of await namesIn(folder)) {
      if (name === OWNER_FILE) continue;
      const path = join(folder, name);
      const sidecar = name.endsWith(SUFFIX) ? await sidecarAt(path) : null;
      if (sidecar !== null && sidecar.signature === signature && sidecar.words === words) usable.push(sidecar);
      else await rm(path, { force: true, recursive: true });
    }
    const seed = seedOfMost(usable) ?? random.uint32();
    for (const { path } of usable.filter((sidecar) => sidecar.seed !== seed)) await rm(path, { force: true });
    const sidecars = usable.filter((sidecar) => sidecar.seed === seed);
    if (sidecars.length > 0) await markUsed(folder, owner);
    return {
      kind: { seed, signature, words },
      sidecars,
      async newPath() {
        await written(async () => {
          await mkdir(folder, { recursive: true, mode: 0o700 });
          await markUsed(folder, owner);
        });
        return join(folder, `${randomUuid(random)}${SUFFIX}`);
      },
    };
  } catch (error) {
    throw cacheError(error, "opened");
  }
}

/** Null: there is none that can be used. */
async function sidecarAt(path: string): Promise<Sidecar | null> {
  try {
    return await readSidecar(path);
  } catch (error) {
    refuseScarcity(error);
    return null;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Two processes that started at once may have drawn two seeds. */
function seedOfMost(sidecars: readonly Sidecar[]): number | null {
  const rows = new Map<number, number>();
  for (const sidecar of sidecars) rows.set(sidecar.seed, (rows.get(sidecar.seed) ?? 0) + sidecar.entries);
  let best: number | null = null;
  for (const [seed, count] of rows) if (best === null || count > (rows.get(best) ?? 0)) best = seed;
  return best;
}
