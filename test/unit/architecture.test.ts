import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FORMAT = "table-format/index.ts";
const SRC_FOLDERS =
  "src/cli src/server src/pipeline src/maintenance src/query src/sink src/commit src/catalogs src/storage src/sources src/formats src/observe src/config src/core";

/**
 * Who may import what: a file belongs to the first entry that its path begins with, and may import its own folder and every path
 * that begins with one of the entry's words. The arrows of the design point one way, so that the table format and the core never
 * learn of servers, and a source or a format can be added without touching anything but its own folder and the registry.
 */
const RULES: readonly (readonly [owner: string, mayImport: string])[] = [
  ["table-format/", ""],
  ["src/core/", FORMAT],
  ["src/config/", `src/core ${FORMAT}`],
  ["src/observe/", "src/core"],
  // Formats share the folders of their parts among each other.
  ["src/formats/", `src/formats src/core ${FORMAT}`],
  ["src/sources/", `src/core src/config ${FORMAT}`],
  ["src/storage/", `src/core ${FORMAT}`],
  ["src/catalogs/", `src/core ${FORMAT}`],
  ["src/commit/", `src/core ${FORMAT}`],
  ["src/sink/", `src/commit src/core ${FORMAT}`],
  ["src/maintenance/", `src/commit src/core ${FORMAT}`],
  ["src/query/", `src/core src/config ${FORMAT}`],
  ["src/pipeline/", `src/query src/sink src/commit src/observe src/config src/core ${FORMAT}`],
  ["src/server/", `src/run.ts src/registry.ts src/warehouse.ts ${SRC_FOLDERS} ${FORMAT}`],
  ["src/cli/", `src/run.ts src/registry.ts src/system.ts src/warehouse.ts ${SRC_FOLDERS} ${FORMAT}`],
  // Beside the command line, not on top of it.
  [
    "src/library/",
    `src/run.ts src/registry.ts src/system.ts src/warehouse.ts src/pipeline src/query src/config src/core ${FORMAT}`,
  ],
  ["src/system.ts", "src/core"],
  ["src/registry.ts", `src/sources src/formats src/config src/core`],
  ["src/warehouse.ts", `src/query/query-warehouse.ts src/storage src/catalogs src/config src/core ${FORMAT}`],
  [
    "src/run.ts",
    `src/pipeline src/maintenance src/commit src/registry.ts src/storage src/warehouse.ts src/config src/core ${FORMAT}`,
  ],
  ["src/index.ts", `src/run.ts src/registry.ts src/warehouse.ts src/library ${SRC_FOLDERS} ${FORMAT}`],
  ["jobs/", "src/index.ts test/services"],
  ["test/", "table-format src jobs"],
];

/** What the table format may use besides its own files: codecs and pure computation, no network, no disk, nothing that a browser lacks. */
const FORMAT_PACKAGES = /^(hyparquet(-writer)?(\/src\/\w+\.js)?|fzstd)$/;

/** Names the types of Node's modules, and asks for them only when it runs. */
const NODE_TYPES = "table-format/codec/node-modules.ts";

/** The module names of a file's imports, exports and dynamic imports. */
function importsOf(text: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b(?:[^'"`;()]*?\bfrom)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;
  return [...text.matchAll(pattern)].map((match) => (match[1] ?? match[2]) as string);
}

/** The offending imports of one file, as `importer imports target`. */
function offences(file: string, text: string): string[] {
  const rule = RULES.find(([owner]) => file.startsWith(owner));
  if (rule === undefined) return [`${file} belongs to no rule of the architecture`];
  const [owner, mayImport] = rule;
  // A source is its own folder, not all sources.
  const own = owner === "src/sources/" ? file.split("/").slice(0, 3).join("/") : owner;
  return importsOf(text).flatMap((name) => {
    if (!name.startsWith(".")) {
      return owner === "table-format/" && file !== NODE_TYPES && !FORMAT_PACKAGES.test(name)
        ? [`${file} imports ${name}`]
        : [];
    }
    const target = normalize(join(dirname(file), name));
    const allowed = [own, ...mayImport.split(" ").filter(Boolean)];
    return allowed.some((prefix) => reaches(target, prefix)) ? [] : [`${file} imports ${target}`];
  });
}

function reaches(target: string, prefix: string): boolean {
  if (prefix.endsWith(".ts")) return target === prefix;
  return target.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

it("is kept by every import", () => {
  const files = ["table-format", "src", "jobs", "test"].flatMap((folder) =>
    globSync(`${folder}/**/*.ts`, { cwd: ROOT }),
  );
  expect(files.length).toBeGreaterThan(20);
  const found = files.flatMap((file) => offences(file, readFileSync(join(ROOT, file), "utf8")));
  expect(found.join("\n")).toBe("");
});

describe("the check itself", () => {
  const cases: [file: string, text: string, expected: string[]][] = [
    ["table-format/a.ts", 'import { x } from "../src/core/b.ts";', ["table-format/a.ts imports src/core/b.ts"]],
    ["table-format/a.ts", 'import type { x } from "./b/c.ts";\nimport "hyparquet/src/plain.js";', []],
    ["table-format/a.ts", 'import { crc32 } from "node:zlib";', ["table-format/a.ts imports node:zlib"]],
    ["table-format/a.ts", 'import { S3 } from "@aws-sdk/client-s3";', ["table-format/a.ts imports @aws-sdk/client-s3"]],
    ["table-format/a.ts", 'import "node:fs";', ["table-format/a.ts imports node:fs"]],
    [
      "src/core/a.ts",
      'import type {\n  X,\n} from "../../table-format/io/file-io.ts";',
      ["src/core/a.ts imports table-format/io/file-io.ts"],
    ],
    ["src/core/a.ts", 'export { x } from "../../table-format/index.ts";', []],
    [
      "src/sources/kafka/a.ts",
      'import { g } from "../generator/b.ts";\nimport "./c.ts";',
      ["src/sources/kafka/a.ts imports src/sources/generator/b.ts"],
    ],
    [
      "src/pipeline/a.ts",
      'const x = await import("../sources/kafka/b.ts");',
      ["src/pipeline/a.ts imports src/sources/kafka/b.ts"],
    ],
    ["src/cli/a.ts", 'await import("../query/b.ts");\nimport "../../test/x.ts";', ["src/cli/a.ts imports test/x.ts"]],
    ["jobs/demo/a.ts", 'import "../../src/core/x.ts";', ["jobs/demo/a.ts imports src/core/x.ts"]],
    ["src/indexes.ts", 'import "./core/x.ts";', ["src/indexes.ts belongs to no rule of the architecture"]],
  ];
  it.each(cases)("%s: %s", (file, text, expected) => expect(offences(file, text)).toEqual(expected));
});
