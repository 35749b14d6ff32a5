import { counted } from "../../core/count-text.ts";
import { readFileSync } from "node:fs";
import { sharedTables } from "../../config/lint-files.ts";
import { type Finding, lintJob, lintPolicies, looksLikePolicies } from "../../config/lint.ts";
import type { Severity } from "../../config/lint-rules.ts";
import { EXIT } from "../../core/errors.ts";
import { type AnyJob, SOURCES, sourceTraits } from "../../registry.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { whyUnread } from "../read-file.ts";

export interface LintOptions {
  readonly denyWarnings?: boolean;
}

/** `frazil lint <file…>`, of jobs and of policies: reads the files and nothing else. Text unless `--json` is given, so that editors and CI find the places. */
export async function lint(context: CliContext, paths: readonly string[], options: LintOptions): Promise<void> {
  const { globals, output } = context;
  const jobs = new Map<string, AnyJob>();
  const found: (Finding & { readonly path: string })[] = [];
  for (const path of paths) {
    const { findings, job } = lintFile(path, globals.env);
    if (job !== null) jobs.set(path, job);
    found.push(...findings.map((finding) => ({ path, ...finding })));
  }
  found.push(...sharedTables(jobs));
  for (const finding of found) await output.write(globals.json ? jsonLine({ ...finding }) : lineText(finding));
  const count = (severity: Severity): number => found.filter((finding) => finding.severity === severity).length;
  const errors = count("error");
  const warnings = count("warning");
  const parts = [counted(paths.length, "file"), counted(errors, "error")];
  if (warnings > 0) parts.push(counted(warnings, "warning"));
  if (count("note") > 0) parts.push(counted(count("note"), "note"));
  output.note(parts.join(", "));
  if (errors > 0 || (options.denyWarnings === true && warnings > 0)) process.exitCode = EXIT.config;
}

function lintFile(
  path: string,
  env: CliContext["globals"]["env"],
): { findings: readonly Finding[]; job: AnyJob | null } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const message = `cannot be read: ${whyUnread(error)}`;
    return { findings: [{ severity: "error", line: 1, column: 1, message }], job: null };
  }
  if (looksLikePolicies(text)) return { findings: lintPolicies(text, env).findings, job: null };
  const { findings, value: job } = lintJob(text, env, SOURCES, sourceTraits);
  return { findings, job };
}

function lineText({ path, line, column, severity, message }: Finding & { path: string }): string {
  return `${path}:${line}:${column}  ${severity}  ${message}\n`;
}
