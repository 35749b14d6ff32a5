import { type ErrorKind, FrazilError } from "../../core/errors.ts";

interface Known {
  readonly pattern: RegExp;
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string;
}

const PACKAGES =
  "give Spark Iceberg's runtime for its version and SQLite's driver: --spark-conf spark.jars.packages=org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0,org.xerial:sqlite-jdbc:3.50.3.0";

/** What Spark says, and what it means for whoever called. The first that matches holds. */
const KNOWN: readonly Known[] = [
  {
    pattern:
      /ClassNotFoundException.*iceberg|Cannot find catalog plugin class|No suitable driver|Cannot initialize JDBC/,
    ...{ kind: "config", code: "SPARK_PACKAGES", hint: PACKAGES },
  },
  {
    pattern: /Could not parse Master URL|Master must either be|Unrecognized option|requirement failed: .*master/i,
    ...{ kind: "config", code: "SPARK_MASTER", hint: "write --master spark://host:7077, yarn, k8s://… or local[4]" },
  },
  {
    pattern: /No module named 'pyspark'|Cannot run program "python|Python worker failed to connect/,
    ...{ kind: "config", code: "SPARK_PYTHON", hint: "set PYSPARK_PYTHON to a Python 3 that Spark can use" },
  },
  {
    pattern: /All masters are unresponsive|Failed to connect to master|UnknownHostException|Connection refused/,
    ...{ kind: "unavailable", code: "SPARK_UNAVAILABLE", hint: "look whether the cluster runs and can be reached" },
  },
  {
    pattern: /ValidationException|CommitFailedException|rewrite commits failed|Still referenced by refs/,
    kind: "conflict",
    code: "SPARK_CONFLICT",
    hint: "jobs deleted rows of these files or committed first; run it again, or leave out --engine spark: Frazil's own engine loses against no job",
  },
  {
    pattern: /No space left on device|Disk quota exceeded/,
    ...{ kind: "io", code: "SPARK_DISK", hint: "make room where Spark writes" },
  },
  {
    pattern: /AccessDenied|AccessControlException|Permission denied|AccessDeniedException/,
    ...{ kind: "permission", code: "SPARK_PERMISSION", hint: "look at the rights of whoever runs Spark" },
  },
];

/** How long a line of Spark's may be in a message. */
const LINE_CHARACTERS = 400;

/**
 * Spark's complaint as an error of ours, which names its essential line and where the rest is.
 *
 * @param said the text of an exception, or the end of the log where Spark did not come so far
 */
export function sparkFailure(said: string, logPath: string): FrazilError {
  const known = KNOWN.find(({ pattern }) => pattern.test(said));
  const where = `the whole log is ${logPath}`;
  return new FrazilError(
    known?.kind ?? "unavailable",
    known?.code ?? "SPARK_FAILED",
    `Spark failed: ${essentialLine(said, known?.pattern)}`,
    { hint: known === undefined ? where : `${known.hint}; ${where}` },
  );
}

/** The line that tells why: one that is known, else the innermost cause, else the first that names an error, else the last. */
function essentialLine(said: string, known: RegExp | undefined): string {
  const lines = said
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const line =
    lines.find((each) => known?.test(each)) ??
    lines.findLast((each) => each.startsWith("Caused by: ")) ??
    lines.find((each) => /(?:Exception|Error|error): ?\S/.test(each)) ??
    lines.at(-1) ??
    "it said nothing";
  return line.replace(/^Caused by: /, "").slice(0, LINE_CHARACTERS);
}
