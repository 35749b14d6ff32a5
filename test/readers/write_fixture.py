"""Writes a table with PyIceberg for the tests of the readers: `write_fixture.py <request as JSON>`.

request: {uri, catalog, warehouse, table, s3?}. Two snapshots: two rows with every type PyIceberg can write, then a third
row, and the first deleted. Prints {snapshotIds, location, metadata} with ids as text.
"""

import datetime
import json
import sys
import uuid
from decimal import Decimal

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from storage import s3_properties

request = json.loads(sys.argv[1])
catalog = SqlCatalog(request["catalog"], uri=request["uri"], warehouse=request["warehouse"], **s3_properties(request))
schema = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "flag", BooleanType()),
    NestedField(3, "small", IntegerType()),
    NestedField(4, "real", FloatType()),
    NestedField(5, "ratio", DoubleType()),
    NestedField(6, "total", DecimalType(38, 10)),
    NestedField(7, "day", DateType()),
    NestedField(8, "at_time", TimeType()),
    NestedField(9, "local", TimestampType()),
    NestedField(10, "instant", TimestamptzType()),
    NestedField(11, "name", StringType()),
    NestedField(12, "token", UUIDType()),
    NestedField(13, "code", FixedType(4)),
    NestedField(14, "raw", BinaryType()),
    NestedField(15, "tags", ListType(16, StringType(), element_required=False)),
    NestedField(17, "counts", MapType(18, StringType(), 19, LongType(), value_required=False)),
    NestedField(20, "nested", StructType(NestedField(21, "a", LongType()), NestedField(22, "b", DoubleType()))),
)
utc = datetime.timezone.utc
full = {
    "id": 9223372036854775807,
    "flag": True,
    "small": -2147483648,
    "real": 0.1,
    "ratio": 1e-7,
    "total": Decimal("1234567890123456789012345678.0123456789"),
    "day": datetime.date(1969, 12, 31),
    "at_time": datetime.time(23, 59, 59, 999999),
    "local": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    "instant": datetime.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=utc),
    "name": 'Ä "quoted" \U0001f9ca\n',
    "token": uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7").bytes,
    "code": b"\x00\x01\xfe\xff",
    "raw": b"",
    "tags": ["b", None, "a"],
    "counts": [("z", 9007199254740993), ("a", None)],
    "nested": {"a": -1, "b": float("nan")},
}
numbers = {"id": 2, "real": float("-inf"), "ratio": -0.0, "total": Decimal("-0.0000000001")}
third = {"id": 3, "ratio": 123456789012345680000.0, "name": "added"}


def rows(*values):
    # The table's own schema: creating it gave the fields new ids.
    return pa.Table.from_pylist(list(values), schema=table.schema().as_arrow())


namespace = request["table"].split(".")[0]
catalog.create_namespace_if_not_exists(namespace)
table = catalog.create_table(request["table"], schema)
table.append(rows(full, numbers))
first = table.current_snapshot().snapshot_id
table.append(rows(third))
table.delete(f"id == {full['id']}")
print(
    json.dumps(
        {
            "snapshotIds": [str(first), str(table.current_snapshot().snapshot_id)],
            "location": table.location(),
            "metadata": table.metadata_location,
        }
    )
)
