/** Rows by a key, as numbers. Most keys have one row: it costs no object of its own. */
export class RowsByKey {
  readonly #rows = new Map<string, number | Queue>();

  add(key: string, row: number): void {
    const known = this.#rows.get(key);
    if (known === undefined) this.#rows.set(key, row);
    else if (typeof known === "number") this.#rows.set(key, { rows: [known, row], next: 0 });
    else known.rows.push(row);
  }

  /** Takes a row of the key away, the first that was added. */
  take(key: string): number | undefined {
    const known = this.#rows.get(key);
    if (typeof known !== "object") {
      this.#rows.delete(key);
      return known;
    }
    const row = known.rows[known.next++];
    if (known.next === known.rows.length) this.#rows.delete(key);
    return row;
  }

  count(key: string): number {
    const known = this.#rows.get(key);
    if (known === undefined) return 0;
    return typeof known === "number" ? 1 : known.rows.length - known.next;
  }

  /** In the order in which they were added. */
  rowsOf(key: string): readonly number[] {
    const known = this.#rows.get(key);
    if (known === undefined) return [];
    return typeof known === "number" ? [known] : known.rows.slice(known.next);
  }

  keys(): Iterable<string> {
    return this.#rows.keys();
  }
}

interface Queue {
  readonly rows: number[];
  /** Those before it are taken. */
  next: number;
}
