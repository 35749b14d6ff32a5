import { must } from "../core/errors.ts";
import type { JsonSchema } from "./json-schema.ts";

/** Columns that comments are wrapped at. */
const WIDTH = 110;

/** The shape of each source's block by its `type`, from that of the whole job. */
export function sourceShapes(job: JsonSchema): ReadonlyMap<string, JsonSchema> {
  const forms = must(job.properties?.["source"]?.oneOf, "the sources of a job are told apart by type");
  return new Map(forms.map((form) => [String(form.properties?.["type"]?.const), form]));
}

/**
 * A job file for one source type: every required setting with an example, every other as a `#setting` with its default or an example.
 * Made from the declaration alone, so that a new setting is in it from its first day.
 */
export function jobTemplate(job: JsonSchema, sourceType: string): string {
  const source = must(sourceShapes(job).get(sourceType), `there is a source ${sourceType}`);
  const { name, source: _source, tables, ...rest } = must(job.properties, "a job has settings");
  const entry = must(tables?.items, "tables is a list");
  const lines = [
    "# A job of Frazil: `frazil lint` checks this file, `frazil run` runs it.",
    "# What stands behind a # without a space is a setting with its default or an example.",
    "",
    ...comment(name?.description),
    `name: my-${sourceType}`,
    "",
    ...comment(source.description),
    "source:",
    `  type: ${sourceType}`,
    ...indented(settingLines(source)),
    "",
    ...comment(tables?.description),
    "tables:",
    ...indented(listEntry(settingLines(entry))),
  ];
  for (const [key, shape] of Object.entries(rest)) {
    const live = job.required?.includes(key) === true;
    if (shape.properties === undefined) {
      const setting = `${key}: ${inline(shape)}`;
      lines.push("", ...comment(shape.description), live ? setting : commentedOut(setting));
    } else {
      const body = [`${key}:`, ...indented(settingLines(shape, !live && hasDefaults(shape)))];
      lines.push("", ...comment(shape.description), ...(live || hasDefaults(shape) ? body : body.map(commentedOut)));
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Whether every setting of a block has a default, so that the block can be written out. */
function hasDefaults(shape: JsonSchema): boolean {
  return Object.values(shape.properties ?? {}).every((setting) => setting.default !== undefined);
}

/** The settings of one block but for its `type`: a comment each, then the setting. `all`: also those that are not required. */
function settingLines(shape: JsonSchema, all = false): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([key, value]) => {
    if (value.const !== undefined && key === "type") return [];
    const setting = `${key}: ${inline(value)}`;
    const required = all || shape.required?.includes(key) === true;
    return [...comment(value.description), required ? setting : commentedOut(setting)];
  });
}

/** The first entry of a list: its dash stands before the first setting, comments before it in front of the dash. */
function listEntry(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => !line.startsWith("#"));
  return [
    ...lines.slice(0, first),
    ...lines.slice(first).map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`)),
  ];
}

function commentedOut(line: string): string {
  const body = line.trimStart();
  return body.startsWith("#") ? line : `${" ".repeat(line.length - body.length)}#${body}`;
}

function inline(shape: JsonSchema): string {
  return flow(exampleOf(shape));
}

/** A value in YAML's flow style. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, item]) => `${key}: ${flow(item)}`)
      .join(", ")} }`;
  }
  const plain = typeof value !== "string" || /^(?!(?:true|false|null)$)[A-Za-z./][\w./*-]*$|^\d+[A-Za-z]+$/.test(value);
  return plain ? String(value) : JSON.stringify(value);
}

/** A value that the shape accepts: its default where that says something, else an example, else the least there is. */
function exampleOf(shape: JsonSchema): unknown {
  const { default: usual, examples, properties, required, items } = shape;
  if (usual !== undefined && (typeof usual !== "object" || usual === null)) return usual;
  if (examples?.[0] !== undefined) return examples[0];
  if (shape.const !== undefined) return shape.const;
  if (shape.enum !== undefined) return shape.enum[0];
  if (shape.type === "boolean") return true;
  if (shape.minimum !== undefined) return shape.minimum;
  if (items !== undefined) return [exampleOf(items)];
  if (properties !== undefined) {
    const shown = Object.entries(properties).filter(([key]) => required?.includes(key));
    return Object.fromEntries(shown.map(([key, value]) => [key, exampleOf(value)]));
  }
  const form = (shape.oneOf ?? shape.anyOf)?.[0];
  return form === undefined ? "…" : exampleOf(form);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? line : `  ${line}`));
}

/** A description as comment lines. */
function comment(text: string | undefined): string[] {
  const lines: string[] = [];
  for (const word of (text ?? "").split(" ").filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`# ${word}`);
  }
  return lines;
}
