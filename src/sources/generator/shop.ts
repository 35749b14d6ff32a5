import type { PlainKind, PrimitiveType } from "../../../table-format/index.ts";
import type { ChangeColumn } from "../../core/change-batch.ts";

/** Dense numbers of the shop's tables. */
export const Shop = { customers: 0, orders: 1, orderEvents: 2 } as const;

export interface ShopTable {
  /** What `tables[].from` is matched against, as stream and as table id. */
  readonly stream: string;
  readonly fields: readonly ChangeColumn[];
  /** Null: the table is append-only. */
  readonly key: readonly string[] | null;
}

const money: PrimitiveType = { kind: "decimal", precision: 18, scale: 2 };
const exact: PrimitiveType = { kind: "decimal", precision: 38, scale: 10 };

function fields(columns: Readonly<Record<string, PrimitiveType | PlainKind>>, required: readonly string[]) {
  return Object.entries(columns).map(([name, type]): ChangeColumn => ({
    name,
    type: typeof type === "string" ? { kind: type } : type,
    required: required.includes(name),
  }));
}

/** The shop's tables by their number. The columns cover every type that a changelog commonly carries. */
export const SHOP_TABLES: readonly [ShopTable, ShopTable, ShopTable] = [
  {
    stream: "shop.customers",
    key: ["region", "id"],
    fields: fields(
      {
        region: "string",
        id: "long",
        name: "string",
        email: "string",
        vip: "boolean",
        credit: money,
        joined: "date",
        photo: "binary",
        updated_at: "timestamptz",
      },
      ["region", "id"],
    ),
  },
  {
    stream: "shop.orders",
    key: ["id"],
    fields: fields(
      {
        id: "long",
        customer_id: "long",
        status: "string",
        total: money,
        exact,
        quantity: "int",
        weight: "double",
        ratio: "float",
        gift: "boolean",
        note: "string",
        placed_on: "date",
        placed_at: "timestamp",
        pickup: "time",
        updated_at: "timestamptz",
        reference: "uuid",
        trace_id: "long",
        payload: "binary",
      },
      ["id"],
    ),
  },
  {
    stream: "shop.order_events",
    key: null,
    fields: fields(
      {
        event_id: "long",
        order_id: "long",
        kind: "string",
        amount: money,
        detail: "string",
        at: "timestamptz",
      },
      ["event_id"],
    ),
  },
];

export const REGIONS = ["africa", "america", "asia", "europe", "oceania"] as const;

/** 2026-01-01T00:00:00Z in microseconds since 1970. */
export const FIRST_EVENT_US = 1_767_225_600_000_000;
