import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Columns of the recorded terminal: what a page of the docs shows without scrolling. */
const WIDTH_COLUMNS = 120;

const CTRL_C = "\u0003";

/**
 * Puts an `npx` into `<folder>/bin` whose `npx frazil` runs `main`, as the real one does for an installed package. Gives the
 * environment in which a shell finds it.
 */
export function npxFrazil(folder: string, main: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    join(bin, "npx"),
    `#!/bin/sh\n[ "$1" = frazil ] || exit 64\nshift\nexec '${process.execPath}' '${main}' "$@"\n`,
  );
  chmodSync(join(bin, "npx"), 0o755);
  return { ...env, PATH: `${bin}${delimiter}${env["PATH"] ?? ""}` };
}

/**
 * Runs a command line in a real pseudo-terminal, through `script` of util-linux, and gives what the terminal shows in the end: both
 * streams in their order, redrawn lines as they were left.
 *
 * @param until Ctrl-C is typed once the screen shows what matches; null: the command ends by itself
 */
export async function inTerminal(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  until: RegExp | null = null,
): Promise<{ readonly code: number; readonly screen: string }> {
  const line = `stty cols ${WIDTH_COLUMNS} && ${command}`;
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    cwd,
    env: { ...env, SHELL: "/bin/sh", NO_COLOR: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let written = "";
  let isStopped = until === null;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    written += text;
    if (isStopped || until?.test(shown(written)) !== true) return;
    isStopped = true;
    child.stdin.write(CTRL_C);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, screen: shown(written) };
}

/** What stays on the screen: `\r` goes back to the line's begin and `ESC [ K` clears what follows. */
function shown(written: string): string {
  return written
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.slice(line.lastIndexOf("\r\u001b[K") + 1).replace("\u001b[K", ""))
    .join("\n");
}
