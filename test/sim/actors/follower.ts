import { valueAt } from "../../../table-format/index.ts";
import { type ChangeBatch, Op } from "../../../src/core/change-batch.ts";
import { FrazilError } from "../../../src/core/errors.ts";
import type { Position } from "../../../src/core/position.ts";
import type { TableBinding } from "../../../src/core/table-binding.ts";
import { createTableSource } from "../../../src/sources/table/source.ts";
import { rowText, type TableName } from "../world/changelog.ts";
import { Violation } from "../world/oracle.ts";
import { ProcessDied } from "../world/process.ts";
import { isExpected, LOCATION, type Simulation } from "../world/simulation.ts";

/** Reads the changes of a table, snapshot by snapshot, and applies them to a map: what it has then is what the table has. */
export class Follower {
  readonly #sim: Simulation;
  readonly #table: TableName;
  /** With its position, all that outlives a process. */
  readonly rows = new Map<string, string>();
  #position: Position | null = null;
  #streams: ReadonlyMap<string, { readonly id: string; readonly generation: number }> = new Map();
  #runs = 0;

  constructor(sim: Simulation, table: TableName) {
    this.#sim = sim;
    this.#table = table;
  }

  start(): void {
    const sim = this.#sim;
    const again = (): void => sim.scheduler.at(2_000, null, () => this.start());
    const place = sim.start(`follower${this.#runs++}`, again);
    const mayBeAbsent = !sim.oracle.tables.has(this.#table);
    this.#read(place).then(again, (error: unknown) => {
      if (place.process.dead || error instanceof ProcessDied) return;
      sim.scheduler.note(`${place.process.name} ends: ${String(error)}`);
      const isGarbled =
        error instanceof FrazilError && error.kind === "corrupt" && (sim.counts.get("unnoticed") ?? 0) > 0;
      const isAbsent = error instanceof FrazilError && error.code === "TABLE_DROPPED" && mayBeAbsent;
      if (!isExpected(error) && !isGarbled && !isAbsent) sim.fail(error);
      else again();
    });
  }

  /** How far it has come: the sequence number of the snapshot that it has taken whole; null inside of one. */
  get sequenceNumber(): bigint | null {
    const point = this.#position?.get(`shop.${this.#table}/0`) ?? "0";
    return /^\d+:\d+(@\d+)?$/.test(point) ? BigInt(point.split(":")[0] as string) : null;
  }

  /** @throws Violation when what it has is not what the head must hold */
  check(): void {
    const { oracle } = this.#sim;
    const metadata = oracle.tables.get(this.#table)?.metadata;
    if (metadata?.currentSnapshotId === null || metadata === undefined) return;
    const wanted = [...oracle.expected(this.#table, metadata.currentSnapshotId).rows.values()].sort().join("\n");
    if ([...this.rows.values()].sort().join("\n") !== wanted) {
      throw new Violation("change feed differs", `${this.#table}: found ${[...this.rows.values()].sort().join(" ")}`);
    }
  }

  async #read({ process, io, catalog, runtime }: ReturnType<Simulation["start"]>): Promise<void> {
    const table = `shop.${this.#table}`;
    const binding: TableBinding = {
      table: 0,
      target: "copy",
      mode: "upsert",
      key: null,
      columns: new Map(),
      existing: new Map(),
    };
    const deps = {
      open: async () => ({ io, catalog, location: LOCATION }),
      isOwn: false,
      consumer: null,
      router: { route: () => binding, byStream: () => binding },
      notices: { inferred: () => undefined, unrouted: () => undefined },
      runtime,
    };
    const source = createTableSource(
      { type: "table", table, warehouse: null, from: "earliest", onLostOffsets: "earliest", pollMs: 8_000 },
      deps,
    );
    await source.open();
    source.recall?.(this.#streams);
    this.#position ??= await source.startPosition();
    for await (const { changes, ends } of source.read(this.#position, new AbortController().signal)) {
      if (process.dead) return;
      for (const batch of changes) this.#apply(batch);
      this.#position = new Map([...this.#position, ...ends]);
      this.#streams = source.streamIds?.() ?? this.#streams;
      if (changes.length > 0) this.#sim.count("changes followed");
    }
  }

  #apply({ ops, fields, columns, length }: ChangeBatch): void {
    const cell = (name: string, row: number): unknown => {
      const at = fields.findIndex((field) => field.name === name);
      return at < 0 ? null : valueAt(columns[at] as (typeof columns)[number], row);
    };
    for (let row = 0; row < length; row++) {
      if (ops[row] === Op.truncate) {
        this.rows.clear();
        continue;
      }
      const id = cell("id", row) as bigint;
      if (ops[row] === Op.delete) this.rows.delete(String(id));
      else {
        const value = cell("value", row) as bigint | null;
        this.rows.set(String(id), rowText(id, String(cell("part", row)), value, cell("extra", row) as bigint | null));
      }
    }
  }
}
