/**
 * The program that Spark runs: `frazil_calls.py <request.json> <results.jsonl>`. It knows nothing of tables, only calls.
 *
 * A call that lost against another commit is tried again: Iceberg's procedures give up when rows of a file that they rewrite were
 * deleted meanwhile. A line of the results is written when a call is done, so that a killed application still tells what it did.
 */
export const SPARK_SCRIPT = `"""Runs Iceberg's procedures one after the other, and writes down what they report."""

import json
import sys
import time

from pyspark.sql import SparkSession

CONFLICTS = ("ValidationException", "CommitFailedException", "rewrite commits failed")


def committed(spark, table):
    """Whether this application has committed to the table."""
    app = spark.sparkContext.applicationId
    return spark.sql(f"SELECT 1 FROM {table}.snapshots WHERE summary['app-id'] = '{app}' LIMIT 1").count() > 0


def run(spark, call, request):
    """The rows that a procedure reports, or the error of the last attempt."""
    if "files" in call:
        frame = spark.createDataFrame([(file,) for file in call["files"]], "file_path string")
        # Whether they are old enough has been decided file by file.
        frame.selectExpr("file_path", "timestamp_millis(0) AS last_modified").createOrReplaceTempView(request["view"])
    attempts = request["attempts"]
    for attempt in range(1, attempts + 1):
        try:
            return {"rows": [row.asDict() for row in spark.sql(call["sql"]).collect()]}
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            conflict = any(word in text for word in CONFLICTS)
            if attempt == attempts or not conflict or (call.get("redoes") and committed(spark, call["table"])):
                return {"error": text}
            print(f"attempt {attempt} of {attempts} lost against another commit: {call['sql']}", file=sys.stderr)
            time.sleep(attempt)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as results:

        def tell(record):
            results.write(json.dumps(record) + "\\n")
            results.flush()

        builder = SparkSession.builder
        for key, value in request["conf"].items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        tell({"applicationId": spark.sparkContext.applicationId})
        for call in request["calls"]:
            started = time.time()
            result = run(spark, call, request)
            tell({"startedMs": int(started * 1000), "ms": int((time.time() - started) * 1000)} | result)
        tell({"done": True})
        spark.stop()


main()
`;
