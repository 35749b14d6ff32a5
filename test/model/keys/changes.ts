import type { Change } from "./state.ts";

/** `+0` inserts key 0, `~1` updates key 1, `-0` deletes key 0. */
export function changesOf(text: string): readonly Change[] {
  return text.split(" ").map((change): Change => ({
    op: change.startsWith("+") ? "insert" : change.startsWith("~") ? "update" : "delete",
    key: change.endsWith("0") ? 0 : 1,
  }));
}
