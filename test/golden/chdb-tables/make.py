"""Writes the tables of this folder with chDB (ClickHouse in a process), and the rows that it reads in each of their snapshots.

usage: make.py FOLDER   (with `pip install chdb==4.4.0 pyarrow==26.0.1`; `canonical.py` of `test/readers` on PYTHONPATH)
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from canonical import canonical_lines
from chdb import session

out = Path(sys.argv[1]).resolve()
root = Path(tempfile.mkdtemp(prefix="chdb-tables-"))
# It writes within the folder it runs in alone.
os.chdir(root)
chdb = session.Session(str(root / "session"))

COLUMNS = (
    "id Int64, name Nullable(String), n Nullable(Int32), f Nullable(Float64), d Nullable(Date32), at Nullable(DateTime64(6)), "
    "dec Nullable(Decimal(9, 2)), l Array(Nullable(Int32)), m Map(String, Nullable(Int64))"
)
TABLES = {
    # Rows deleted and changed on read, and columns that change.
    "plain": [
        f"CREATE TABLE t ({COLUMNS}) ENGINE=IcebergLocal('{{place}}')",
        "INSERT INTO t VALUES (1, 'a', 1, 0.5, '2024-02-29', '2024-02-29 12:00:00.000001', 1.25, [1, NULL], {'k': 1}), "
        "(2, NULL, NULL, NULL, NULL, NULL, NULL, [], {})",
        "INSERT INTO t VALUES (3, 'ünï', 3, -1, '1969-12-31', '1969-12-31 23:59:59.999999', -1.25, [3], {'ü': NULL}), "
        "(4, '', -2147483648, 1e300, '2026-01-01', '2026-01-01 00:00:00', 9999999.99, [], {})",
        "ALTER TABLE t DELETE WHERE id = 1",
        "ALTER TABLE t UPDATE name = 'zwei' WHERE id = 2",
        "ALTER TABLE t ADD COLUMN extra Nullable(String)",
        "ALTER TABLE t MODIFY COLUMN n Nullable(Int64)",
        "INSERT INTO t (id, n, extra) VALUES (5, 9007199254740993, 'more')",
        "ALTER TABLE t DROP COLUMN f",
        "INSERT INTO t (id, name) VALUES (6, 'last')",
    ],
    "partitioned": [
        "CREATE TABLE t (id Int64, name Nullable(String), d Date32) ENGINE=IcebergLocal('{place}') "
        "PARTITION BY (icebergBucket(3, id), toYearNumSinceEpoch(d))",
        "INSERT INTO t SELECT number, concat('n', toString(number % 3)), toDate32('2024-02-29') + number * 100 FROM numbers(12)",
        "ALTER TABLE t DELETE WHERE id % 5 = 0",
        "INSERT INTO t VALUES (20, NULL, '1970-01-01')",
        "ALTER TABLE t UPDATE name = 'new' WHERE id % 4 = 1",
    ],
    "identities": [
        "CREATE TABLE t (id Int64, name String, at DateTime64(6)) ENGINE=IcebergLocal('{place}') "
        "PARTITION BY (name, icebergTruncate(10, id), toRelativeDayNum(at))",
        "INSERT INTO t VALUES (1, 'a', '2024-02-29 12:00:00'), (13, 'ü', '2024-03-01 00:00:00'), (14, 'ü', '2024-03-01 01:00:00')",
        "INSERT INTO t VALUES (2, 'b', '2024-02-29 12:00:00.5')",
    ],
}


def rows(sql):
    lines = canonical_lines(pa.ipc.open_file(pa.py_buffer(chdb.query(sql, "Arrow").bytes())).read_all())
    # The columns have no zone, and what it reads of them has always one.
    return [line.replace('+00:00"', '"') for line in lines]


for setting in ("allow_experimental_insert_into_iceberg=1", "allow_insert_into_iceberg=1", "mutations_sync=2"):
    chdb.query(f"SET {setting}")
chdb.query("SET session_timezone='UTC'")
for name, statements in TABLES.items():
    place = root / name
    for statement in statements:
        chdb.query(statement.replace("{place}", f"{place}/"))
    chdb.query("DROP TABLE t")
    newest = max(place.glob("metadata/v*.metadata.json"), key=lambda path: int(path.name[1:].split(".")[0]))
    ids = [snapshot["snapshot-id"] for snapshot in json.loads(newest.read_text())["snapshots"]]
    found = {str(id): rows(f"SELECT * FROM icebergLocal('{place}/') SETTINGS iceberg_snapshot_id={id}") for id in ids}
    found["head"] = rows(f"SELECT * FROM icebergLocal('{place}/')")
    target = out / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(newest, target / "table.metadata.json")
    for path in [*place.glob("metadata/*.avro"), *place.glob("data/**/*.parquet")]:
        shutil.copy(path, target)
    (target / "rows.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
shutil.rmtree(root)
