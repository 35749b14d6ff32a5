"""Reads Iceberg tables with Spark, and answers in the canonical form: `read_spark.py short|long <jar>...`.

A server as `read_table.py`: one JSON object a line on stdin is a request, one a line on stdout its answer. One process serves
many tables, because Spark takes seconds to start.

request: {id, table, snapshotId?, columns?, rows: bool} or {id, table, sql, rows: bool}, where `{table}` in `sql` is the table's
         name and `{catalog}` its catalog's, or {id, many: [{location: local metadata file, where?}]} for rows of many small tables at once
table:   {location: metadata file}, {folder}, both with `s3` in the request, or {jdbc: {uri, user?, password?}, catalog,
         table: "namespace.table"}
answer:  {id, columns, count, digest, lines?} or {id, many: [answer or {error}]} or {id, error}
"""

import hashlib
import json
import os
import re
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

os.environ["TZ"] = "UTC"
time.tzset()
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

from pyspark.sql import SparkSession

from canonical import canonical_lines

SPARK_TYPES = {
    "bigint": "long",
    # What Iceberg calls a timestamp with zone is Spark's usual one.
    "timestamp": "timestamptz",
    "timestamp_ntz": "timestamp",
}


# What is compiled less is done sooner.
SHORT_QUERIES = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def start(queries, jars):
    """One Spark in this process, for many `short` queries or few `long` ones. Catalogs are added to sessions later: see `Tables`."""
    return (
        SparkSession.builder.master("local[2]")
        .appName("readers")
        .config("spark.driver.extraClassPath", ":".join(jars))
        .config("spark.driver.memory", "1g")
        .config(map=SHORT_QUERIES if queries == "short" else {})
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .getOrCreate()
    )


class Tables:
    """Finds tables. Each catalog file has a session, since a catalog's name in Spark must be the one in the file."""

    def __init__(self, spark, scratch):
        self.spark = spark
        self.scratch = scratch
        self.sessions = {}
        self.registered = 0

    def find(self, request):
        """The session, the catalog's name, and the table's name in it."""
        table = request["table"]
        if "jdbc" in table:
            name = ".".join(f"`{part}`" for part in table["table"].split("."))
            return self.session(table["catalog"], table["jdbc"], None), table["catalog"], f"{table['catalog']}.{name}"
        # Without a catalog: one of our own that knows the metadata file.
        s3 = request.get("s3")
        file = os.path.join(self.scratch, f"{hashlib.sha256(json.dumps(s3).encode()).hexdigest()[:12]}.sqlite")
        session = self.session("located", {"uri": f"jdbc:sqlite:{file}"}, s3)
        self.registered += 1
        name = f"located.x.t{self.registered}"
        session.sql("CREATE NAMESPACE IF NOT EXISTS located.x")
        session.sql(f"CALL located.system.register_table('{name[8:]}', '{table['location']}')").collect()
        return session, "located", name

    def store_session(self, s3):
        """A session whose Hadoop reaches a store: Iceberg reads folders with Hadoop alone."""
        session = self.spark.newSession()
        for key, value in {
            # Tables of ours say s3://.
            "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "fs.s3a.endpoint": s3["endpoint"],
            "fs.s3a.endpoint.region": s3["region"],
            "fs.s3a.path.style.access": "true",
            "fs.s3a.access.key": s3["accessKeyId"],
            "fs.s3a.secret.key": s3["secretAccessKey"],
        }.items():
            session.conf.set(key, value)
        return session

    def session(self, catalog, jdbc, s3):
        key = (catalog, jdbc["uri"])
        if known := self.sessions.get(key):
            return known
        session = self.spark.newSession()
        prefix = f"spark.sql.catalog.{catalog}"
        session.conf.set(prefix, "org.apache.iceberg.spark.SparkCatalog")
        properties = {
            "type": "jdbc",
            "uri": jdbc["uri"],
            "jdbc.schema-version": "V1",
            "warehouse": self.scratch,
            # What is read must be what stands in the file now.
            "cache-enabled": "false",
        }
        properties |= {f"jdbc.{part}": jdbc[part] for part in ("user", "password") if part in jdbc}
        if s3:
            properties |= {
                "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
                "s3.endpoint": s3["endpoint"],
                "s3.path-style-access": "true",
                "s3.access-key-id": s3["accessKeyId"],
                "s3.secret-access-key": s3["secretAccessKey"],
                "client.region": s3["region"],
            }
        for name, value in properties.items():
            session.conf.set(f"{prefix}.{name}", value)
        self.sessions[key] = session
        return session


def rows(tables, request):
    """The rows that a request asks for, as a Spark data frame."""
    if folder := request["table"].get("folder"):
        return chosen(tables.store_session(request["s3"]).read.format("iceberg").load(folder), request)
    session, catalog, name = tables.find(request)
    if sql := request.get("sql"):
        return session.sql(sql.replace("{table}", name).replace("{catalog}", catalog))
    reader = session.read.format("iceberg")
    if snapshot := request.get("snapshotId"):
        reader = reader.option("snapshot-id", snapshot)
    return chosen(reader.load(name), request)


def chosen(frame, request):
    """The columns that a request names."""
    if columns := request.get("columns"):
        return frame.select(*[f"`{column}`" for column in columns])
    return frame


def read_many(tables, many):
    """The rows of each table: an answer, or an error of its own. Several at a time, as most of the time goes into planning."""

    def read(table):
        try:
            frame = tables.spark.read.format("iceberg").load(table["location"])
            return contents(frame.where(table["where"]) if "where" in table else frame, True)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    with ThreadPoolExecutor(max_workers=3) as pool:
        return {"many": list(pool.map(read, many))}


def answer(tables, request):
    """The answer to one request, without its id."""
    if "many" in request:
        return read_many(tables, request["many"])
    return contents(rows(tables, request), request["rows"])


def contents(frame, with_rows):
    """What an answer says of a data frame."""
    lines = canonical_lines(frame.toArrow())
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    columns = [{"name": f.name, "type": type_name(f.dataType.simpleString())} for f in frame.schema.fields]
    result = {"columns": columns, "count": len(lines), "digest": digest.hexdigest()}
    return result | {"lines": lines} if with_rows else result


def type_name(spark_type):
    """A Spark type in Iceberg's words. uuid is a string there, and fixed is binary."""
    if match := re.fullmatch(r"decimal\((\d+),(\d+)\)", spark_type):
        return f"decimal({match[1]}, {match[2]})"
    return SPARK_TYPES.get(spark_type, spark_type)


def main():
    # Whatever the libraries print must not end up among the answers.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="frazil-spark-") as scratch:
        os.chdir(scratch)
        spark = start(sys.argv[1], sys.argv[2:])
        tables = Tables(spark, scratch)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                result = answer(tables, request)
            except Exception as error:
                traceback.print_exc()
                result = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps({"id": request["id"]} | result, ensure_ascii=False) + "\n")
            answers.flush()
        spark.stop()


main()
