import type { Engine } from "./engine-gaps.ts";

/** The first line: each table counts once. */
const ALL = "(all tables)";

/** Counts who has read tables with which features, and why not. */
export class EngineMatrix {
  readonly #equal = new Map<string, number>();
  readonly #gaps = new Map<string, Map<string, number>>();
  readonly #features = new Set<string>();
  readonly #engines: readonly (Engine | "ours")[] = ["ours", "pyiceberg", "spark", "duckdb"];

  /** @param why null: the rows were equal. */
  count(engine: Engine | "ours", features: ReadonlySet<string>, why: string | null): void {
    for (const feature of [ALL, ...features]) {
      this.#features.add(feature);
      const cell = `${engine} ${feature}`;
      if (why === null) {
        this.#equal.set(cell, (this.#equal.get(cell) ?? 0) + 1);
      } else {
        const reasons = this.#gaps.get(cell) ?? new Map<string, number>();
        reasons.set(why, (reasons.get(why) ?? 0) + 1);
        this.#gaps.set(cell, reasons);
      }
    }
  }

  /** A line for all tables and one a feature; letters stand for the reasons below. */
  print(): string {
    const whys = [
      ...new Set(
        [...this.#gaps].flatMap(([cell, reasons]) => [...reasons.keys()].map((why) => `${cell.split(" ")[0]} ${why}`)),
      ),
    ].sort();
    const letterOf = (engine: string, why: string): string =>
      String.fromCharCode(97 + whys.indexOf(`${engine} ${why}`));
    const cells = [...this.#features].sort().map((feature) => [
      feature,
      ...this.#engines.map((engine) => {
        const cell = `${engine} ${feature}`;
        const gaps = [...(this.#gaps.get(cell) ?? [])].map(([why, count]) => `${count}${letterOf(engine, why)}`).sort();
        return [`${this.#equal.get(cell) ?? 0}`, ...gaps].join(" ");
      }),
    ]);
    const rows = [["tables read equal, not read for a reason", ...this.#engines], ...cells];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    const lines = rows.map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    return [...lines, ...whys.map((why, i) => `${String.fromCharCode(97 + i)}  ${why}`)].join("\n");
  }
}
