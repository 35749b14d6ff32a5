import { isValid } from "../arrow/column.ts";
import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { Cell } from "../values/cell.ts";
import { valueAt } from "../values/single-value.ts";
import type { FileLeaf, FileNode } from "./file-columns.ts";
import type { LeafEntries } from "./leaf-entries.ts";

/** A leaf that is to be decoded, and the type that its values are to have. */
export interface WantedLeaf {
  readonly leaf: FileLeaf;
  readonly type: PrimitiveType;
}

/** Reads one value after the other; the leaves below it move along. */
export interface Assembler<T = Cell> {
  read(cursors: readonly LeafCursor[]): T | null;
  /** Leaves below it, as places in the plan. */
  readonly leaves: readonly number[];
}

/** Where the assembly stands in a leaf's entries. */
export class LeafCursor {
  at = 0;
  readonly #entries: LeafEntries;
  readonly #definition: number;

  constructor(entries: LeafEntries, definition: number) {
    this.#entries = entries;
    this.#definition = definition;
  }

  get ended(): boolean {
    return this.at >= this.#entries.column.length;
  }

  /** How much of the path is there in the next entry. */
  get definition(): number {
    const { definitions, column } = this.#entries;
    if (this.ended) throw corruptColumn("another entry", "the end of a column");
    if (definitions !== null) return definitions[this.at] as number;
    return isValid(column, this.at) ? this.#definition : 0;
  }

  /** At which list the next entry goes on; 0, a new row, also at the end. */
  get repetition(): number {
    return this.ended ? 0 : (this.#entries.repetitions?.[this.at] ?? 0);
  }

  take(): Cell | null {
    if (this.ended) throw corruptColumn("another entry", "the end of a column");
    return valueAt(this.#entries.column, this.at++);
  }
}

/** Null where the node is not there. */
export function optional<T>(node: FileNode, present: Assembler<T>): Assembler<T> {
  const probe = present.leaves[0] as number;
  return {
    leaves: present.leaves,
    read: (cursors) => {
      if ((cursors[probe] as LeafCursor).definition >= node.definition) return present.read(cursors);
      for (const place of present.leaves) (cursors[place] as LeafCursor).at++;
      return null;
    },
  };
}

/** The entries of a list or map, whose parts `read` takes one by one. */
export function itemsOf<T>(
  node: FileNode & { readonly kind: "list" | "map" },
  leaves: readonly number[],
  cursors: readonly LeafCursor[],
  read: () => T,
): T[] {
  const probe = cursors[leaves[0] as number] as LeafCursor;
  const items: T[] = [];
  if (probe.definition < node.itemDefinition) {
    for (const place of leaves) (cursors[place] as LeafCursor).at++;
    return items;
  }
  do items.push(read());
  while (probe.repetition === node.itemRepetition);
  return items;
}

/** The refusal of a file's column. */
export function corruptColumn(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "NESTED_COLUMN", `expected ${expected}, found ${found}`);
}
