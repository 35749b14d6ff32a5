import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { defaultPolicies, loadPolicies } from "../../../src/config/policies.ts";
import { lintPolicies, looksLikePolicies } from "../../../src/config/lint.ts";
import { tasksByPattern } from "../../../src/maintenance/service/service.ts";

const load = (text: string) => loadPolicies(text, "maintain.yaml", { KEEP: "3d" });

it("gives each table the tasks of the first entry that matches its name", () => {
  const { policies, concurrency, leaseMs, warehouse } = load(`policies:
  - { tables: "shop.*_events", compact: { every: 5m } }
  - { tables: "shop.?", expire: { keep: "\${KEEP}" } }
  - { tables: "*.orders", tag: [{ name: daily, cron: "0 0 * * *" }], compact: {} }
`);
  expect([concurrency, leaseMs, warehouse]).toEqual([2, 30_000, null]);
  const tasksOf = tasksByPattern(policies);
  const kinds = (...names: [string, string]) =>
    tasksOf({ namespace: [names[0]], name: names[1] }).map((task) => [task.kind, task.schedule]);
  expect(kinds("shop", "order_events")).toEqual([["compact", { everyMs: 300_000 }]]);
  expect(kinds("shop", "a")).toEqual([["expire", { everyMs: 3_600_000 }]]);
  expect(kinds("web", "orders")).toEqual([
    ["tag", { cron: "0 0 * * *", zone: "UTC" }],
    ["compact", { everyMs: 600_000 }],
  ]);
  // A dot is a dot.
  expect(kinds("shopXa", "b")).toEqual([]);
});

it("says what is wrong where it stands, as of a job file", () => {
  const text = "lease: soon\npolicies:\n  - tables: shop.*\n    compct: {}\n    expire: { cron: nightly }\n";
  expect(() => load(text)).toThrow(
    [
      "maintain.yaml has 3 errors",
      'maintain.yaml:1:8  error  lease: "soon" is not a duration; write 10s, 5m or 1h',
      'maintain.yaml:4:5  error  policies[0].compct: unknown key, did you mean "compact"?',
      'maintain.yaml:5:21  error  policies[0].expire.cron: "nightly" is not a cron expression; write five fields, such as "0 3 * * *"',
    ].join("\n"),
  );
});

it("has defaults for every table", () => {
  const [all] = defaultPolicies().policies;
  expect(all?.tables).toBe("*");
  expect(all?.tasks.map(({ kind }) => kind)).toEqual(["compact", "rewrite_manifests", "expire", "clean_orphans"]);
});

it("ships an example that lints clean, has every kind, and knows policies from jobs", () => {
  const path = fileURLToPath(new URL("../../../docs/examples/maintain.yaml", import.meta.url));
  const text = readFileSync(path, "utf8");
  expect(looksLikePolicies(text)).toBe(true);
  const { findings, value } = lintPolicies(text, {});
  expect(findings).toEqual([]);
  const kinds = new Set(value?.policies.flatMap(({ tasks }) => tasks.map(({ kind }) => kind)));
  expect([...kinds].toSorted()).toEqual(["analyze", "clean_orphans", "compact", "expire", "rewrite_manifests", "tag"]);
  expect(looksLikePolicies("name: a\nsource: { type: kafka }\n")).toBe(false);
});

it("lints without the environment, each problem at its place", () => {
  const { findings } = lintPolicies("lease: ${LEASE}\npolicies:\n  - { tables: a.*, compct: {} }\n", {});
  expect(findings.map(({ severity, line, column }) => [severity, line, column])).toEqual([
    ["warning", 1, 8],
    ["error", 3, 20],
  ]);
});
