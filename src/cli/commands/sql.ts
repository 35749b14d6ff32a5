import { createInterface, type Interface } from "node:readline";
import { FrazilError } from "../../core/errors.ts";
import { tableAsOf } from "../../query/as-of.ts";
import { openSession, type QuerySession } from "../../query/session.ts";
import { cutStatements } from "../../query/statements.ts";
import { listTables } from "../../query/table-names.ts";
import { identText } from "../../../table-format/index.ts";
import type { Warehouse } from "../../warehouse.ts";
import type { CliContext } from "../context.ts";
import { errorReport } from "../output.ts";
import { end } from "../signals.ts";
import { complete, type Names, namesOf } from "../sql-completion.ts";
import { HISTORY_LINES, historyPath, readHistory, writeHistory } from "../sql-history.ts";
import { withWarehouse } from "../warehouse-option.ts";
import { printResult } from "./query.ts";

const PROMPT = "frazil> ";
const CONTINUED = "   ...> ";

const HELP = `Statements end with a semicolon and may take several lines. Tab completes tables, columns and keywords.
What a statement makes or sets (CREATE TEMP TABLE, SET, SET VARIABLE) is there until you leave; the warehouse is only read.
  .tables          the tables of the warehouse
  .as-of <point>   read tables as they were: a snapshot id, an RFC 3339 time or a tag; without a point, as they are
  .help            this
  .exit            leave, as Ctrl-D does; Ctrl-C drops the statement that was begun
`;

/** `frazil sql [--as-of …]`: statements from a terminal, one after another, or from a pipe, up to the first that fails. */
export async function sql(context: CliContext, asOf: string | null): Promise<void> {
  await withWarehouse(context, async (warehouse) => {
    if (asOf !== null) await checkPoint(warehouse, asOf);
    const statements = await openSession(warehouse);
    const session: Session = { context, warehouse, statements, asOf, text: "" };
    try {
      if (process.stdin.isTTY && process.stdout.isTTY) await converse(session);
      else await readAll(session);
    } finally {
      await statements.close();
    }
  });
}

interface Session {
  readonly context: CliContext;
  readonly warehouse: Warehouse;
  readonly statements: QuerySession;
  asOf: string | null;
  /** What was typed of a statement that has not ended. */
  text: string;
}

/** From a pipe: a failure ends it, so that a script does not go on with what it did not get. */
async function readAll(session: Session): Promise<void> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) if ((await take(session, line)) === "exit") return;
  const { rest, open } = cutStatements(session.text);
  if (open) await run(session, rest);
}

/** On a terminal: failures are shown, and the prompt comes back. */
async function converse(session: Session): Promise<void> {
  const { context, warehouse } = session;
  const path = historyPath(context.globals.env);
  let names: Names = { tables: [], columns: [] };
  let history = readHistory(path);
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: [...history],
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string) => complete(line, names),
    prompt: PROMPT,
  });
  terminal.on("history", (lines: string[]) => (history = [...lines]));
  // Names are there soon; a catalog that cannot be read will say so at the first statement.
  namesOf(warehouse.catalog).then(
    (found) => (names = found),
    () => {},
  );
  context.output.note(`${warehouse.location}  .help tells more`);
  try {
    await conversation(session, terminal);
  } finally {
    terminal.close();
    if (!writeHistory(path, history)) context.output.note(`the history could not be written to ${path}`);
  }
}

async function conversation(session: Session, terminal: Interface): Promise<void> {
  let busy = false;
  terminal.on("SIGINT", () => {
    // A statement that runs cannot be called back: the whole process goes, which has written nothing.
    if (busy) {
      terminal.close();
      end("SIGINT");
      return;
    }
    process.stdout.write("\n");
    session.text = "";
    terminal.setPrompt(PROMPT);
    terminal.prompt();
  });
  terminal.prompt();
  for await (const line of terminal) {
    busy = true;
    try {
      if ((await take(session, line)) === "exit") return;
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      session.text = "";
      process.stderr.write(errorReport(error, { color: session.context.output.color, verbose: false }).text);
    }
    busy = false;
    terminal.setPrompt(cutStatements(session.text).open ? CONTINUED : PROMPT);
    terminal.prompt();
  }
  process.stdout.write("\n");
}

/** Takes a line: runs the statements that it ends, or does what a dot command says. */
async function take(session: Session, line: string): Promise<"exit" | "go on"> {
  if (line.startsWith(".") && !cutStatements(session.text).open) return dotCommand(session, line.trim());
  const { statements, rest, open } = cutStatements(`${session.text}${line}\n`);
  session.text = open ? rest : "";
  for (const statement of statements) await run(session, statement);
  return "go on";
}

async function run({ context, statements, asOf }: Session, statement: string): Promise<void> {
  await printResult(context, await statements.query(statement, asOf), asOf);
}

async function dotCommand(session: Session, line: string): Promise<"exit" | "go on"> {
  const { context, warehouse } = session;
  const [command, ...words] = line.split(/\s+/);
  const point = words.join(" ");
  switch (command) {
    case ".exit":
    case ".quit":
      return "exit";
    case ".help":
      context.output.note(HELP.trimEnd());
      return "go on";
    case ".tables":
      for (const ident of await listTables(warehouse.catalog)) await context.output.write(`${identText(ident)}\n`);
      return "go on";
    case ".as-of":
      if (point !== "") await checkPoint(warehouse, point);
      session.asOf = point === "" ? null : point;
      return "go on";
    default:
      throw new FrazilError("config", "USAGE", `there is no ${command}`, { hint: ".help tells what there is" });
  }
}

/** A point that is in no table is a slip of the pen. */
async function checkPoint(warehouse: Warehouse, point: string): Promise<void> {
  let first: unknown = null;
  for (const ident of await listTables(warehouse.catalog)) {
    const table = await warehouse.catalog.loadTable(ident);
    if (table === null) continue;
    try {
      tableAsOf(table, point);
      return;
    } catch (error) {
      first ??= error;
    }
  }
  if (first !== null) throw first;
}
