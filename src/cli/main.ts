#!/usr/bin/env node
// Nothing else is imported before the version is known: what an older Node lacks would show as an error of syntax.
import { tooOld } from "./node-version.ts";

const problem = tooOld(process.versions.node);
if (problem === null) {
  const { runCommandLine } = await import("./command-line.ts");
  await runCommandLine();
} else {
  process.stderr.write(problem);
  process.exit(78);
}
