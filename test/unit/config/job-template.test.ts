import { describe, expect, it } from "vitest";
import { jobShape } from "../../../src/config/json-schema.ts";
import { jobTemplate, sourceShapes } from "../../../src/config/job-template.ts";
import { lintJob } from "../../../src/config/lint.ts";
import { loadJob } from "../../../src/config/load.ts";
import { SOURCES, sourceTraits } from "../../../src/registry.ts";

const shape = jobShape(SOURCES);

describe.each([...sourceShapes(shape).keys()])("the template of a %s job", (type) => {
  const text = jobTemplate(shape, type);

  it("lints clean", () => {
    const { findings, value: job } = lintJob(text, {}, SOURCES, sourceTraits);
    expect(findings).toEqual([]);
    expect(job?.source.type).toBe(type);
  });

  it("shows defaults as they are: setting them changes nothing", () => {
    const written = text
      .split("\n")
      // What has no default is shown by an example, which may change much.
      .map((line) => line.replace(/^(\s*)#(?=(memory|start|on_lost|schema_|format_v|seed|events|splits|tls))/, "$1"))
      .join("\n");
    expect(written).not.toBe(text);
    expect(loadJob(written, "job.yaml", {}, SOURCES)).toEqual(loadJob(text, "job.yaml", {}, SOURCES));
  });

  it("has every setting in a form that is accepted", () => {
    const written = text
      .replaceAll(/^(\s*)#(?=\S)/gm, "$1")
      // A folder takes no s3 block.
      .replace("location: ./warehouse", "location: s3://lake/w")
      // An upsert table takes no dedupe.
      .replace(/^ *dedupe: .*\n/m, "")
      .replace("catalog: { type: sqlite }", "catalog: { type: object-store }");
    expect(loadJob(written, "job.yaml", {}, SOURCES).warehouse.s3.region).toBe("us-east-1");
  });
});
