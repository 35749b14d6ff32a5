import { Op } from "../../core/change-batch.ts";
import { draw } from "./draw.ts";
import { REGIONS, Shop } from "./shop.ts";

/** Numbers of orders that never existed start here, above every real one. */
const UNKNOWN_ORDERS = 0x8000_0000;

/** Lanes of `draw` that decide what happens; those of the rows' values start at 16. */
const Lane = { event: 0, customer: 1, order: 2, region: 3, dead: 4 } as const;

/** One row of an event. */
export interface ShopChange {
  /** See `Shop`. */
  readonly table: number;
  readonly op: number;
  /** The customer's or order's number, unique over the splits; of an order event the order it is about. */
  readonly number: number;
  /** Changes of the row so far; the values of a row follow from its number and version. */
  readonly version: number;
  /** Of customers, whose region is part of the key: an index into `REGIONS`. */
  readonly region: number;
}

/** Rows alive in one table of one split. */
class Living {
  /** By local number. */
  versions = new Uint32Array(1024);
  /** Of customers. */
  regions = new Uint8Array(1024);
  born = 0;
  /** Local numbers in no order: whoever is removed gives its slot to the last. */
  private alive = new Uint32Array(1024);
  count = 0;

  /** A new row: its local number. */
  bear(): number {
    if (this.born === this.versions.length) {
      this.versions = doubled(this.versions);
      const regions = new Uint8Array(this.regions.length * 2);
      regions.set(this.regions);
      this.regions = regions;
    }
    const local = this.born++;
    this.revive(local);
    return local;
  }

  revive(local: number): void {
    if (this.count === this.alive.length) this.alive = doubled(this.alive);
    this.alive[this.count++] = local;
  }

  /** The slot of a living row: the later half of the slots is taken far more often, as younger rows are in a shop. */
  pick(random: number): number {
    const share = random / 2 ** 32;
    return this.count - 1 - Math.floor(this.count * share * share);
  }

  at(slot: number): number {
    return this.alive[slot] as number;
  }

  bury(slot: number): void {
    this.alive[slot] = this.alive[--this.count] as number;
  }

  /** Counts a change: the row's version from now on. */
  change(local: number): number {
    const version = (this.versions[local] as number) + 1;
    this.versions[local] = version;
    return version;
  }
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/**
 * The events of one split, in order. What happens at a sequence number depends on the seed, the number and who is alive by then, so a
 * walk starts at 0 and is stepped forward: ten million steps take about a second.
 */
export class ShopWalk {
  /** Events taken, which is the split's resume point. */
  point = 0;
  private readonly seed: number;
  private readonly split: number;
  private readonly splits: number;
  private readonly customers = new Living();
  private readonly orders = new Living();
  /** Local numbers of orders deleted lately, newest last. */
  private readonly dead: number[] = [];

  constructor(seed: number, split: number, splits: number) {
    this.seed = seed;
    this.split = split;
    this.splits = splits;
  }

  /** The place of the next event in the changelog of all splits. */
  get sequence(): number {
    return this.point * this.splits + this.split;
  }

  /** Steps on until `point` events are taken. */
  skipTo(point: number): void {
    while (this.point < point) this.next();
  }

  /** The next event: one row, or two for a change of key. */
  next(): readonly ShopChange[] {
    const random = this.random(Lane.event) % 1000;
    const changes =
      random < 262 ? this.customerEvent(random) : random < 727 ? this.orderEvent(random) : this.orderNote();
    this.point++;
    return changes;
  }

  private customerEvent(random: number): readonly ShopChange[] {
    const { customers } = this;
    if (random < 150 || customers.count === 0) {
      const local = customers.bear();
      customers.regions[local] = this.random(Lane.region) % REGIONS.length;
      return [this.customer(Op.insert, local, customers.change(local))];
    }
    const slot = customers.pick(this.random(Lane.customer));
    const local = customers.at(slot);
    const region = customers.regions[local] as number;
    if (random < 230) return [this.customer(Op.update, local, customers.change(local))];
    const elsewhere = (region + 1 + (this.random(Lane.region) % (REGIONS.length - 1))) % REGIONS.length;
    if (random < 250) {
      const removal = this.customer(Op.delete, local, customers.versions[local] as number);
      customers.regions[local] = elsewhere;
      return [removal, this.customer(Op.insert, local, customers.change(local))];
    }
    if (random < 260) {
      customers.bury(slot);
      return [this.customer(Op.delete, local, customers.versions[local] as number)];
    }
    // A key that never was, although both of its halves are.
    return [{ ...this.customer(Op.delete, local, 0), region: elsewhere }];
  }

  private orderEvent(random: number): readonly ShopChange[] {
    const { orders, dead } = this;
    if (random < 462 || orders.count === 0) {
      const local = orders.bear();
      return [this.order(Op.insert, local, orders.change(local))];
    }
    const slot = orders.pick(this.random(Lane.order));
    const local = orders.at(slot);
    if (random < 662) return [this.order(Op.update, local, orders.change(local))];
    if (random < 717) {
      orders.bury(slot);
      const removal = this.order(Op.delete, local, orders.versions[local] as number);
      if (random < 677) {
        const successor = orders.bear();
        return [removal, this.order(Op.insert, successor, orders.change(successor))];
      }
      dead.push(local);
      if (dead.length > 64) dead.shift();
      return [removal];
    }
    if (dead.length > 0 && random < 724) {
      const index = this.random(Lane.dead) % dead.length;
      const again = dead[index] as number;
      // Deleted once more, which changes nothing, or back to life under its old key.
      if (random >= 722) return [this.order(Op.delete, again, 0)];
      dead.splice(index, 1);
      orders.revive(again);
      return [this.order(Op.insert, again, orders.change(again))];
    }
    const unknown = UNKNOWN_ORDERS + this.sequence;
    return [{ table: Shop.orders, op: Op.delete, number: unknown, version: 0, region: 0 }];
  }

  private orderNote(): readonly ShopChange[] {
    const { orders } = this;
    const local = orders.count === 0 ? 0 : orders.at(orders.pick(this.random(Lane.order)));
    return [{ table: Shop.orderEvents, op: Op.insert, number: this.global(local), version: this.sequence, region: 0 }];
  }

  private customer(op: number, local: number, version: number): ShopChange {
    const region = this.customers.regions[local] as number;
    return { table: Shop.customers, op, number: this.global(local), version, region };
  }

  private order(op: number, local: number, version: number): ShopChange {
    return { table: Shop.orders, op, number: this.global(local), version, region: 0 };
  }

  private global(local: number): number {
    return local * this.splits + this.split;
  }

  private random(lane: number): number {
    return draw(this.seed, lane, this.point, this.split);
  }
}
