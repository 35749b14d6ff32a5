import type { Argument, Command, Option } from "commander";
import { EXIT } from "../../src/core/errors.ts";

const HEAD = `# Verbs

<!-- Written by \`npm run docs\` from the declarations in src/cli: change those. -->

Data goes to stdout, everything else to stderr. Off a terminal, or with \`--json\`, data is one JSON object a line; \`lint\` prints text unless \`--json\` is given.`;

/** What each exit code says to whoever started the process. */
const EXIT_TEXTS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done, or stopped by the first SIGTERM or SIGINT after its checkpoint",
  jobFailed: "the job failed, or what was asked for is not there",
  usage: "wrong use of the command line",
  data: "data was refused: a schema change, a value that does not fit, lost offsets",
  unavailable: "a server could not be reached after the retries",
  internal: "a bug",
  io: "a disk or a store refuses to write",
  temporary: "temporary: start it again",
  fenced: "another process of this job has taken over: do not start it again",
  permission: "not permitted",
  config: "the configuration is wrong",
};

/** The reference of the command line. */
export function verbsPage(program: Command): string {
  const groups = Map.groupBy(program.commands, (command) => command.helpGroup().replace(/:$/, ""));
  const parts = [
    HEAD,
    ...[...groups].flatMap(([title, verbs]) => [
      `## ${title}`,
      ...verbs.flatMap((command) => verbText(command, program.name())),
    ]),
    "## Options of every verb",
    table(["Option", ""], program.options.filter((option) => option.long !== "--version").map(optionRow)),
    `Each may also be given as a variable: \`FRAZIL_\` and the option's name in capitals, such as \`FRAZIL_LOG_LEVEL\`. The command line wins. Node itself looks at \`--env-file\` before Frazil does: where the file is missing it ends with 9 and names it; \`FRAZIL_ENV_FILE\` ends with 78.`,
    "## Exit codes",
    table(
      ["Code", ""],
      [
        ...Object.entries(EXIT).map(([name, code]): [string, string] => [
          String(code),
          EXIT_TEXTS[name as keyof typeof EXIT],
        ]),
        ["130, 143", "ended at once by a second SIGINT or SIGTERM; nothing is lost, the next run resumes"],
      ],
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function verbText(command: Command, parent: string): string[] {
  const path = `${parent} ${command.name()}`;
  const words = [
    path,
    ...(command.options.length > 0 ? ["[options]"] : []),
    ...command.registeredArguments.map(argumentText),
  ];
  const rows = [...command.registeredArguments.map(argumentRow), ...command.options.map(optionRow)];
  const inner = command.commands.filter((verb) => verb.name() !== "help");
  return [
    `### \`${inner.length > 0 ? path : words.join(" ")}\``,
    sentence(command.description()),
    ...(rows.length > 0 ? [table(["Argument or option", ""], rows)] : []),
    ...inner.flatMap((verb) => verbText(verb, path)),
  ];
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function argumentRow(argument: Argument): [string, string] {
  return [`\`${argumentText(argument)}\``, withChoices(argument.description, argument.argChoices)];
}

function optionRow(option: Option): [string, string] {
  return [`\`${option.flags}\``, withChoices(option.description, option.argChoices)];
}

function withChoices(description: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? description : `${description}: ${choices.map((choice) => `\`${choice}\``).join(", ")}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
