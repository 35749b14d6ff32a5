import { inTerminal } from "./terminal.ts";

const INTERRUPTED = 130;

/** Collects a page: what is said, and commands with what they print. */
export class Recorder {
  text = "";
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#env = env;
  }

  /** Adds a paragraph, a headline, a listing. */
  say(markdown: string): void {
    this.text += `${this.text === "" ? "" : "\n"}${markdown}\n`;
  }

  /**
   * Types a command into a terminal, waits for it and shows both.
   * @throws Error when it ends with another exit code
   */
  async run(command: string, exitCode = 0): Promise<void> {
    await this.#show(command, exitCode, null);
  }

  /** As `run`, for a command that goes on until Ctrl-C, which is typed once the screen shows what matches. */
  async runUntil(command: string, pattern: RegExp): Promise<void> {
    await this.#show(command, 0, pattern);
  }

  async #show(command: string, exitCode: number, until: RegExp | null): Promise<void> {
    const { code, screen: written } = await inTerminal(command, this.#folder, this.#env, until);
    // Ctrl-C ends the shell around the command, too.
    const ended = until !== null && code === INTERRUPTED ? 0 : code;
    if (ended !== exitCode) throw new Error(`expected exit ${exitCode}, found ${ended}: ${command}\n${written}`);
    const status = ended === 0 ? "" : `$ echo $?\n${ended}\n`;
    // Where it was played says nothing to a reader.
    const screen = written.replaceAll(this.#folder, "~");
    const lines = screen === "" || screen.endsWith("\n") ? screen : `${screen}\n`;
    this.say(`\`\`\`console\n$ ${command}\n${lines}${status}\`\`\``);
  }
}

/** The page without what differs from run to run: ids, times, durations, addresses, sizes of files, and the columns that they fill. */
export function maskSession(page: string): string {
  return (
    page
      .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d[:-]\d\d[:-]\d\d(\.\d+)?(Z|\+00)?/g, "<time>")
      .replace(/(127\.0\.0\.1|localhost):\d+/g, "<address>")
      .replace(/\b\d{12,19}\b(?!\.)/g, (digits) => (digits === "9007199254740993" ? digits : "<id>"))
      // Each new setting moves the lines of the file that init writes.
      .replace(/(orders\.yaml:)\d+:/g, "$1<line>:")
      .replace(/\b\d+ ms\b/g, "<n> ms")
      .replace(/\b\d+(\.\d+)? s\b/g, "<n> s")
      .replace(/\(\d[\d ]*\/s\)/g, "(<n>/s)")
      .replace(/\b\d+(\.\d+)? (B|KiB|MiB)\b/g, "<size>")
      .replace(/ {2,}/g, "  ")
      .replace(/^ +(?=<id>)/gm, "")
      .replace(/─+/g, "─")
  );
}
