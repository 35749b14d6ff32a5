import type { Format } from "../../core/format.ts";
import { DebeziumJsonDecoder } from "./decoder.ts";

/**
 * Debezium's change events as Connect's JsonConverter writes them, with the schema in each message or without; the two may mix, and
 * key and value are told apart on their own.
 *
 * Types: `columns:` of the job, else the schema in the message, else the table's, else inference from the first value (boolean;
 * integer as long; number with fraction or exponent as double; string), which raises a notice. A column that has only been null is
 * not part of batches until a value comes.
 *
 * Numbers that no schema explains count the unit of the type that the job or the table gives: days for date, microseconds for time,
 * timestamp and timestamptz, nanoseconds for timestamp_ns and timestamptz_ns, since midnight or 1970-01-01 UTC. Texts are ISO 8601;
 * timestamptz wants an offset or "Z", timestamp none but a decorative "Z". Decimals are numbers or texts, binary is base64, and
 * `string` takes any value by its JSON text. Nothing is rounded but what becomes a float or
 * double, which is the nearest one: a value that does not fit is an error.
 *
 * Ops: `c`, `r` insert; `u` update (with another key in `before`: delete and insert); `d` and tombstones delete; `t` truncate. Heartbeats,
 * transaction boundaries, schema changes, notifications and `m` are counted and skipped. In updates Debezium's placeholder for
 * unchanged TOAST values makes a column absent, and so does a key that a row without schema lacks.
 */
export const debeziumJson: Format = {
  summary: "Debezium's change events as JSON, with the schema in each message or without",
  namesKey: true,
  createDecoder: (router, notices, rejects) => new DebeziumJsonDecoder(router, notices, rejects),
};
