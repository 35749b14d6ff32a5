"""Reads Iceberg tables with PyIceberg and with DuckDB's `iceberg` extension, and answers in one canonical form.

A server: one JSON object a line on stdin is a request, one a line on stdout its answer, in the order asked, until stdin
closes. `reader.ts` beside this file is its client and holds the shapes of both.

request: {id, reader: "pyiceberg" | "duckdb" | "pyarrow", table, snapshotId?, s3?, columns?, rows: bool, where? (DuckDB)} or
         {id, reader: "describe", table, s3?} for what PyIceberg says of the table's metadata or
         {id, reader: "plan", table, snapshotId?, filter} for the data files that PyIceberg plans for a filter (`filters.py`), and the
         rows that it gives, or
         {id, reader: "replace", table, gone: [key], added: [row]} to let PyIceberg delete rows by their keys and append others
table:   {location: folder or metadata file, local or s3://} or {uri, catalog, table, warehouse?} for an SQLite catalog,
         or {rest, table, properties?} for a REST catalog at that address (PyIceberg alone)
         or {files: [path]} for Parquet files as PyArrow reads them, as of no table (reader "pyarrow")
answer:  {id, ...} or {id, error}
"""

import hashlib
import importlib.util
import json
import os
import sys
import traceback

import pyarrow as pa
import pyarrow.parquet as pq

from canonical import canonical_lines, type_name
from filters import expression
from storage import s3_properties


def load_pyiceberg(request):
    """The PyIceberg table of a request."""
    table, properties = request["table"], s3_properties(request)
    if "location" in table:
        from pyiceberg.table import StaticTable

        return StaticTable.from_metadata(table["location"], properties)
    if "rest" in table:
        from pyiceberg.catalog.rest import RestCatalog

        properties |= table.get("properties", {})
        return RestCatalog("rest", uri=table["rest"], **properties).load_table(table["table"])
    from pyiceberg.catalog.sql import SqlCatalog

    # A reader must not add tables to the catalog's file: what is there is what the writer made.
    properties |= {"uri": table["uri"], "init_catalog_tables": "false"}
    if warehouse := table.get("warehouse"):
        properties["warehouse"] = warehouse
    catalog = SqlCatalog(table["catalog"], **properties)
    try:
        return catalog.load_table(table["table"])
    finally:
        catalog.engine.dispose()


def scan_pyiceberg(request):
    """The scan that a request asks for."""
    columns = request.get("columns")
    return load_pyiceberg(request).scan(
        row_filter=expression(request.get("filter", {"type": "true"})),
        selected_fields=tuple(columns) if columns else ("*",),
        snapshot_id=int(request["snapshotId"]) if "snapshotId" in request else None,
    )


def read_pyiceberg(request):
    """The rows as an Arrow table, and the columns' types in Iceberg's words."""
    scan = scan_pyiceberg(request)
    return scan.to_arrow(), [str(field.field_type) for field in scan.projection().fields]


class Duck:
    """One DuckDB for all requests. Its extensions come from wheels, so nothing is downloaded when it starts."""

    def __init__(self):
        import duckdb

        self.connection = duckdb.connect()
        for setting in (
            "autoinstall_known_extensions=false",
            "autoload_known_extensions=false",
            # A hint file that was just replaced must be read, not remembered.
            "enable_external_file_cache=false",
            "enable_progress_bar=false",
        ):
            self.connection.execute(f"SET {setting}")
        version = self.connection.execute("SELECT version()").fetchone()[0]
        # `iceberg` needs `avro` to be there first.
        for extension in ("avro", "httpfs", "iceberg"):
            package = importlib.util.find_spec(f"duckdb_extension_{extension}").submodule_search_locations[0]
            file = os.path.join(package, "extensions", version, f"{extension}.duckdb_extension")
            self.connection.execute(f"LOAD {quoted(file)}")
        self.connection.execute("SET TimeZone='UTC'")

    def read(self, request):
        """The rows as an Arrow table, and the columns' types in Iceberg's words."""
        if s3 := request.get("s3"):
            scheme, endpoint = s3["endpoint"].split("://")
            self.connection.execute(
                f"CREATE OR REPLACE SECRET store (TYPE s3, KEY_ID {quoted(s3['accessKeyId'])}, "
                f"SECRET {quoted(s3['secretAccessKey'])}, ENDPOINT {quoted(endpoint)}, REGION {quoted(s3['region'])}, "
                f"USE_SSL {scheme == 'https'}, URL_STYLE 'path')"
            )
        snapshot = f", snapshot_from_id={int(request['snapshotId'])}" if "snapshotId" in request else ""
        columns = ", ".join(f'"{name}"' for name in request.get("columns") or []) or "*"
        location = request["table"]["location"]
        where = request.get("where", "true")
        result = self.connection.execute(
            f"SELECT {columns} FROM iceberg_scan({quoted(location)}{snapshot}) WHERE {where}"
        )
        types = [type_name(str(column[1])) for column in result.description]
        return result.to_arrow_table(), types


def quoted(text):
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def read_pyarrow(request):
    """The rows of Parquet files as an Arrow table, and the columns' types in Arrow's words."""
    files = [pq.read_table(file, arrow_extensions_enabled=True) for file in request["table"]["files"]]
    table = pa.concat_tables(files)
    return table, [str(field.type) for field in table.schema]


def describe(request):
    """The metadata as PyIceberg understands it; ids as text, since JavaScript's numbers cannot hold them."""
    table = load_pyiceberg(request)
    metadata = table.metadata
    text = lambda id: None if id is None else str(id)
    return {
        "formatVersion": metadata.format_version,
        "location": metadata.location,
        "currentSnapshotId": text(metadata.current_snapshot_id),
        "properties": metadata.properties,
        "identifierFieldIds": list(metadata.schema().identifier_field_ids),
        "columns": [
            {"id": f.field_id, "name": f.name, "type": str(f.field_type), "required": f.required}
            for f in metadata.schema().fields
        ],
        "sortOrder": {
            "id": table.sort_order().order_id,
            "fields": [
                f"{f.transform}({metadata.schema().find_column_name(f.source_id)}) {f.direction} {f.null_order}"
                for f in table.sort_order().fields
            ],
        },
        "files": [
            {"path": task.file.file_path, "sortOrderId": task.file.sort_order_id} for task in table.scan().plan_files()
        ],
        "refs": {name: text(ref.snapshot_id) for name, ref in metadata.refs.items()},
        "snapshots": [
            {
                "snapshotId": text(s.snapshot_id),
                "parentSnapshotId": text(s.parent_snapshot_id),
                "sequenceNumber": text(s.sequence_number),
                "operation": s.summary.operation.value if s.summary else None,
                "summary": dict(s.summary.additional_properties) if s.summary else {},
            }
            for s in metadata.snapshots
        ],
    }


def replace(request):
    """Writes with PyIceberg: an append, a delete, or an overwrite of the rows with some keys."""
    from pyiceberg.expressions import AlwaysFalse, And, EqualTo, Or

    table = load_pyiceberg(request)
    gone = AlwaysFalse()
    for key in request["gone"]:
        parts = [EqualTo(name, value) for name, value in key.items()]
        gone = Or(gone, And(*parts) if len(parts) > 1 else parts[0])
    added = pa.Table.from_pylist(request["added"], schema=table.schema().as_arrow())
    if not request["gone"]:
        table.append(added)
    elif not request["added"]:
        table.delete(gone)
    else:
        table.overwrite(added, overwrite_filter=gone)
    return {}


duck = None


def answer(request):
    """The answer to one request, without its id."""
    global duck
    if request["reader"] == "describe":
        return describe(request)
    if request["reader"] == "plan":
        scan = scan_pyiceberg(request)
        return {"files": [task.file.file_path for task in scan.plan_files()], "lines": canonical_lines(scan.to_arrow())}
    if request["reader"] == "replace":
        return replace(request)
    if request["reader"] == "pyiceberg":
        table, types = read_pyiceberg(request)
    elif request["reader"] == "pyarrow":
        table, types = read_pyarrow(request)
    else:
        duck = duck or Duck()
        table, types = duck.read(request)
    lines = canonical_lines(table)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    columns = [{"name": name, "type": type} for name, type in zip(table.column_names, types)]
    result = {"columns": columns, "count": len(lines), "digest": digest.hexdigest()}
    return result | {"lines": lines} if request["rows"] else result


def main():
    # Whatever the libraries print must not end up among the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = answer(request)
        except Exception as error:
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps({"id": request["id"]} | result, ensure_ascii=False) + "\n")
        answers.flush()


main()
