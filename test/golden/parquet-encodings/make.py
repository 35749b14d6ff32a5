"""Writes the Parquet files beside it with PyArrow 26.0.1: `make.py <folder>`. All hold the same 40 rows and Iceberg's
field ids; they differ in encodings, page versions and codecs, which their names say, and pages have a checksum unless it is `unchecked`.
"""

import decimal
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def field(name, kind, id, **options):
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(id)}, **options)


point = pa.struct([field("x", pa.int32(), 7), field("y", pa.list_(field("element", pa.string(), 9)), 8)])
schema = pa.schema(
    [
        field("id", pa.int64(), 1, nullable=False),
        field("small", pa.int32(), 2),
        field("name", pa.string(), 3),
        field("flag", pa.bool_(), 4),
        field("ratio", pa.float64(), 5),
        field("point", point, 6),
        field("tags", pa.map_(field("key", pa.string(), 11, nullable=False), field("value", pa.int64(), 12)), 10),
        field("total", pa.decimal128(20, 3), 13),
        field("lists", pa.list_(field("element", pa.list_(field("element", pa.int32(), 16)), 15)), 14),
    ]
)


def row(i):
    none = i % 5 == 4
    return {
        "id": i * 1_000_003 - 5,
        "small": None if none else i % 3 - 1,
        "name": None if i % 7 == 3 else f"name-{i // 4}",
        "flag": None if none else i % 2 == 0,
        "ratio": None if none else i / 8,
        "point": None if i % 6 == 5 else {"x": i if i % 4 else None, "y": [None, [], ["a", None], ["b"]][i % 4]},
        "tags": None if none else [(f"k{k}", None if k == 1 else i * k) for k in range(i % 4)],
        "total": None if none else decimal.Decimal(i - 20) / 8,
        "lists": [None, [], [[]], [None, [1, None], [i]]][i % 4],
    }


table = pa.Table.from_pylist([row(i) for i in range(40)], schema=schema)
shared = dict(row_group_size=25, store_schema=False, use_compliant_nested_type=True)
files = {
    "plain-v1": dict(use_dictionary=False, compression="none", data_page_version="1.0"),
    "plain-v2": dict(use_dictionary=False, compression="none", data_page_version="2.0"),
    "dictionary-v1-snappy": dict(compression="snappy", data_page_version="1.0"),
    "dictionary-v2-zstd": dict(compression="zstd", data_page_version="2.0"),
    "delta-v2-gzip": dict(
        use_dictionary=False,
        compression="gzip",
        data_page_version="2.0",
        column_encoding={
            "id": "DELTA_BINARY_PACKED",
            "small": "DELTA_BINARY_PACKED",
            "name": "DELTA_BYTE_ARRAY",
            "flag": "RLE",
            "ratio": "BYTE_STREAM_SPLIT",
            "total": "BYTE_STREAM_SPLIT",
            "tags.key_value.key": "DELTA_LENGTH_BYTE_ARRAY",
            "lists.list.element.list.element": "DELTA_BINARY_PACKED",
        },
    ),
    "delta-v1-none": dict(
        use_dictionary=False,
        compression="none",
        data_page_version="1.0",
        column_encoding={
            "id": "DELTA_BINARY_PACKED",
            "small": "BYTE_STREAM_SPLIT",
            "name": "DELTA_LENGTH_BYTE_ARRAY",
            "total": "DELTA_BYTE_ARRAY",
        },
    ),
}
for name, options in files.items():
    for end, checksum in (("", True), ("-unchecked", False)):
        pq.write_table(table, f"{sys.argv[1]}/{name}{end}.parquet", write_page_checksum=checksum, **shared, **options)
