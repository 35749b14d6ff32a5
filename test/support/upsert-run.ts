import { createBuilder, type PrimitiveType, type Value } from "../../table-format/index.ts";
import { type ChangeBatch, Op, offsetPoints } from "../../src/core/change-batch.ts";
import { must } from "../../src/core/errors.ts";
import type { Decoder } from "../../src/core/format.ts";
import type { MessageSlab } from "../../src/core/message-slab.ts";
import { keepMessages } from "../../src/core/kept-messages.ts";
import type { TableRule } from "../../src/core/table-rule.ts";
import { debeziumJson } from "../../src/formats/debezium-json/format.ts";
import { memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "./checkpoints.ts";
import { compactLater, compactNow } from "./compaction.ts";
import { damageFile } from "./damage.ts";
import { append, ForeignTable, type PlainValues } from "./foreign-table.ts";
import { slabOf } from "./slab.ts";
import { type Command, type ForeignAct, type Setting, type Trouble } from "./upsert-commands.ts";
import type { OtherWriter } from "./upsert-engines.ts";
import { plainMessage } from "./upsert-messages.ts";
import { type Cell, type Cells, type LoggedChange, UpsertModel } from "./upsert-model.ts";
import { seededRandom } from "./virtual-runtime.ts";

class Crash extends Error {}

const LETTERS = "shop.letters";
const LONG: PrimitiveType = { kind: "long" };
const INT: PrimitiveType = { kind: "int" };
const TEXT: PrimitiveType = { kind: "string" };
const PARTS = ["north", "south", "", null] as const;

/** What a run did, so that a test can tell that it did something. */
export interface RunCounts {
  commits: number;
  compared: number;
  crashes: number;
  foreign: number;
  compactions: number;
  letters: number;
}

/** Runs commands on a job's upsert table and on a map, and compares the two after each commit. */
export class UpsertRun {
  readonly counts: RunCounts = { commits: 0, compared: 0, crashes: 0, foreign: 0, compactions: 0, letters: 0 };
  readonly #setting: Setting;
  readonly #warehouse: Warehouse;
  readonly #rules: TableRule[];
  readonly #cache: string | null;
  readonly #table: ForeignTable;
  readonly #letters: ForeignTable;
  readonly #other: OtherWriter;
  readonly #model = new UpsertModel();
  readonly #random: { uint32(): number };
  readonly #columns = ["part", "value", "n"];
  /** Columns that some change of the log has a value for: without a schema there are no others. */
  readonly #shown = new Set<string>();
  #process: Process | null = null;
  #decoder: Decoder | null = null;
  #incarnation = 0;
  #wide = false;
  #nextValue = 0n;
  #compaction: (() => Promise<number>) | null = null;
  /**
   * A crash came between the letters and the table whose rows they miss, and then another writer. The letters say what was unknown before
   * it, and the changes are applied to what it has left: for the same change both may be true, or neither.
   */
  #lettersAhead = false;
  #beforeSending: (() => Promise<void>) | null = null;
  #loseAnswer: { readonly landed: boolean } | null = null;

  /**
   * @param cache a folder for keys; used where the setting says so. @param warehouse by default one in memory.
   * @param other who writes besides; by default this project's own code.
   */
  constructor(
    setting: Setting,
    cache: string | null,
    warehouse: Warehouse = memoryWarehouse(setting.catalog),
    other: OtherWriter | null = null,
  ) {
    this.#setting = setting;
    this.#warehouse = warehouse;
    this.#cache = setting.sidecars ? cache : null;
    const key = setting.key === "pair" ? ["id", "sub"] : ["id"];
    const { formatVersion } = setting;
    // Without a schema there may be no such column yet when the table is made.
    const partitionBy = setting.messages === "plain" ? [] : setting.partitionBy;
    this.#rules = [upsertRule("a", { from: "t", key, formatVersion, partitionBy })];
    this.#table = new ForeignTable(warehouse, { namespace: ["shop"], name: "a" });
    this.#letters = new ForeignTable(warehouse, { namespace: ["shop"], name: "letters" });
    this.#other = other ?? {
      replace: (gone, added) => {
        const names = new Set(gone.map((row) => this.#keyText(row)));
        return this.#table.replace((row) => names.has(this.#keyText(row)), added);
      },
      rewrite: () => this.#table.rewrite(),
    };
    this.#random = seededRandom(setting.seed);
    this.#tapCatalog();
  }

  async run(commands: readonly Command[]): Promise<void> {
    for (const command of commands) await this.#step(command);
    await this.#commit({ kind: "none" });
  }

  /** The table's rows as the model has them, by column. */
  expected(): PlainValues[] {
    return [...this.#model.rows].map(([key, cells]) => this.#plain(key, cells));
  }

  async #step(command: Command): Promise<void> {
    switch (command.kind) {
      case "rest":
        return;
      case "insert":
      case "update":
      case "patch":
      case "rekey":
      case "delete":
      case "truncate":
        this.#log(command);
        return;
      case "add-column":
        if (this.#columns.length < 6) this.#columns.push(`c${this.#columns.length}`);
        return;
      case "widen":
        this.#wide = true;
        return;
      case "commit":
        await this.#commit(command.trouble);
        return;
      case "restart":
        await this.#restart(command.damage, command.crash);
        return;
      case "foreign":
        await this.#foreign(command.act);
        await this.#compare();
        return;
      case "plan-compaction":
        if (this.#process !== null && this.#model.applied > 0) {
          this.#compaction = await compactLater(this.#warehouse, this.#process);
        }
        return;
      case "run-compaction":
        await this.#runCompaction();
    }
  }

  #log(command: Extract<Command, { readonly key: number } | { readonly kind: "truncate" }>): void {
    const plain = this.#setting.messages === "plain";
    const columns = [...this.#columns];
    const change = { key: 0, to: 0, columns: plain ? [...this.#shown] : columns, cells: {}, wide: this.#wide };
    const { log } = this.#model;
    if (command.kind === "truncate") log.push({ ...change, op: "truncate" });
    else if (command.kind === "delete") log.push({ ...change, op: "delete", key: command.key });
    else if (command.kind !== "rekey") {
      const cells = this.#cells(columns, command.part, command.kind === "patch" ? command.sent : null);
      log.push({ ...change, op: command.kind === "insert" ? "insert" : "update", key: command.key, cells });
    } else if (command.to !== command.key) {
      const cells = this.#cells(columns, command.part, command.whole ? null : command.sent);
      log.push({ ...change, op: "rekey", key: command.key, to: command.to, cells });
    }
    for (const [name, value] of Object.entries(log.at(-1)?.cells ?? {})) if (value !== null) this.#shown.add(name);
  }

  /** Values that no other change has. @param sent bits of the columns that are sent; null: all. */
  #cells(columns: readonly string[], part: number, sent: number | null): Cells {
    const cells: Record<string, Cell> = {};
    for (const [index, name] of columns.entries()) {
      if (sent !== null && ((sent >> (index % 4)) & 1) === 0) continue;
      const number = ++this.#nextValue;
      cells[name] = name === "part" ? (PARTS[part] ?? null) : number % 7n === 0n ? null : number;
    }
    return cells;
  }

  /** Commits what the log has beyond the process's position, and compares. */
  async #commit(trouble: Trouble): Promise<void> {
    const process = await this.#running();
    const from = Number(process.reached.get("t/0"));
    const end = this.#model.log.length;
    if (from === end) return;
    this.#prepareTrouble(trouble, process);
    try {
      await process.checkpointOf(this.#batches(process, from, end), end);
    } catch (error) {
      // The process is gone; what it committed shows when the next one starts.
      this.#process = null;
      if (!(error instanceof Crash)) throw error;
      this.counts.crashes++;
      return;
    } finally {
      this.#calm(process);
    }
    this.#model.applyUpTo(end);
    this.counts.commits++;
    await this.#compare();
  }

  #prepareTrouble(trouble: Trouble, process: Process): void {
    if (trouble.kind === "crash") process.runtime.onStep = crashAt(trouble.step);
    else if (trouble.kind === "lost-answer") this.#loseAnswer = trouble;
    else if (trouble.kind === "outage") {
      let left = trouble.request;
      this.#warehouse.fault = () => {
        if (left-- === 0) throw storeGone();
      };
    } else if (trouble.kind === "foreign") {
      this.#beforeSending = () => {
        this.#model.judge(this.#model.log.length);
        return this.#foreign(trouble.act);
      };
    }
  }

  #calm(process: Process): void {
    process.runtime.onStep = () => undefined;
    this.#warehouse.fault = () => undefined;
    this.#beforeSending = null;
    this.#loseAnswer = null;
  }

  #tapCatalog(): void {
    const { catalog } = this.#warehouse;
    const send = catalog.commit.bind(catalog);
    catalog.commit = async (changes, claim) => {
      const act = this.#beforeSending;
      // Only a commit of rows: before a schema change there may be no table.
      if (act !== null && changes.some(({ updates }) => updates.some(({ action }) => action === "add-snapshot"))) {
        this.#beforeSending = null;
        await act();
      }
      const lost = this.#loseAnswer;
      this.#loseAnswer = null;
      if (lost === null || lost.landed) {
        const outcome = await send(changes, claim);
        if (lost === null) return outcome;
      }
      return { outcome: "unknown", cause: storeGone() };
    };
  }

  async #running(): Promise<Process> {
    return this.#process ?? this.#start(null);
  }

  async #restart(damage: Extract<Command, { kind: "restart" }>["damage"], crash: number | null): Promise<void> {
    this.#process = null;
    if (this.#cache !== null && damage !== "none") damageFile(this.#cache, damage, this.#random);
    if (crash === null) return;
    try {
      await this.#start(crashAt(crash));
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.counts.crashes++;
    }
  }

  async #start(onStep: ((name: string) => void) | null): Promise<Process> {
    const cache = this.#cache === null ? undefined : { folder: this.#cache, limitBytes: 0 };
    const seed = this.#setting.seed * 1_000 + ++this.#incarnation;
    const process = await Process.start(this.#warehouse, this.#rules, seed, cache, {
      letters: LETTERS,
      ...(onStep === null ? {} : { onStep }),
    });
    process.runtime.onStep = () => undefined;
    this.#process = process;
    this.#decoder = keepMessages(debeziumJson.createDecoder(process.router, { inferred() {}, unrouted() {} }, null));
    this.#compaction = null;
    this.#model.applyUpTo(Number(process.committer.tables.get("shop.a")?.position.get("t/0") ?? 0));
    await this.#compare();
    return process;
  }

  async #runCompaction(): Promise<void> {
    const run = this.#compaction;
    if (run === null) return;
    this.#compaction = null;
    this.counts.compactions += await run();
    // What a crashed process has committed shows when the next one starts.
    if (this.#process !== null) await this.#compare();
  }

  async #foreign(act: ForeignAct): Promise<void> {
    // What a crashed process has committed shows when the next one starts.
    const process = await this.#running();
    const rows = await this.#table.rows();
    if (rows === null) return;
    this.#lettersAhead ||= this.#lettersReached(process) > this.#model.applied && this.#model.judged === null;
    this.counts.foreign++;
    const { rows: model } = this.#model;
    if (act.kind === "rewrite") return this.#other.rewrite();
    if (act.kind === "compact") {
      this.counts.compactions += await compactNow(this.#warehouse, process);
      return;
    }
    const keys = act.keys.filter((key) => model.has(key) === (act.kind !== "append"));
    if (keys.length === 0) return;
    const columns = Object.keys(rows[0] ?? {}).filter((name) => this.#columns.includes(name));
    const fresh = keys.map((key) => [key, this.#cells(columns, key % 4, null)] as const);
    const gone = act.kind === "append" ? [] : keys.map((key) => this.#plain(key, {}));
    const added = act.kind === "delete" ? [] : fresh.map(([key, cells]) => this.#plain(key, cells));
    await this.#other.replace(gone, act.kind === "append" && rows.length === 0 ? [] : added);
    for (const [key, cells] of fresh) {
      if (act.kind === "delete") model.delete(key);
      else if (rows.length > 0) model.set(key, cells);
    }
  }

  /** The table against the map, and the dead letters against the changes of unknown rows. */
  async #compare(): Promise<void> {
    const found = await this.#table.rows();
    this.counts.compared++;
    const columns = [...new Set([...Object.keys(found?.[0] ?? {}), ...this.#columns])];
    const text = (row: PlainValues) =>
      [this.#keyText(row), ...columns.map((name) => `${name}=${String(row[name] ?? null)}`)].join(" ");
    const have = (found ?? []).map(text).sort();
    const want = this.expected().map(text).sort();
    if (have.join("\n") !== want.join("\n")) {
      throw new Error(`the table has\n${have.join("\n")}\nand should have\n${want.join("\n")}`);
    }
    // Without a process there may be letters of a checkpoint whose rows the model does not have yet.
    if (this.#process === null || this.#lettersAhead) return;
    const letters = ((await this.#letters.rows()) ?? []).map((row) => Number(row["offset"]));
    this.counts.letters = letters.length;
    const due = [...this.#model.unknown];
    const extra = letters.filter((offset) => !this.#model.unknown.has(offset) && offset < this.#model.applied);
    const complete = due.every((offset) => letters.includes(offset)) && new Set(letters).size === letters.length;
    if (complete && extra.length === 0) return;
    throw new Error(`letters of [${letters.join(" ")}], should be of [${due.join(" ")}]`);
  }

  #lettersReached({ committer }: Process): number {
    return Number(committer.tables.get(LETTERS)?.position.get("t/0") ?? 0);
  }

  #plain(key: number, cells: Cells): PlainValues {
    const { key: kind } = this.#setting;
    const values: Record<string, Value | null> =
      kind === "text"
        ? { id: `k${key}` }
        : kind === "pair"
          ? { id: BigInt(key % 4), sub: key >> 2 }
          : { id: BigInt(key) };
    return { ...values, ...cells };
  }

  #keyText(row: PlainValues): string {
    return `${String(row["id"])}/${String(row["sub"] ?? "")}`;
  }

  /** The log from `from` to `end` as a decoder gives it: batches of one set of columns. */
  #batches(process: Process, from: number, end: number): ChangeBatch[] {
    const batches: ChangeBatch[] = [];
    for (let start = from; start < end;) {
      const first = must(this.#model.log[start], "a change");
      let next = start + 1;
      const length = 1 + (this.#random.uint32() % 6);
      if (this.#setting.messages === "plain") {
        const slab = this.#plainSlab(process, start, Math.min(end, start + length));
        batches.push(...must(this.#decoder, "a decoder").decode(slab));
        start += slab.count;
        continue;
      }
      while (next < end && next - start < length && sameShape(first, this.#model.log[next] as LoggedChange)) next++;
      batches.push(this.#batch(process, start, this.#model.log.slice(start, next)));
      start = next;
    }
    return batches;
  }

  /** The log as messages, to be read beside the columns that the table has by now: a crashed process may have added some. */
  #plainSlab(process: Process, start: number, end: number): MessageSlab {
    const { log } = this.#model;
    const held = [...must(process.router.byStream("t"), "a rule").existing.keys()];
    const messages = log.slice(start, end).map((change, index) => {
      const columns = [...new Set([...change.columns, ...held.filter((name) => this.#columns.includes(name))])];
      // What is a letter may have been decided without them.
      if (columns.length > change.columns.length) this.#lettersAhead ||= this.#lettersReached(process) > start + index;
      log[start + index] = { ...change, columns };
      return plainMessage(change, (key, cells) => this.#plain(key, cells));
    });
    return slabOf(messages, "t", BigInt(start));
  }

  #batch(process: Process, first: number, changes: readonly LoggedChange[]): ChangeBatch {
    const { columns: names, wide } = changes[0] as LoggedChange;
    const { key: kind } = this.#setting;
    const whole = wide ? LONG : INT;
    const keys = kind === "pair" ? { id: LONG, sub: INT } : { id: kind === "text" ? TEXT : whole };
    const others = names.map((name) => [name, name === "part" ? TEXT : name === "n" ? whole : LONG] as const);
    const types: Record<string, PrimitiveType> = { ...keys, ...Object.fromEntries(others) };
    const rows = changes.flatMap((change, index) =>
      rowsOf(change).map((row) => ({ ...row, point: first + index + 1 })),
    );
    const absent = Object.keys(types).map(() => new Uint8Array((rows.length + 7) >> 3));
    const columns = Object.entries(types).map(([name, type], at) => {
      const builder = createBuilder(type);
      for (const [index, row] of rows.entries()) {
        const values = this.#plain(row.key, row.cells);
        const value = row.op === "truncate" ? null : values[name];
        if (value === undefined && !(name in keys)) (absent[at] as Uint8Array)[index >> 3]! |= 1 << (index & 7);
        append(builder, type, value ?? null);
      }
      return builder.finish();
    });
    return {
      table: must(process.router.byStream("t"), "a rule").table,
      split: "t/0",
      length: rows.length,
      ops: Uint8Array.from(rows, ({ op }) => Op[op]),
      fields: Object.entries(types).map(([name, type]) => ({ name, type, required: false })),
      columns,
      absent: absent.map((bits) => (bits.some((byte) => byte !== 0) ? bits : null)),
      key: Object.keys(keys),
      points: offsetPoints(BigInt64Array.from(rows, ({ point }) => BigInt(point))),
      messages: slabOf(
        changes.map((_, index) => ({ value: `change ${first + index}` })),
        "t",
        BigInt(first),
      ),
      sizeBytes: 40 * rows.length,
    };
  }
}

/** A key change is two rows. */
function rowsOf({ op, key, to, cells }: LoggedChange) {
  if (op !== "rekey") return [{ op, key, cells }];
  return [
    { op: "delete" as const, key, cells: {} },
    { op: "insert" as const, key: to, cells },
  ];
}

function sameShape(a: LoggedChange, b: LoggedChange): boolean {
  return a.wide === b.wide && a.columns.length === b.columns.length;
}

function crashAt(step: number): (name: string) => void {
  let left = step;
  return (name) => {
    if (left-- <= 0) throw new Crash(`at ${name}`);
  };
}
