import { grouped } from "../../../src/core/count-text.ts";
import { describe, expect, it } from "vitest";
import { errorReport, jsonLine, sizeText, tableText } from "../../../src/cli/output.ts";
import { EXIT, FrazilError } from "../../../src/core/errors.ts";

it("aligns columns by what a terminal shows", () => {
  const text = tableText(
    [
      { name: "name", align: "left" },
      { name: "rows", align: "right" },
    ],
    [
      ["日本", "1"],
      ["é", "12 345"],
    ],
  );
  expect(text).toBe("name    rows\n────  ──────\n日本       1\né     12 345\n");
});

it("keeps integers exact in JSON", () => {
  expect(jsonLine({ a: 1n, b: 9007199254740993n, c: null, d: undefined, e: ["x"] })).toBe(
    '{"a":1,"b":"9007199254740993","c":null,"e":["x"]}\n',
  );
});

it("writes numbers for people", () => {
  expect([grouped(0), grouped(999), grouped(1000), grouped(-4_210_333n)]).toEqual(["0", "999", "1 000", "-4 210 333"]);
  expect([sizeText(0n), sizeText(1023n), sizeText(1536n), sizeText(5n * 1024n ** 3n)]).toEqual([
    "0 B",
    "1023 B",
    "1.5 KiB",
    "5.0 GiB",
  ]);
});

describe("an error", () => {
  const plain = { color: false, verbose: false };

  it("is a code, a message and a hint, and decides the exit code", () => {
    const error = new FrazilError("fenced", "FENCED", "epoch 4 has taken over", { hint: "do not restart" });
    expect(errorReport(error, plain)).toEqual({
      text: "error FENCED: epoch 4 has taken over\nhint: do not restart\n",
      fields: { code: "FENCED", kind: "fenced", error: "epoch 4 has taken over", hint: "do not restart", exitCode: 76 },
      exitCode: EXIT.fenced,
    });
    expect(errorReport(error, { color: true, verbose: false }).text).toContain("\u001b[1;31merror\u001b[0m FENCED");
  });

  it("of no class of ours is a bug", () => {
    const { text, exitCode } = errorReport(new TypeError("x is undefined"), plain);
    expect(exitCode).toBe(EXIT.internal);
    expect(text).toMatch(/^error INTERNAL: x is undefined\nhint: this is a bug/);
  });

  it("tells its causes when asked", () => {
    const error = new FrazilError("io", "DISK", "full", { cause: new Error("ENOSPC") });
    expect(errorReport(error, { color: false, verbose: true }).text).toMatch(/Error: full[^]*Error: ENOSPC/);
    expect(errorReport(error, plain).text).not.toContain("ENOSPC");
  });
});
