import type { Format } from "../../core/format.ts";
import { JsonDecoder } from "./decoder.ts";

/**
 * Plain records: each message's value is one JSON object, whose members are the columns of a row. In an upsert table the record replaces
 * the row with the same key (`key:` of the job), members that it lacks being null; a message without value deletes the row that its
 * message key names, which must be an object with the key columns. Tables are found by topic.
 *
 * Types: `columns:` of the job, else the table's, else inference from the first value; values as in `debezium-json` without schema.
 */
export const json: Format = {
  summary: "plain records, one JSON object a message; a message without value deletes by its key",
  namesKey: false,
  createDecoder: (router, notices, rejects) => new JsonDecoder(router, notices, rejects),
};
