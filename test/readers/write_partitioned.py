"""Writes partitioned tables with PyIceberg for the tests of planning: `write_partitioned.py <request as JSON>`.

request: {uri, catalog, warehouse, seed}. One table for each transform, of some appends, null partitions among them. Prints the metadata
files by the transform.
"""

import datetime
import json
import random
import sys
from decimal import Decimal

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.types import DateType, DecimalType, DoubleType, LongType, NestedField, StringType, TimestampType

request = json.loads(sys.argv[1])
dice = random.Random(request["seed"])
catalog = SqlCatalog(request["catalog"], uri=request["uri"], warehouse=request["warehouse"])
catalog.create_namespace_if_not_exists("planned")
schema = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "name", StringType()),
    NestedField(3, "day", DateType()),
    NestedField(4, "at", TimestampType()),
    NestedField(5, "price", DecimalType(9, 2)),
    NestedField(6, "ratio", DoubleType()),
)
EPOCH = datetime.datetime(1970, 1, 1)


def maybe(value):
    return None if dice.random() < 0.15 else value


def row(number):
    moment = EPOCH + datetime.timedelta(microseconds=dice.randrange(-4 * 10**14, 4 * 10**14))
    return {
        "id": number,
        "name": maybe(dice.choice(["", "a", "ab", "abc", "abd", "ünï", "z"]) + dice.choice(["", "x", "yy"])),
        "day": maybe(moment.date()),
        "at": maybe(moment),
        "price": maybe(Decimal(dice.randrange(-5000, 5000)) / 100),
        "ratio": maybe(dice.choice([-1.5, 0.0, -0.0, 2.25, float("nan"), float("inf")])),
    }


tables = {}
for number, (source, transform) in enumerate(
    [
        (1, "bucket[4]"),
        (1, "truncate[10]"),
        (2, "identity"),
        (2, "truncate[2]"),
        (3, "year"),
        (3, "month"),
        (4, "year"),
        (4, "day"),
        (4, "hour"),
        (5, "truncate[500]"),
        (2, "bucket[3]"),
    ]
):
    spec = PartitionSpec(PartitionField(source, 1000, parse_transform(transform), "part"))
    table = catalog.create_table(f"planned.t{number}", schema, partition_spec=spec)
    arrow = table.schema().as_arrow()
    for start in range(0, 24, 8):
        table.append(pa.Table.from_pylist([row(start + i) for i in range(8)], schema=arrow))
    tables[f"{transform} of {schema.find_column_name(source)}"] = table.metadata_location
print(json.dumps(tables))
