import { createBuilder } from "../../../table-format/index.ts";
import type { ChangeColumn } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { TableBinding } from "../../core/table-binding.ts";
import { ColumnSlot } from "./column-slot.ts";
import { PLAIN, type Wire } from "./wire.ts";

/**
 * The columns of a table's rows in one shape: those that the messages declare, or those that messages without declarations have shown
 * so far. Holds the builders of the open batch.
 */
export class Layout {
  /** In order of first appearance, held columns among them. */
  readonly slots: ColumnSlot[] = [];
  /** Whether a message may bring columns that are not here: not where a schema declares them all. */
  readonly grows: boolean;
  /** The columns that have a type, in the order of `slots`. */
  fields: readonly ChangeColumn[] = [];
  /** How values stand in columns that no declaration explains. */
  readonly wire: Wire;
  private readonly byName = new Map<string, ColumnSlot>();

  constructor(grows: boolean, wire: Wire = PLAIN) {
    this.grows = grows;
    this.wire = wire;
  }

  find(name: string): ColumnSlot | undefined {
    return this.byName.get(name);
  }

  add(name: string): ColumnSlot {
    const slot = new ColumnSlot(name);
    const last = this.slots.at(-1);
    if (last !== undefined) last.next ??= slot;
    this.slots.push(slot);
    this.byName.set(name, slot);
    return slot;
  }

  /** Fresh builders, for a new batch, and `fields` as the slots have them now. */
  open(): void {
    const typed = this.slots.filter((slot) => slot.column !== null);
    if (typed.length !== this.fields.length) this.fields = typed.map((slot) => slot.column as ChangeColumn);
    for (const slot of typed) {
      slot.builder = createBuilder((slot.column as ChangeColumn).type);
      slot.absent = null;
    }
  }

  /** Whether another layout has the same columns in the same order, read the same way. */
  equals(other: Layout): boolean {
    return (
      this.slots.length === other.slots.length &&
      this.slots.every((slot, k) => {
        const twin = other.slots[k] as ColumnSlot;
        return (
          slot.name === twin.name &&
          JSON.stringify([slot.column, slot.wire]) === JSON.stringify([twin.column, twin.wire])
        );
      })
    );
  }
}

/** The error for a value that no table column holds as it is. */
export function refusedType(binding: TableBinding, column: string, found: string): FrazilError {
  return new FrazilError(
    "data",
    "COLUMN_TYPE_REFUSED",
    `column ${JSON.stringify(column)} of ${binding.target}: expected a value that one table column holds, found ${found}`,
    { hint: `keep its JSON text: columns: { ${column}: string }` },
  );
}
