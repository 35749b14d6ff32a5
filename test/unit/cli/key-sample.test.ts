import { describe, expect, it } from "vitest";
import { sampleKeys } from "../../../src/cli/key-sample.ts";
import { CHECK_SAMPLE_ROWS } from "../../../src/core/limits.ts";
import { RuleRouter } from "../../../src/sink/layout/router.ts";
import { change, upsertRule } from "../../support/checkpoints.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const story = (...texts: string[]): ScriptedChange[] => texts.map((text) => change("a", text));

function sample(splits: Readonly<Record<string, readonly ScriptedChange[]>>, rule = upsertRule("a")) {
  const router = new RuleRouter([rule, upsertRule("b")], new Map());
  const { clock, random } = virtualRuntime(7);
  return sampleKeys(scriptSource(new Map(Object.entries(splits)), router, random), router, clock);
}

describe("a sample of keys", () => {
  it("names a key that lies in two splits, also where it is deleted in one", async () => {
    const found = await sample({ "t/0": story("+1:x:1", "+2:x:2"), "t/1": story("+3:x:3", "-2") });
    expect(found.shared).toMatchObject({
      target: "shop.a",
      key: "id=2",
      splits: expect.arrayContaining(["t/0", "t/1"]),
    });
  });

  it("says nothing of keys in one split each, of other tables' keys, and of tables without a key", async () => {
    const other = [change("b", "+1:x:1")];
    expect(await sample({ "t/0": story("+1:x:1", "~1:x:2", "!"), "t/1": story("+3:x:3", "!"), "u/0": other })).toEqual({
      changes: 6,
      shared: null,
    });
    const both = { "t/0": story("+1:x:1"), "t/1": story("+1:x:1") };
    expect((await sample(both, upsertRule("a", { mode: "append", key: null }))).shared).toBeNull();
    expect((await sample(both, upsertRule("a", { key: ["id", "part"] }))).shared).toMatchObject({
      key: "id=1, part=x",
    });
    expect(await sample({})).toEqual({ changes: 0, shared: null });
    expect(await sample({ "t/0": [] })).toEqual({ changes: 0, shared: null });
  });

  it("looks at the first rows of each split only", async () => {
    const long = (from: number) =>
      Array.from({ length: CHECK_SAMPLE_ROWS + 50 }, (_, row) => change("a", `+${from + row}:x:1`));
    const splits = { "t/0": [...long(0), ...story("+9999:x:1")], "t/1": [...story("+9999:x:1"), ...long(5_000)] };
    expect(await sample(splits)).toEqual({ changes: 2 * CHECK_SAMPLE_ROWS, shared: null });
  });
});
