"""Writes the files of this folder: a partitioned table of PyIceberg in v1 and one in v2, and what PyIceberg reads in them."""

import datetime as dt
import json
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, TruncateTransform
from pyiceberg.types import DateType, DecimalType, LongType, NestedField, StringType, TimestamptzType

warehouse = Path("/tmp/golden-warehouse")
shutil.rmtree(warehouse, ignore_errors=True)
warehouse.mkdir()
catalog = SqlCatalog("golden", uri=f"sqlite:///{warehouse}/c.sqlite", warehouse=f"file://{warehouse}")
catalog.create_namespace("g")
schema = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "day", DateType(), required=False),
    NestedField(3, "at", TimestamptzType(), required=False),
    NestedField(4, "price", DecimalType(9, 2), required=False),
    NestedField(5, "name", StringType(), required=False),
)
spec = PartitionSpec(
    PartitionField(2, 1000, IdentityTransform(), "day"),
    PartitionField(3, 1001, DayTransform(), "at_day"),
    PartitionField(4, 1002, IdentityTransform(), "price"),
    PartitionField(5, 1003, TruncateTransform(3), "name_trunc"),
    PartitionField(1, 1004, BucketTransform(4), "id_bucket"),
)
day = dt.date(2026, 11, 20)
at = dt.datetime(1969, 12, 31, 23, tzinfo=dt.timezone.utc)

for version in ("1", "2"):
    out = Path(sys.argv[1]) / f"v{version}"
    out.mkdir()
    table = catalog.create_table(f"g.v{version}", schema, partition_spec=spec, properties={"format-version": version})
    types = table.schema().as_arrow()
    rows = lambda *ids: pa.Table.from_pylist(
        [{"id": i, "day": day if i % 2 else None, "at": at, "price": Decimal("-12.34"), "name": "grüße"} for i in ids], types
    )
    table.append(rows(1, 2, 9007199254740993))
    table.append(rows(4))
    table.delete("id == 4")
    table.delete("id == 1")
    table.append(rows(7))

    entries = []
    for snapshot in table.snapshots():
        for manifest in snapshot.manifests(table.io):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                f = entry.data_file
                entries.append({
                    "snapshot": str(snapshot.snapshot_id), "manifest": os.path.basename(manifest.manifest_path),
                    "status": entry.status.name.lower(), "snapshotId": str(entry.snapshot_id),
                    "sequenceNumber": str(entry.sequence_number), "fileSequenceNumber": str(entry.file_sequence_number),
                    "path": f.file_path, "records": str(f.record_count), "size": str(f.file_size_in_bytes),
                    "partition": [None if v is None else str(v) for v in (f.partition[i] for i in range(5))],
                    "lower": {str(k): v.hex() for k, v in sorted((f.lower_bounds or {}).items())},
                    "nulls": {str(k): str(v) for k, v in sorted((f.null_value_counts or {}).items())},
                })
    (out / "entries.json").write_text(json.dumps(entries, indent=1) + "\n")
    metadata = Path(table.location().removeprefix("file://")) / "metadata"
    for path in metadata.glob("*.avro"):
        shutil.copy(path, out)
    shutil.copy(table.metadata_location.removeprefix("file://"), out / "table.metadata.json")
