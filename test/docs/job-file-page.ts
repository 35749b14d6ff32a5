import type { JsonSchema } from "../../src/config/json-schema.ts";
import { sourceShapes } from "../../src/config/job-template.ts";

const HEAD = `# Job file

<!-- Written by \`npm run docs\` from the declarations in src/config and src/sources: change those. -->

A job is one YAML file. \`frazil init <source>\` writes one to fill in, \`frazil lint\` checks it, \`frazil schema\` prints its JSON Schema; a first line \`# yaml-language-server: $schema=./job.schema.json\` gives completion in editors.

\`\${VAR}\`, \`\${VAR:-default}\` and \`\${VAR:?message}\` come from the environment or from \`--env-file\`, in values only and after the file is parsed: a value cannot change the file's structure. Names are capitals, digits and \`_\`; \`\${table}\`, \`\${schema}\`, \`\${db}\` and \`\${topic}\` belong to \`tables:\`. Inside \`{…}\` and \`[…]\` put them in quotes.

Durations are \`500ms\`, \`10s\`, \`5m\`, \`1h\`, \`7d\`; sizes \`64KiB\`, \`256MiB\`, \`1GB\`. An unknown key is an error.`;

const POLICIES_HEAD = `# File of policies

<!-- Written by \`npm run docs\` from the declarations in src/config: change those. -->

What \`frazil maintain --policies <file>\` does to which tables, and when. One YAML file, with \`\${VAR}\` as in a [job file](job-file.md); \`frazil lint\` checks it, and [an example](../examples/maintain.yaml) is to be copied. [Maintenance](../maintenance.md) says what each kind does. The kinds of a policy are those of \`maintenance:\` in a job.`;

/** The reference of the job file: a table of settings for each block. */
export function jobFilePage(job: JsonSchema): string {
  const sources = [...sourceShapes(job)].flatMap(([type, source]) => [
    `## \`source:\` of type \`${type}\``,
    source.description ?? "",
    settingsTable(source),
  ]);
  return page(HEAD, job, sources);
}

/** The reference of the file of policies, in the same form. */
export function policiesPage(policies: JsonSchema): string {
  return page(POLICIES_HEAD, policies, []);
}

function page(head: string, file: JsonSchema, afterFile: readonly string[]): string {
  const parts = [head, "## The file", settingsTable(file), ...afterFile];
  for (const [key, value] of Object.entries(file.properties ?? {})) {
    const block = value.items ?? value;
    if (block.properties === undefined) continue;
    const each = value.items === undefined ? "" : " A list; of each entry:";
    parts.push(`## \`${key}:\``, `${value.description ?? ""}${each}`, settingsTable(block));
  }
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function settingsTable(block: JsonSchema): string {
  const rows = settings(block, "").map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return ["| Setting | Value | Default | |", "|---|---|---|---|", ...rows].join("\n");
}

/** A row a setting; the settings of small blocks inside follow theirs with a dotted name. */
function settings(block: JsonSchema, prefix: string): string[][] {
  return Object.entries(block.properties ?? {}).flatMap(([key, shape]) => {
    const required = block.required?.includes(key) === true;
    const row = [
      `\`${prefix}${key}\``,
      valueText(shape),
      required ? "required" : defaultText(shape),
      shape.description ?? "",
    ];
    if (prefix === "" && isOwnSection(shape, block)) return [row];
    const inner = [shape, ...(shape.anyOf ?? [])].flatMap((form) => settings(form, `${prefix}${key}.`));
    if (shape.items !== undefined) inner.push(...settings(shape.items, `${prefix}${key}[].`));
    const forms = (shape.oneOf ?? []).flatMap((form) => {
      const type = String(form.properties?.["type"]?.const);
      const rest = settings({ ...form, properties: withoutType(form) }, `${prefix}${key}.`);
      return [[`\`${prefix}${key}.type: ${type}\``, "", "", form.description ?? ""], ...rest];
    });
    return [row, ...inner, ...forms];
  });
}

/** At the top of the file, blocks and lists of blocks have sections of their own. */
function isOwnSection(shape: JsonSchema, block: JsonSchema): boolean {
  const { source, tables, policies } = block.properties ?? {};
  const isTop = policies !== undefined || (source !== undefined && tables !== undefined);
  return isTop && (shape.properties !== undefined || shape.items !== undefined || shape.oneOf !== undefined);
}

function withoutType(form: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(Object.entries(form.properties ?? {}).filter(([key]) => key !== "type"));
}

function valueText(shape: JsonSchema): string {
  if (shape.const !== undefined) return `\`${String(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (shape.anyOf !== undefined) return shape.anyOf.map(valueText).join(" or ");
  if (shape.oneOf !== undefined) {
    return shape.oneOf.map((form) => `\`type: ${String(form.properties?.["type"]?.const)}\``).join(" or ");
  }
  if (shape.items !== undefined)
    return shape.items.properties === undefined ? `list of ${valueText(shape.items)}s` : "list of blocks";
  if (shape.properties !== undefined) return "block";
  if (typeof shape.additionalProperties === "object") return `map of name to ${valueText(shape.additionalProperties)}`;
  if (shape.title !== undefined) return shape.title;
  if (shape.type === "integer" || shape.type === "number") return numberText(shape);
  if (shape.type === "boolean") return "`true`, `false`";
  return "text";
}

function numberText({ type, minimum, maximum }: JsonSchema): string {
  const noun = type === "integer" ? "whole number" : "number";
  if (minimum === undefined) return noun;
  return maximum === undefined ? `${noun} from ${minimum}` : `${noun} from ${minimum} to ${maximum}`;
}

function defaultText({ default: usual }: JsonSchema): string {
  if (usual === undefined) return "";
  if (typeof usual === "object" && usual !== null)
    return Object.keys(usual).length === 0 ? "none" : `\`${JSON.stringify(usual)}\``;
  return `\`${typeof usual === "string" ? usual : JSON.stringify(usual)}\``;
}
