import type { Format } from "../../core/format.ts";
import { CanalJsonDecoder } from "./decoder.ts";

/**
 * Canal's flat messages: several rows of one table each, values as MySQL's texts. Tables are found by topic or by `database.table`,
 * the key is `pkNames`.
 *
 * Types: `columns:` of the job, else `mysqlType` of the message (see `parseMysqlType`), else the table's, else inference from the first
 * value. Neither DATETIME nor TIMESTAMP comes with a time zone: both are `timestamp`, as Canal's process prints them; where a job
 * declares `timestamptz` they are read as UTC.
 *
 * Types of messages: INSERT; UPDATE, and where `old` holds another key, a delete of that key and an insert; DELETE; TRUNCATE. Other
 * statements, queries and TiCDC's watermarks are counted and skipped.
 */
export const canalJson: Format = {
  summary: "Canal's flat messages of MySQL's changes (also TiCDC's and Flink's canal-json)",
  namesKey: true,
  zoneless: true,
  createDecoder: (router, notices, rejects) => new CanalJsonDecoder(router, notices, rejects),
};
