import { type DuckDBType, DuckDBTypeId } from "@duckdb/node-api";
import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampNanosecond,
  Utf8,
} from "apache-arrow";
import { FrazilError } from "../core/errors.ts";

/** Extension types over those of `arrowType`. */
const EXTENSIONS: ReadonlyMap<DuckDBTypeId, string> = new Map([
  [DuckDBTypeId.UUID, "arrow.uuid"],
  [DuckDBTypeId.VARIANT, "arrow.json"],
  [DuckDBTypeId.GEOMETRY, "geoarrow.wkb"],
]);

/**
 * The Arrow field of a column. Iceberg's types meet their Arrow twins: `long` Int64, `decimal` Decimal128, `timestamp` microseconds
 * without a zone, `timestamptz` with the zone UTC, `uuid` the extension type `arrow.uuid` over 16 bytes, `variant` the extension type
 * `arrow.json` over a text, `geometry` and `geography` `geoarrow.wkb` over bytes.
 *
 * @throws FrazilError `unsupported`, code `UNSUPPORTED_TYPE`.
 */
export function arrowField(name: string, type: DuckDBType, nullable: boolean): Field {
  const extension = EXTENSIONS.get(type.typeId);
  const metadata = extension === undefined ? null : new Map([["ARROW:extension:name", extension]]);
  return new Field(name, arrowType(name, type), nullable, metadata);
}

function arrowType(name: string, type: DuckDBType): DataType {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return new Bool();
    case DuckDBTypeId.INTEGER:
      return new Int32();
    case DuckDBTypeId.BIGINT:
      return new Int64();
    case DuckDBTypeId.FLOAT:
      return new Float32();
    case DuckDBTypeId.DOUBLE:
      return new Float64();
    case DuckDBTypeId.DECIMAL: {
      const { scale, width } = type;
      return new Decimal(scale, width, 128);
    }
    case DuckDBTypeId.DATE:
      return new DateDay();
    case DuckDBTypeId.TIME:
      return new TimeMicrosecond();
    case DuckDBTypeId.TIMESTAMP:
      return new TimestampMicrosecond();
    case DuckDBTypeId.TIMESTAMP_TZ:
      return new TimestampMicrosecond("UTC");
    case DuckDBTypeId.TIMESTAMP_NS:
      return new TimestampNanosecond();
    case DuckDBTypeId.VARCHAR:
    case DuckDBTypeId.VARIANT:
      return new Utf8();
    case DuckDBTypeId.BLOB:
    case DuckDBTypeId.GEOMETRY:
      return new Binary();
    case DuckDBTypeId.UUID:
      return new FixedSizeBinary(16);
    case DuckDBTypeId.LIST:
      return new List(arrowField("element", type.valueType, true));
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type;
      return new Struct(entryNames.map((inner, index) => arrowField(inner, entryTypes[index] as DuckDBType, true)));
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type;
      const entries = new Struct([arrowField("key", keyType, false), arrowField("value", valueType, true)]);
      return new Map_(new Field("entries", entries, false) as never);
    }
    default:
      throw new FrazilError(
        "unsupported",
        "UNSUPPORTED_TYPE",
        `column ${name} of type ${type.toString()} has no Arrow form`,
        {
          hint: "choose other columns, or read rows instead of Arrow",
        },
      );
  }
}
