import { Forwards } from "./forwards.ts";
import type { KeyResolver, ResolvedTable } from "./key-resolver.ts";
import { RecentKeys } from "./recent-keys.ts";

/** All keys of a table in memory, 40 bytes a key or so. */
export function memoryResolver(table: ResolvedTable): KeyResolver {
  const forwards = new Forwards(table.files);
  const keys = new RecentKeys(table, forwards);
  const known = { onDisk: () => false, inMemory: (path: string) => keys.knows(path) };
  return {
    resolve: async (wanted) => keys.find(wanted),
    async cover(stop) {
      keys.dropReplaced();
      for (const [number, { live, deleted }] of table.files) {
        if (keys.covers(number)) continue;
        const isDead = (position: number): boolean => deleted?.has(position) === true;
        const from = forwards.inherited(live.file.filePath, number, isDead, known);
        if (from === "nothing") await keys.learn(number, stop);
        else keys.adopt(number, true);
      }
      keys.settle();
      forwards.prune(keys.paths());
    },
    reserve: async () => {},
    place: (placed, file, positions) => keys.place(placed, file, positions),
    forget: (forgotten) => keys.forget(forgotten),
    forward: (moved) => forwards.add(moved),
    clear() {
      keys.clear();
      forwards.clear();
    },
    get sizeBytes() {
      return keys.sizeBytes;
    },
  };
}
