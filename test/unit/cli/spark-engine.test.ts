import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
let temporary: string;
beforeAll(() => {
  job = generatedJob("sqlite", 100);
  job.run();
  job.endAt(200);
  job.run();
  temporary = job.folder;
}, 240_000);
afterAll(() => job.remove());

/** Stands for Spark: writes down how it was called, and answers as told. */
function stub(name: string, body: string): string {
  const path = join(job.folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function bySpark(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return frazil([...args, "--engine", "spark", "--warehouse", job.warehouse, "--json"], { TMPDIR: temporary, ...env });
}

const logs = () => readdirSync(temporary).filter((name) => name.startsWith("frazil-spark-"));

it("prints the plan without Spark, and needs it for --yes", () => {
  const planned = bySpark(["compact", "shop.orders", "--min-files", "2"]);
  expect(planned.code, planned.stderr).toBe(0);
  expect(objects(planned.stdout)).toMatchObject([{ event: "plan", files: 2 }]);
  const none = bySpark(["compact", "shop.orders", "--min-files", "2", "--yes"]);
  expect(none).toMatchObject({ code: 78 });
  expect(none.stderr).toContain("no spark-submit is on PATH");
  const home = bySpark(["compact", "shop.orders", "--min-files", "2", "--yes"], { SPARK_HOME: "/nowhere" });
  expect(home).toMatchObject({ code: 78 });
}, 240_000);

it("refuses what does not go together, and catalogs that only Frazil commits to", () => {
  expect(job.at("compact", "shop.orders", "--master", "local")).toMatchObject({ code: 64 });
  expect(bySpark(["compact", "shop.orders", "--pace", "0.5"])).toMatchObject({ code: 64 });
  expect(bySpark(["expire", "shop.orders", "--spark-conf", "nothing"])).toMatchObject({ code: 64 });
  const secret = bySpark(["clean-orphans", "--all", "--spark-conf", "spark.hadoop.fs.s3a.secret.key=x"]);
  expect(secret).toMatchObject({ code: 64 });
  const hinted = generatedJob("object-store", 20);
  hinted.run();
  const refused = hinted.at("expire", "shop.orders", "--engine", "spark");
  expect(refused).toMatchObject({ code: 78 });
  expect(refused.stderr).toContain("a catalog of type object-store");
  hinted.remove();
}, 240_000);

it("hands Spark its calls in a file for this user alone, and tells what it answered", () => {
  const submit = stub(
    "submit",
    `here="$(dirname "$0")"
for last; do :; done
printf '%s\\n' "$@" > "$here/called"
folder="$(dirname "$last")"
ls -l "$folder" > "$here/listed"
cp "$folder/request.json" "$here/request"
printf '{"applicationId":"app-1"}\\n{"startedMs":1,"ms":5,"rows":[]}\\n{"done":true}\\n' > "$folder/results.jsonl"`,
  );
  const called = bySpark([
    ...["compact", "shop.orders", "--min-files", "2", "--yes", "--spark-submit", submit],
    ...["--master", "local[2]", "--spark-conf", "a.b=1", "--spark-conf", "c.d=x=y"],
  ]);
  expect(called.code, called.stderr).toBe(0);
  const args = readFileSync(join(job.folder, "called"), "utf8").split("\n");
  expect(args.slice(0, 10)).toEqual([
    ...["--master", "local[2]", "--deploy-mode", "client", "--name", "frazil compact shop.orders"],
    ...["--conf", "a.b=1", "--conf", "c.d=x=y"],
  ]);
  expect(readFileSync(join(job.folder, "listed"), "utf8")).toMatch(/-rw------- .* request\.json/);
  const request = JSON.parse(readFileSync(join(job.folder, "request"), "utf8")) as Record<string, unknown>;
  expect(request).toMatchObject({ calls: [{ table: "`frazil`.`shop`.`orders`" }] });
  // It answered that it has done nothing: the planned files are told to be there still.
  const [, left] = objects(called.stdout);
  expect(left).toMatchObject({ event: "compacted", snapshotId: null, filesBefore: 2, filesAfter: 0 });
  expect(logs()).toEqual([]);
}, 240_000);

it("ends with what Spark said, and keeps the log alone", () => {
  const early = stub("early", `echo 'Error: All masters are unresponsive! Giving up.' >&2; exit 1`);
  const gone = bySpark(["compact", "shop.orders", "--manifests", "--yes", "--spark-submit", early]);
  expect(gone).toMatchObject({ code: 69 });
  expect(gone.stderr).toContain("All masters are unresponsive");
  const [folder = ""] = logs();
  expect(readdirSync(join(temporary, folder))).toEqual(["spark.log"]);
  expect(statSync(join(temporary, folder, "spark.log")).mode & 0o777).toBe(0o600);
  const lost = stub(
    "lost",
    `for last; do :; done
printf '{"applicationId":"app-1"}\\n{"startedMs":1,"ms":5,"error":"x: 1 rewrite commits failed"}\\n{"done":true}\\n' > "$last"`,
  );
  const conflict = bySpark(["compact", "shop.orders", "--min-files", "2", "--yes", "--spark-submit", lost]);
  expect(conflict).toMatchObject({ code: 75 });
  expect(objects(conflict.stdout)).toHaveLength(2);
  expect(existsSync(join(temporary, folder))).toBe(true);
}, 240_000);
