import { KeyMap } from "./key-map.ts";
import type { KeyResolver, Locations } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";

/** All keys of a table in memory, 40 bytes a key or so. */
export function memoryResolver(): KeyResolver {
  let map = new KeyMap();
  return {
    async resolve(keys): Promise<Locations> {
      const count = keys.length / KEY_WORDS;
      const files = new Int32Array(count).fill(-1);
      const positions = new Uint32Array(count);
      for (let i = 0; i < count; i++) {
        const slot = map.find(keys, i * KEY_WORDS);
        if (slot < 0) continue;
        files[i] = map.fileAt(slot);
        positions[i] = map.positionAt(slot);
      }
      return { files, positions };
    },
    place(keys, file, positions) {
      for (let i = 0; i < positions.length; i++) map.put(keys, i * KEY_WORDS, file, positions[i] as number);
    },
    forget(keys) {
      for (let at = 0; at < keys.length; at += KEY_WORDS) map.remove(keys, at);
    },
    clear() {
      map = new KeyMap();
    },
    get sizeBytes() {
      return map.sizeBytes;
    },
  };
}
