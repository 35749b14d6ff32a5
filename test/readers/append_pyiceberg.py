"""Appends the rows of Parquet files to a new table with PyIceberg, a commit a file, and prints how many milliseconds each took."""

import json
import os
import sys
import time

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from storage import s3_properties

request = json.loads(sys.argv[1])
if not request.get("s3"):
    os.makedirs(request["warehouse"].removeprefix("file://"), exist_ok=True)
catalog = SqlCatalog("bench", uri=request["uri"], warehouse=request["warehouse"], **s3_properties(request))
catalog.create_namespace("bench")
tables = [pq.read_table(file) for file in request["files"]]
table = catalog.create_table("bench.a", schema=tables[0].schema)
took = []
for rows in tables:
    start = time.perf_counter()
    table.append(rows)
    took.append((time.perf_counter() - start) * 1000)
found = sum(file["record_count"] for file in table.inspect.files().to_pylist())
expected = sum(rows.num_rows for rows in tables)
if found != expected:
    raise SystemExit(f"expected {expected} rows, found {found}")
print(json.dumps(took))
