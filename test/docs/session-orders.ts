/** A row of the session's table; exact numbers stand as text in JSON. */
export interface Order {
  readonly id: bigint;
  readonly customer: string;
  readonly status: string;
  /** A decimal as Debezium's `decimal.handling.mode=string` sends it. */
  readonly total: string;
}

const COLUMNS = [
  { type: "int64", optional: false, field: "id" },
  { type: "string", optional: true, field: "customer" },
  { type: "string", optional: true, field: "status" },
  { type: "string", optional: true, field: "total" },
];

/** The message of Debezium's PostgreSQL connector for a change; null is no row. */
export function orderChange(before: Order | null, after: Order | null): { key: string; value: string } {
  const row = (after ?? before) as Order;
  const op = before === null ? "c" : after === null ? "d" : "u";
  const struct = { type: "struct", fields: ["before", "after"].map(rowField) };
  const source = `{"schema":"public","table":"orders"}`;
  return {
    key: `{"schema":${JSON.stringify({ type: "struct", fields: COLUMNS.slice(0, 1) })},"payload":{"id":${row.id}}}`,
    value: `{"schema":${JSON.stringify(struct)},"payload":{"before":${rowJson(before)},"after":${rowJson(after)},"source":${source},"op":"${op}","ts_ms":1763600400000}}`,
  };
}

function rowField(field: string): object {
  return { type: "struct", optional: true, field, fields: COLUMNS };
}

/** An id beyond 2^53 stays exact: it is written digit by digit. */
function rowJson(row: Order | null): string {
  if (row === null) return "null";
  return `{"id":${row.id},"customer":"${row.customer}","status":"${row.status}","total":"${row.total}"}`;
}
