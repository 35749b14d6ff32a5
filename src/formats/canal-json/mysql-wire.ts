import { typeText, type PrimitiveType } from "../../../table-format/index.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../json-bytes/ascii.ts";
import { base64Bytes, base64Fixed, jsonText, quotedNumber, refuse, uuidText } from "../json-columns/conversions.ts";
import { dayTime, isoText } from "../json-columns/time-conversions.ts";
import { type Convert, type OwnWire, unitNsOf } from "../json-columns/wire.ts";
import { characterBytes, characterFixed } from "./character-bytes.ts";
import { labelText } from "./labels.ts";
import type { MysqlType } from "./mysql-type.ts";
import { integerText, zeroOrOneText } from "./number-texts.ts";

const USUAL: ReadonlySet<PrimitiveType["kind"]> = new Set([
  "string",
  "decimal",
  "long",
  "int",
  "double",
  "float",
  "boolean",
]);

/**
 * How Canal writes the values of a column: texts as MySQL prints them; producers of the same format that write numbers and booleans
 * as such are read too. Null = the message does not say what the column is; then bytes are base64, as Flink writes them.
 */
export function mysqlWire(mysql: MysqlType | null): OwnWire {
  return {
    kind: "own",
    name: mysql === null ? "MySQL's text" : `mysqlType ${mysql.text}`,
    usual: (type) => USUAL.has(type.kind) && !(type.kind === "string" && mysql !== null && mysql.labels !== null),
    convert: (type, byUser) => conversionOf(type, mysql, byUser),
  };
}

function conversionOf(type: PrimitiveType, mysql: MysqlType | null, byUser: boolean): Convert | null {
  switch (type.kind) {
    case "string":
      if (mysql !== null && mysql.labels !== null) return labelText(mysql.labels, mysql.isSet);
      return byUser || mysql?.isJson === true ? jsonText : scalarText;
    case "long":
    case "int":
      return integerText(type);
    case "double":
    case "float":
      return quotedNumber(type, true);
    case "boolean":
      return zeroOrOneText;
    case "decimal":
      return refuse(type);
    case "date":
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return isoText(type, true);
    case "time":
      return timeText;
    case "uuid":
      return mysql?.isBinary === true ? characterFixed(type) : uuidText;
    case "binary":
      return mysql === null ? base64Bytes : characterBytes(mysql.padTo);
    case "fixed":
      return mysql === null ? base64Fixed(type) : characterFixed(type);
    default:
      return null;
  }
}

/** A number or a boolean among texts, as it stands. */
const scalarText: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] === OPEN_BRACE || bytes[pos] === OPEN_BRACKET) throw new ValueFault(pos, "a text", "string");
  return jsonText(bytes, pos, end, builder);
};

const dayTimeText = dayTime(unitNsOf({ kind: "time" }));

/** MySQL's times reach from -838 to 838 hours; those beyond a day are no time of day. A number does not say what it counts. */
const timeText: Convert = (bytes, pos, end, builder) => {
  if (bytes[pos] !== QUOTE) throw new ValueFault(pos, `${typeText({ kind: "time" })} in a text`, "string");
  return dayTimeText(bytes, pos, end, builder);
};
