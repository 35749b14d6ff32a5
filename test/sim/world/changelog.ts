import type { Draw } from "./scheduler.ts";

/** One change of a row `{ id long, part string, value long, extra long? }`. */
export interface LoggedChange {
  readonly table: TableName;
  readonly op: "insert" | "update" | "delete";
  readonly id: number;
  readonly part: string;
  readonly value: number;
  /** Undefined: from before there was the column. */
  readonly extra: number | undefined;
}

/** Two tables of accounts, which also have rows that come and go; registers, which only grow; and a table that comes later. */
export type TableName = "a" | "b" | "log" | "late";

export const TABLES: readonly TableName[] = ["a", "b", "log", "late"];

const ACCOUNTS = 3;
/** Rows of a transaction of many: more keys than fit in the memory of a job that caches keys. */
const BULK = 700;
const FIRST_BULK = 10_000;
const BALANCE = 100;
/** Ids from here on are no accounts. */
export const FIRST_GUEST = 1_000;
/** Ids from here on are of somebody else. */
export const FIRST_FOREIGN = 1_000_000;

/** The source's side: what has happened, split by split, and what it has been told is safe. */
export class Changelog {
  readonly splits = new Map<string, LoggedChange[]>();
  /** Lengths of each split at which a transaction ends. */
  readonly ends = new Map<string, number[]>();
  /** What the source may forget, by split. */
  readonly acknowledged = new Map<string, number>();
  readonly #draw: Draw;
  readonly #balances = new Map<string, number>();
  readonly #alive = new Map<string, boolean>();
  readonly #registers = new Map<number, number>();
  hasLate = false;
  hasExtra = false;
  /** Now and then very many rows change at once. */
  hasBulk = false;
  #values = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  /** Opens a split, with its accounts. */
  grow(): void {
    const split = `t/${this.splits.size}`;
    const number = this.splits.size;
    this.splits.set(split, []);
    this.ends.set(split, []);
    for (let account = 0; account < ACCOUNTS; account++) {
      const id = number * 10 + account;
      for (const table of ["a", "b"] as const) {
        this.#balances.set(`${table} ${id}`, BALANCE);
        this.#log(split, table, "insert", id, BALANCE);
      }
    }
    this.#close(split);
  }

  /** What all accounts of a split hold together once they are open. */
  static readonly splitSum = 2 * ACCOUNTS * BALANCE;

  /** One transaction more. */
  extend(): void {
    const draw = this.#draw;
    const number = draw.below(this.splits.size);
    const split = `t/${number}`;
    const kind = draw.below(10);
    if (this.hasBulk && draw.oneIn(8)) this.#bulk(split, number);
    else if (kind < 4) this.#transfer(split, number);
    else if (kind < 7) this.#append(split, number);
    else this.#guest(split, number);
    this.#close(split);
  }

  get length(): number {
    return [...this.splits.values()].reduce((sum, { length }) => sum + length, 0);
  }

  #transfer(split: string, number: number): void {
    const draw = this.#draw;
    const amount = draw.between(1, 20);
    const from = number * 10 + draw.below(ACCOUNTS);
    const to = number * 10 + draw.below(ACCOUNTS);
    const [source, target] = draw.oneIn(2) ? (["a", "b"] as const) : (["b", "a"] as const);
    this.#move(split, source, from, -amount);
    this.#move(split, target, to, amount);
  }

  #move(split: string, table: TableName, id: number, amount: number): void {
    const balance = (this.#balances.get(`${table} ${id}`) as number) + amount;
    this.#balances.set(`${table} ${id}`, balance);
    this.#log(split, table, "update", id, balance);
  }

  #append(split: string, number: number): void {
    for (let rows = this.#draw.between(1, 3); rows > 0; rows--) {
      const id = number * 10 + this.#draw.below(4);
      const next = (this.#registers.get(id) ?? 0) + 1;
      this.#registers.set(id, next);
      this.#log(split, "log", "insert", id, next);
    }
  }

  #guest(split: string, number: number): void {
    const draw = this.#draw;
    const table = this.hasLate && draw.oneIn(2) ? "late" : draw.oneIn(2) ? "a" : "b";
    for (let rows = draw.between(1, 3); rows > 0; rows--) {
      const id = FIRST_GUEST + number * 10 + draw.below(8);
      const key = `${table} ${id}`;
      const isAlive = this.#alive.get(key) === true;
      const op = !isAlive ? "insert" : draw.oneIn(3) ? "delete" : "update";
      this.#alive.set(key, op !== "delete");
      this.#log(split, table, op, id, ++this.#values);
    }
  }

  /** Many rows come, change or go. */
  #bulk(split: string, number: number): void {
    const draw = this.#draw;
    const table = draw.oneIn(3) ? "b" : "a";
    const goes = draw.oneIn(4);
    for (let row = draw.below(2); row < BULK; row++) {
      const id = FIRST_BULK + number * 1_000 + row;
      const key = `${table} ${id}`;
      const isAlive = this.#alive.get(key) === true;
      if (goes && (!isAlive || draw.oneIn(4))) continue;
      this.#alive.set(key, !goes);
      this.#log(split, table, goes ? "delete" : isAlive ? "update" : "insert", id, ++this.#values);
    }
  }

  #log(split: string, table: TableName, op: LoggedChange["op"], id: number, value: number): void {
    const extra = this.hasExtra ? value * 2 : undefined;
    const part = `p${id % 2}`;
    (this.splits.get(split) as LoggedChange[]).push({ table, op, id, part, value, extra });
  }

  #close(split: string): void {
    (this.ends.get(split) as number[]).push((this.splits.get(split) as LoggedChange[]).length);
  }
}

/** A row as it is compared. */
export function rowText(
  id: bigint | number,
  part: string,
  value: bigint | number | null,
  extra: bigint | number | null | undefined,
): string {
  return `${id}|${part}|${value}|${extra === undefined || extra === null ? "-" : String(extra)}`;
}
