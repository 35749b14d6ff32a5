import type { LoggedChange } from "./upsert-model.ts";
import type { PlainValues } from "./foreign-table.ts";
import type { TestMessage } from "./slab.ts";

/** A change as Debezium sends it without a schema: what it does not send is not there. @param plain a row of these key and cells. */
export function plainMessage(
  { op, key, to, cells }: LoggedChange,
  plain: (key: number, cells: LoggedChange["cells"]) => PlainValues,
): TestMessage {
  const row = (number: number, values: LoggedChange["cells"]) =>
    Object.fromEntries(
      Object.entries(plain(number, values)).map(([name, value]) => [
        name,
        typeof value === "bigint" ? Number(value) : value,
      ]),
    );
  const id = row(key, {});
  if (op === "truncate") return { value: { before: null, after: null, op: "t" } };
  if (op === "delete") return { key: id, value: { before: id, after: null, op: "d" } };
  if (op === "rekey") return { key: row(to, {}), value: { before: id, after: row(to, cells), op: "u" } };
  return { key: id, value: { before: null, after: row(key, cells), op: op === "insert" ? "c" : "u" } };
}
