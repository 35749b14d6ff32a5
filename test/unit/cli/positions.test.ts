import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frazil } from "./frazil.ts";
import { type GeneratedJob, generatedJob, objects } from "./generated-job.ts";

let job: GeneratedJob;
beforeAll(() => {
  job = generatedJob("object-store", 200);
  job.run();
}, 60_000);
afterAll(() => job.remove());

const positions = (...args: string[]) => frazil(["positions", ...args]);
const resume = () => objects(positions("show", job.path).stdout).map(({ position }) => position);
const rowsOf = (table: string) => job.at("query", `SELECT * FROM ${table}`).stdout.split("\n").sort();

describe("positions set", () => {
  it("prints its plan, acts with --yes alone, and the next run reads from there", () => {
    const orders = rowsOf("shop.orders");
    const planned = positions("set", job.path, "generator/0=40");
    expect([planned.code, planned.stderr]).toEqual([0, "nothing is changed yet: --yes does it\n"]);
    expect(objects(planned.stdout)).toEqual([
      { event: "plan", split: "generator/0", from: "100", to: "40", effect: "repeats", messages: 60 },
      expect.objectContaining({ event: "warning", table: "shop.order_events", mode: "append" }),
    ]);
    expect(resume()).toEqual(["100", "100"]);
    expect(positions("set", job.path, "generator/0=40", "--yes").code).toBe(0);
    expect(resume()).toEqual(["40", "100"]);
    expect(rowsOf("shop.orders")).toEqual(orders);
    job.run();
    expect(resume()).toEqual(["100", "100"]);
    expect(rowsOf("shop.orders")).toEqual(orders);
    expect(job.at("verify", "--all").code).toBe(0);
  }, 60_000);

  it.each([
    [["generator/0=101"], 64, "ends at 100"],
    [["generator/0=x"], 64, "is no point of generator/0"],
    [["generator/9=1"], 64, "did you mean"],
    [["generator/0"], 64, "expected <split>=<point>"],
    [[], 64, "missing required argument"],
  ])("refuses %j", (points, code, message) => {
    const called = positions("set", job.path, ...points, "--yes");
    expect([called.code, called.stdout]).toEqual([code, ""]);
    expect(called.stderr).toContain(message);
  });
});

describe("positions reset", () => {
  it("goes to an end of the source, and the rows stay", () => {
    expect(objects(positions("reset", job.path).stdout).map(({ to }) => to)).toEqual(["0", "0", undefined]);
    expect(positions("reset", job.path, "--to", "middle").code).toBe(64);
    expect(positions("reset", job.path, "--to", "earliest", "--yes").code).toBe(0);
    expect(resume()).toEqual(["0", "0"]);
    expect(positions("reset", job.path, "--to", "latest", "--yes").code).toBe(0);
    expect(resume()).toEqual(["100", "100"]);
  }, 60_000);
});
