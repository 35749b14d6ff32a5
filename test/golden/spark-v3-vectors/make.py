"""Writes the files of this folder: a partitioned v3 table of Spark with deletion vectors, and the rows that Spark reads in each snapshot.

usage: make.py FOLDER JARS   (JARS: a folder with iceberg-spark-runtime-4.0_2.13-1.11.0.jar)
"""

import glob
import json
import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession

out, jars = Path(sys.argv[1]), sys.argv[2]
warehouse = Path("/tmp/golden-warehouse")
shutil.rmtree(warehouse, ignore_errors=True)
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.extraClassPath", ":".join(glob.glob(f"{jars}/*.jar")))
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.g", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.g.type", "hadoop")
    .config("spark.sql.catalog.g.warehouse", str(warehouse))
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.sql(
    "CREATE TABLE g.s.t (id BIGINT, name STRING, at TIMESTAMP) PARTITIONED BY (bucket(2, id), day(at)) TBLPROPERTIES ("
    "'format-version'='3', 'write.delete.mode'='merge-on-read', 'commit.manifest.min-count-to-merge'='3')"
)
day = "TIMESTAMP'2026-11-20 10:00:00'"
insert = lambda low, high: f"INSERT INTO g.s.t SELECT id, concat('n', id), {day} FROM range({low}, {high})"
for statement in [
    insert(0, 100),
    "DELETE FROM g.s.t WHERE id % 10 = 3",
    insert(100, 140),
    "DELETE FROM g.s.t WHERE id % 10 = 4 OR id = 120",
    "CALL g.system.rewrite_manifests('s.t')",
    "DELETE FROM g.s.t WHERE id >= 100",
    insert(200, 203),
]:
    spark.sql(statement)

snapshots = [row.snapshot_id for row in spark.sql("SELECT snapshot_id FROM g.s.t.snapshots ORDER BY committed_at").collect()]
rows = {}
for snapshot in snapshots:
    found = spark.sql(f"SELECT _file, _pos, _row_id FROM g.s.t VERSION AS OF {snapshot}").collect()
    rows[str(snapshot)] = sorted([Path(row._file).name, row._pos, row._row_id] for row in found)
text = ",\n".join(f"{json.dumps(snapshot)}: {json.dumps(each, separators=(',', ':'))}" for snapshot, each in rows.items())
(out / "rows.json").write_text("{\n" + text + "\n}\n")
table = warehouse / "s" / "t"
newest = max(table.glob("metadata/v*.metadata.json"), key=lambda path: int(path.name[1:].split(".")[0]))
shutil.copy(newest, out / "table.metadata.json")
for path in [*table.glob("metadata/*.avro"), *table.glob("data/**/*.puffin")]:
    shutil.copy(path, out)
