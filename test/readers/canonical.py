"""The canonical form of a table's rows: what `canonical.ts` writes for the same values, byte for byte.

A row is a JSON array of its values in column order, without spaces, and the rows are sorted by their UTF-8 bytes.
- boolean, string: as in JSON; int: a number; long and decimal: text, since a JavaScript number cannot hold them
- float, double: a number written as JavaScript writes it; "NaN", "Infinity", "-Infinity" and "-0" as text
- date "2024-02-29", time "12:34:56.000000", timestamp "2024-02-29T12:34:56.000000" with 6 digits (9 for nanoseconds),
  a timestamp with zone in UTC with "+00:00" after it
- uuid as text, binary and fixed as lower-case hex
- struct: an object, list: an array, map: an array of [key, value] pairs sorted by their JSON text
"""

import datetime
import decimal
import math
import re
import uuid
from json.encoder import encode_basestring as quote

import pyarrow as pa
import pyarrow.types as t


def canonical_lines(table):
    """The sorted JSON lines of an Arrow table."""
    columns = [canonical_column(column) for column in table.columns]
    return sorted((f"[{','.join(row)}]" for row in zip(*columns)), key=str.encode)


def canonical_column(column):
    """The JSON texts of a column's values."""
    kind = column.type
    if t.is_int64(kind):
        return [f'"{text}"' if text is not None else "null" for text in column.cast(pa.string()).to_pylist()]
    if t.is_timestamp(kind):
        digits = {"us": 6, "ns": 9, "ms": 3, "s": 0}[kind.unit]
        zone = "+00:00" if kind.tz else ""
        ticks = column.cast(pa.int64()).to_pylist()
        return ["null" if tick is None else f'"{timestamp(tick, digits)}{zone}"' for tick in ticks]
    return [json_text(v, kind) for v in column.to_pylist()]


def json_text(v, kind):
    """The canonical JSON text of one value of an Arrow type, from its Python value."""
    if v is None:
        return "null"
    if isinstance(v, str):
        return quote(v)
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return f'"{v}"' if t.is_int64(kind) else str(v)
    if isinstance(v, float):
        return number(v)
    if isinstance(v, decimal.Decimal):
        return f'"{v:f}"'
    if isinstance(v, bytes):
        return f'"{v.hex()}"'
    if isinstance(v, uuid.UUID):
        return f'"{v}"'
    if isinstance(v, (datetime.datetime, datetime.time)):
        return f'"{v.isoformat(timespec="microseconds")}"'
    if isinstance(v, datetime.date):
        return f'"{v.isoformat()}"'
    if t.is_struct(kind):
        return "{" + ",".join(f"{quote(f.name)}:{json_text(v[f.name], f.type)}" for f in kind) + "}"
    if t.is_map(kind):
        pairs = [f"[{json_text(key, kind.key_type)},{json_text(item, kind.item_type)}]" for key, item in v]
        return f"[{','.join(sorted(pairs, key=str.encode))}]"
    if t.is_list(kind) or t.is_large_list(kind):
        return f"[{','.join(json_text(item, kind.value_type) for item in v)}]"
    raise TypeError(f"expected a value of {kind}, found {type(v).__name__}")


def timestamp(tick, digits):
    """ISO 8601 of a count of 10^-digits seconds since 1970."""
    scale = 10**digits
    seconds, fraction = divmod(tick, scale)
    days, second = divmod(seconds, 86_400)
    try:
        day = (datetime.date(1970, 1, 1) + datetime.timedelta(days=days)).isoformat()
    except OverflowError:
        # Beyond the years of Python's calendar.
        day = f"day {days}"
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{day}T{clock}.{fraction:0{digits}}" if digits else f"{day}T{clock}"


def number(v):
    """The JSON text of a float: a number as JavaScript writes it, or text where JSON has none."""
    if math.isnan(v):
        return '"NaN"'
    if math.isinf(v):
        return '"Infinity"' if v > 0 else '"-Infinity"'
    if v == 0:
        return '"-0"' if math.copysign(1, v) < 0 else "0"
    if v.is_integer() and abs(v) < 2**53:
        return str(int(v))
    return javascript(v)


def javascript(v):
    """`String(v)` of ECMAScript (Number::toString) for a finite double that is not zero.

    Both languages write the shortest digits that read back equal; they differ in where the exponent begins.
    """
    sign, digits, exponent = decimal.Decimal(repr(v)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + exponent
    prefix = "-" if sign else ""
    if 0 < point <= 21:
        if len(text) <= point:
            return prefix + text.ljust(point, "0")
        return f"{prefix}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{prefix}0.{'0' * -point}{text}"
    mantissa = text if len(text) == 1 else f"{text[0]}.{text[1:]}"
    return f"{prefix}{mantissa}e{point - 1:+d}"


DUCKDB_TYPES = {
    "BOOLEAN": "boolean",
    "INTEGER": "int",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIMESTAMP_NS": "timestamp_ns",
    "VARCHAR": "string",
    "UUID": "uuid",
    "BLOB": "binary",
}


def type_name(duckdb_type):
    """A DuckDB type in Iceberg's words; a nested one stays as DuckDB writes it. `fixed` is a BLOB there, so it reads `binary`."""
    if match := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb_type):
        return f"decimal({match[1]}, {match[2]})"
    return DUCKDB_TYPES.get(duckdb_type, duckdb_type)
