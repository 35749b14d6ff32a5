import { must } from "../../core/errors.ts";
import type { Forwards } from "../keys/forwards.ts";
import type { Locations, ResolvedTable } from "../keys/key-resolver.ts";
import type { Sidecar } from "./sidecar.ts";
import { lastAtMost } from "./sidecar-merge.ts";

/** Rows found in sidecars, as far as they are live. */
export class LiveRows {
  readonly extra: { key: number; file: number; position: number }[] = [];
  readonly #table: ResolvedTable;
  readonly #forwards: Forwards;
  readonly #locations: Locations;

  /** @param locations filled in. */
  constructor(table: ResolvedTable, forwards: Forwards, locations: Locations) {
    this.#table = table;
    this.#forwards = forwards;
    this.#locations = locations;
  }

  /** What to do with a key found in a row of a sidecar. */
  of({ files }: Sidecar): (index: number, row: number) => void {
    const starts = new Float64Array(files.length);
    for (let i = 1; i < files.length; i++) starts[i] = (starts[i - 1] as number) + must(files[i - 1], "a file").rows;
    const numbers = files.map(({ path }) => this.#table.files.numberOf(path) ?? -1);
    let at = 0;
    return (index, row) => {
      // Rows come in order.
      if (row < (starts[at] as number) || row >= (starts[at + 1] ?? Infinity))
        at = lastAtMost(starts, starts.length, row);
      const position = row - (starts[at] as number);
      const number = numbers[at] as number;
      if (number >= 0) {
        if (this.#table.files.isLive(number, position)) this.#take(index, number, position);
        return;
      }
      const moved = this.#forwards.locate(must(files[at], "a file").path, position);
      if (moved !== null) this.#take(index, moved.file, moved.position);
    };
  }

  #take(index: number, file: number, position: number): void {
    const { files, positions } = this.#locations;
    const [known, at] = [files[index] as number, positions[index] as number];
    if (known === file && at === position) return;
    const newer = known < 0 || this.#age(file) > this.#age(known);
    if (known >= 0) this.extra.push(newer ? { key: index, file: known, position: at } : { key: index, file, position });
    if (!newer) return;
    files[index] = file;
    positions[index] = position;
  }

  #age(file: number): bigint {
    return must(this.#table.files.get(file), "a live row's file").live.sequenceNumber;
  }
}
