import { type ColumnBuilder, createBuilder } from "../../../table-format/index.ts";
import { type ChangeBatch, Op, offsetPoints } from "../../core/change-batch.ts";
import { draw } from "./draw.ts";
import { FIRST_EVENT_US, REGIONS, Shop, SHOP_TABLES } from "./shop.ts";
import type { ShopChange } from "./shop-walk.ts";

const STATUSES = ["new", "paid", "packed", "sent", "done"];
const NOTES = ["", "🧊 first ice", "naïve façade, Ελλάδα, 日本", 'says "hello",\n\tthen leaves', "👩‍👩‍👧‍👦", "plain"];
const NAMES = ["Ada", "Zoë", "Søren", "李", "", "🐧 Pingu", "O'Hara"];
const KINDS = ["created", "paid", "packed", "handed over", "delivered"];
const DECIMAL_38_EDGE = 10n ** 38n - 1n;
const DAY_US = 86_400_000_000;

/** Collects changes of one table of one split and gives them as a batch. `expected.ts` has the same values in plain form. */
export class ShopRows {
  private readonly seed: number;
  private readonly table: number;
  private readonly split: string;
  private readonly builders: readonly ColumnBuilder[];
  private ops: number[] = [];
  private points: bigint[] = [];
  private times: bigint[] = [];

  constructor(seed: number, table: number, split: string) {
    this.seed = seed;
    this.table = table;
    this.split = split;
    this.builders = tableOf(table).fields.map(({ type }) => createBuilder(type));
  }

  get length(): number {
    return this.ops.length;
  }

  /**
   * @param point the split's resume point after the event
   * @param sequence the event's place in the whole changelog
   */
  add(change: ShopChange, point: number, sequence: number): void {
    this.ops.push(change.op);
    this.points.push(BigInt(point));
    this.times.push(BigInt(FIRST_EVENT_US + sequence * 1000));
    const keyOnly = change.op === Op.delete;
    if (change.table === Shop.customers) this.addCustomer(change, sequence, keyOnly);
    else if (change.table === Shop.orders) this.addOrder(change, sequence, keyOnly);
    else this.addOrderEvent(change, sequence);
  }

  /** The changes since the last call. @param binding the number of the target table */
  finish(binding: number): ChangeBatch {
    const { fields, key } = tableOf(this.table);
    const sizeBytes = this.builders.reduce((sum, builder) => sum + builder.sizeBytes, this.length * 17);
    const batch: ChangeBatch = {
      table: binding,
      split: this.split,
      length: this.length,
      ops: Uint8Array.from(this.ops),
      fields,
      columns: this.builders.map((builder) => builder.finish()),
      absent: fields.map(() => null),
      key,
      points: offsetPoints(BigInt64Array.from(this.points)),
      timesUs: BigInt64Array.from(this.times),
      sizeBytes,
    };
    this.ops = [];
    this.points = [];
    this.times = [];
    return batch;
  }

  private column(index: number): ColumnBuilder {
    return this.builders[index] as ColumnBuilder;
  }

  private nulls(from: number): void {
    for (let index = from; index < this.builders.length; index++) this.column(index).appendNull();
  }

  private addCustomer({ number, version, region }: ShopChange, sequence: number, keyOnly: boolean): void {
    this.column(0).appendString(REGIONS[region] as string);
    this.column(1).appendI64Number(number + 1);
    if (keyOnly) {
      this.nulls(2);
      return;
    }
    const random = (lane: number): number => draw(this.seed, lane, number, version);
    const name = NAMES[random(16) % NAMES.length] as string;
    this.column(2).appendString(name === "" ? "" : `${name} ${number + 1}`);
    if (random(17) % 5 === 0) this.column(3).appendNull();
    else this.column(3).appendString(`c${number + 1}.${version}@example.org`);
    this.column(4).appendBool(random(18) % 4 === 0);
    this.column(5).appendI64Number((random(19) % 200_000) - 100_000);
    this.column(6).appendI32((random(20) % 40_000) - 10_000);
    this.appendBlob(this.column(7), random(21), random);
    this.column(8).appendI64Number(FIRST_EVENT_US + sequence * 1000);
  }

  private addOrder({ number, version }: ShopChange, sequence: number, keyOnly: boolean): void {
    // 2^53 + 1 + number: neighbours that doubles cannot tell apart.
    this.column(0).appendI64Parts(number + 1, 0x20_0000);
    if (keyOnly) {
      this.nulls(1);
      return;
    }
    const random = (lane: number): number => draw(this.seed, lane, number, version);
    const edge = random(17) % 64 === 0;
    this.column(1).appendI64Number(1 + (random(16) % (number + 1)));
    this.column(2).appendString(edge ? "void" : (STATUSES[Math.min(version, STATUSES.length) - 1] as string));
    this.appendTotal(this.column(3), edge, random(18));
    this.appendExact(this.column(4), edge, random(19), random(20));
    this.column(5).appendI32(edge ? (random(18) % 2 === 0 ? 0x7fff_ffff : -0x8000_0000) : 1 + (random(21) % 20));
    this.appendWeight(this.column(6), random(22));
    this.column(7).appendF32((random(23) % 0x1_0000) / 256);
    const gift = random(24) % 3;
    if (gift === 0) this.column(8).appendNull();
    else this.column(8).appendBool(gift === 1);
    const note = random(25) % (NOTES.length + 2);
    if (note >= NOTES.length) this.column(9).appendNull();
    else this.column(9).appendString(NOTES[note] as string);
    this.appendPlaced(number, draw(this.seed, 26, number, 0));
    this.appendPickup(this.column(12), random(27), random(28));
    this.column(13).appendI64Number(FIRST_EVENT_US + sequence * 1000 + (random(29) % 1000));
    const uuid = Buffer.alloc(16);
    for (let word = 0; word < 4; word++) uuid.writeUInt32BE(draw(this.seed, 30 + word, number, 0), word * 4);
    this.column(14).appendBytes(uuid, 0, 16);
    this.appendTrace(this.column(15), random(34), random(35));
    this.appendBlob(this.column(16), random(36), random);
  }

  private addOrderEvent({ number, version }: ShopChange, sequence: number): void {
    const random = (lane: number): number => draw(this.seed, lane, number, version);
    this.column(0).appendI64Number(sequence + 1);
    this.column(1).appendI64Parts(number + 1, 0x20_0000);
    this.column(2).appendString(KINDS[random(16) % KINDS.length] as string);
    if (random(17) % 4 === 0) this.column(3).appendNull();
    else this.column(3).appendI64Number((random(18) % 1_000_000) - 1000);
    if (random(19) % 3 === 0) this.column(4).appendNull();
    else this.column(4).appendString(NOTES[random(20) % NOTES.length] as string);
    this.column(5).appendI64Number(FIRST_EVENT_US + sequence * 1000);
  }

  private appendTotal(column: ColumnBuilder, edge: boolean, random: number): void {
    if (!edge) column.appendI64Number(100 + (random % 500_000));
    else if (random % 6 === 0) column.appendNull();
    else if (random % 6 === 1) column.appendI64(999_999_999_999_999_999n);
    else if (random % 6 === 2) column.appendI64(-999_999_999_999_999_999n);
    else column.appendI32((random % 6) - 4);
  }

  private appendExact(column: ColumnBuilder, edge: boolean, high: number, low: number): void {
    let unscaled = (BigInt(high) << 32n) | BigInt(low);
    if (edge && high % 4 === 0) {
      column.appendNull();
      return;
    }
    if (edge) unscaled = high % 4 === 1 ? 1n : DECIMAL_38_EDGE;
    if (low % 2 === 1) unscaled = -unscaled;
    column.appendDecimal128(BigInt.asIntN(64, unscaled), unscaled >> 64n);
  }

  private appendWeight(column: ColumnBuilder, random: number): void {
    switch (random % 32) {
      case 0:
        return column.appendF64(-0);
      case 1:
        return column.appendF64(1e308);
      case 2:
        return column.appendF64(5e-324);
      case 3:
        return column.appendF64(-1e308);
      case 4:
        return column.appendNull();
    }
    column.appendF64((random >>> 5) / 1000);
  }

  private appendPlaced(number: number, random: number): void {
    const [day, time] = [this.column(10), this.column(11)];
    switch (random % 512) {
      case 0:
        day.appendI32(2_932_896);
        time.appendI64(253_402_300_799_999_999n);
        return;
      case 1:
        day.appendI32(-1);
        time.appendI64Number(-1);
        return;
      case 2:
        day.appendNull();
        time.appendNull();
        return;
    }
    const micros = FIRST_EVENT_US + (number % 10_000) * 60_000_000 + (random % 60_000_000);
    day.appendI32(Math.floor(micros / DAY_US));
    time.appendI64Number(micros);
  }

  private appendPickup(column: ColumnBuilder, random: number, micros: number): void {
    if (random % 8 === 0) column.appendNull();
    else if (random % 8 === 1) column.appendI64Number(DAY_US - 1);
    else column.appendI64Number((random % 86_400) * 1_000_000 + (micros % 1_000_000));
  }

  private appendTrace(column: ColumnBuilder, high: number, low: number): void {
    if (high % 16 === 0) column.appendNull();
    else if (high % 16 === 1) column.appendI64Parts(0, 0x8000_0000);
    else if (high % 16 === 2) column.appendI64Parts(0xffff_ffff, 0x7fff_ffff);
    else column.appendI64Parts(low, high);
  }

  /** Up to ten bytes, none of which need be text; every sixth is null. */
  private appendBlob(column: ColumnBuilder, random: number, lane: (lane: number) => number): void {
    if (random % 6 === 5) {
      column.appendNull();
      return;
    }
    const bytes = new Uint8Array(random % 12);
    for (let at = 0; at < bytes.length; at++) bytes[at] = lane(64 + at);
    column.appendBytes(bytes, 0, bytes.length);
  }
}

function tableOf(table: number): (typeof SHOP_TABLES)[number] {
  return SHOP_TABLES[table] as (typeof SHOP_TABLES)[number];
}
