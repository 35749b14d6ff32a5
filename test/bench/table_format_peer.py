"""PyIceberg, and iceberg-rust by its Python package, at the cases of the bench `table-format`.

One case a process: its only argument is JSON, `{case, engine, rounds, ...}`; the last line on stdout is
`{"times": {name: {"ms": [of each round], "cpuMs": [of each round]}}, "peakMiB": number or null, "answer": {...}}`.
"""

import gc
import json
import sys
import time


def timed(rounds, work):
    """The result of the last round, and what each took."""
    times = {"ms": [], "cpuMs": []}
    result = None
    for _ in range(rounds):
        result = None
        # Garbage of the round before is nobody's time.
        gc.collect()
        start, start_cpu = time.perf_counter(), time.process_time()
        result = work()
        times["cpuMs"].append((time.process_time() - start_cpu) * 1000)
        times["ms"].append((time.perf_counter() - start) * 1000)
    return result, times


def peak_mib():
    """The most memory that this process had; Linux only."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


def static_table(metadata):
    from pyiceberg.table import StaticTable

    return StaticTable.from_metadata(metadata)


def open_table(request):
    if request["engine"] == "iceberg-rust":
        from pyiceberg_core.datafusion import IcebergDataFusionTable

        _, times = timed(request["rounds"], lambda: IcebergDataFusionTable(["bench", "t"], "file://" + request["metadata"], {}))
        return {"open": times}, {}

    def work():
        table = static_table(request["metadata"])
        return table, table.snapshot_by_id(int(request["snapshotId"]))

    (table, snapshot), times = timed(request["rounds"], work)
    return {"open": times}, {"snapshots": len(table.metadata.snapshots), "manifestList": snapshot.manifest_list}


def plan(request):
    table = static_table(request["metadata"])
    if request["engine"] == "iceberg-rust":
        from pyiceberg_core.manifest import read_manifest_entries

        # Its planner is not to be had from Python: this is the least that a plan of all files takes on one thread.
        paths = [manifest.manifest_path for manifest in table.current_snapshot().manifests(table.io)]

        def decode():
            files = 0
            for path in paths:
                with open(path, "rb") as file:
                    files += len(read_manifest_entries(file.read()).entries())
            return files

        files, times = timed(request["rounds"], decode)
        return {"plan": times}, {"files": files}

    row_filter = request["filter"]

    def work():
        scan = table.scan() if row_filter is None else table.scan(row_filter=row_filter)
        return list(scan.plan_files())

    tasks, times = timed(request["rounds"], work)
    return {"plan": times}, {"files": len(tasks), "records": sum(task.file.record_count for task in tasks)}


def append(request):
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    catalog = SqlCatalog("bench", uri="sqlite:///" + request["catalog"], warehouse=request["warehouse"])
    catalog.create_namespace("bench")
    table = catalog.register_table("bench.t", request["metadata"])

    def file(number):
        bounds = {1: number.to_bytes(8, "little")}
        data_file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"{table.location()}/data/appended-py-{number}.parquet",
            file_format=FileFormat.PARQUET,
            partition=Record(18_000),
            record_count=1000,
            file_size_in_bytes=1 << 20,
            column_sizes={1: 1000},
            value_counts={1: 1000},
            null_value_counts={1: 0},
            nan_value_counts={},
            lower_bounds=bounds,
            upper_bounds=bounds,
            key_metadata=None,
            split_offsets=None,
            equality_ids=None,
            sort_order_id=None,
        )
        data_file.spec_id = table.spec().spec_id
        return data_file

    number = 0

    def work():
        nonlocal number
        number += 1
        with table.transaction() as transaction:
            with transaction.update_snapshot().fast_append() as files:
                files.append_data_file(file(number))

    _, times = timed(request["rounds"], work)
    manifests = table.current_snapshot().manifests(table.io)
    files = sum(manifest.added_files_count + manifest.existing_files_count for manifest in manifests)
    answer = {"manifests": len(manifests), "files": files, "metadata": table.metadata_location}
    return {"append": times}, answer


def vector(request):
    from pyiceberg.table.deletion_vector import deletion_vectors_from_puffin_file
    from pyiceberg.table.puffin import PuffinFile

    def decode():
        with open(request["file"], "rb") as file:
            return deletion_vectors_from_puffin_file(PuffinFile(file.read()))

    (decoded,), decoding = timed(request["rounds"], decode)
    (bitmap,) = decoded._bitmaps
    asked = range(0, request["span"], request["step"])

    def lookup():
        hits = 0
        for position in asked:
            if position in bitmap:
                hits += 1
        return hits

    hits, looking = timed(request["rounds"], lookup)
    # As its own scan turns them into a filter; once, since it takes seconds.
    positions, listing = timed(1, decoded.to_vector)
    import pyarrow.compute as pc

    answer = {"positions": len(positions), "sum": str(pc.sum(positions).as_py()), "hits": hits}
    return {"decode": decoding, "lookup": looking, "positions": listing}, answer


CASES = {"open": open_table, "plan": plan, "append": append, "vector": vector}


def main():
    request = json.loads(sys.argv[1])
    times, answer = CASES[request["case"]](request)
    print(json.dumps({"times": times, "peakMiB": peak_mib(), "answer": answer}))


main()
