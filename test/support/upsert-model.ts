/** A value of a row: text and whole numbers are told apart by their column. */
export type Cell = bigint | string | null;

export type Cells = Readonly<Record<string, Cell>>;

/** A change as the source's log has it. Keys are small numbers, whatever their columns make of them. */
export interface LoggedChange {
  readonly op: "insert" | "update" | "delete" | "truncate" | "rekey";
  readonly key: number;
  /** Of a key change. */
  readonly to: number;
  /** Columns beside the key that the source knew when it made the change. */
  readonly columns: readonly string[];
  /** Those of them that it sent. */
  readonly cells: Cells;
  /** Types of that time: the key's whole number and column `n` may be widened. */
  readonly wide: boolean;
}

/** What a keyed table must hold: a map, and the log that it follows. */
export class UpsertModel {
  readonly rows = new Map<number, Cells>();
  readonly log: LoggedChange[] = [];
  /** Numbers of changes in the log that no row was known for. */
  readonly unknown = new Set<number>();
  /** Of changes that are not in the rows yet: who was unknown when the checkpoint was prepared, before somebody else committed. */
  judged: ReadonlySet<number> | null = null;
  /** How much of the log is in the rows. */
  applied = 0;

  /** Takes the log up to `end` into the rows. */
  applyUpTo(end: number): void {
    for (; this.applied < end; this.applied++) this.#apply(this.log[this.applied] as LoggedChange, this.applied);
    this.judged = null;
  }

  /** Judges the changes up to `end` by the rows as they are now. */
  judge(end: number): void {
    const fork = new UpsertModel();
    for (const [key, cells] of this.rows) fork.rows.set(key, cells);
    fork.log.push(...this.log);
    fork.applied = this.applied;
    fork.applyUpTo(end);
    this.judged = fork.unknown;
  }

  #apply({ op, key, to, columns, cells }: LoggedChange, number: number): void {
    const { rows } = this;
    if (op === "truncate") rows.clear();
    else if (op === "delete") rows.delete(key);
    else {
      const before = rows.get(key);
      const keeps = op === "insert" ? [] : columns.filter((name) => !(name in cells));
      const judged = this.judged?.has(number);
      if (judged === true || (keeps.length > 0 && before === undefined)) {
        // A row that was there when the checkpoint was prepared counts as deleted afterwards.
        if (judged !== false) this.unknown.add(number);
        return;
      }
      const kept = keeps.map((name) => [name, before?.[name] ?? null] as const);
      if (op === "rekey") rows.delete(key);
      rows.set(op === "rekey" ? to : key, { ...Object.fromEntries(kept), ...cells });
    }
  }
}
