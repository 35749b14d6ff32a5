/** What the demo prints with. Colour only on a terminal, and never the only carrier of a meaning. */
const colored =
  process.env["NO_COLOR"] === undefined && process.env["FRAZIL_COLOR"] !== "never" && process.stdout.isTTY;

const paint =
  (code: string) =>
  (text: string): string =>
    colored ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint("1");
export const dim = paint("2");
export const red = paint("31");
export const green = paint("32");
export const cyan = paint("36");

const INDENT = "     ";

/** Of a heading and its remark. */
const WIDTH = 76;

/** A line under the current chapter. */
export function say(text = ""): void {
  process.stdout.write(text === "" ? "\n" : `${INDENT}${text}\n`);
}

let chapters = 0;

/** A numbered heading with a remark at its right. */
export function chapter(title: string, remark = ""): void {
  chapters++;
  const gap = " ".repeat(Math.max(2, WIDTH - title.length - remark.length));
  process.stdout.write(`\n  ${cyan(bold(String(chapters)))}  ${bold(title)}${gap}${dim(remark)}\n\n`);
}

/** The command that is about to run, as one would type it. */
export function command(text: string): void {
  say(`${dim("$")} ${text}`);
  say();
}

export function passed(text: string): void {
  say(`${green("✓")} ${text}`);
}

export function failed(text: string): void {
  say(`${red("✗")} ${text}`);
}

/** `60 000` */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, " ");
}

/** `████░░░░` */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(full) + dim("░".repeat(width - full));
}

/** A value of a `--json` line as text. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "∅";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Rows in aligned columns; columns that hold numbers alone are set to the right, with equally many decimals. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): void {
  const names = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => names.map((name) => cellText(row[name])));
  const numeric = names.map((_, index) => cells.every((row) => /^-?[\d.]*$/.test(row[index] ?? "")));
  for (const [index, isNumeric] of numeric.entries()) if (isNumeric) evenOut(cells, index);
  const widths = names.map((name, index) => Math.max(name.length, ...cells.map((row) => (row[index] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) =>
        numeric[index] === true ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join("   ")
      .trimEnd();
  say(dim(line(names)));
  for (const row of cells) say(line(row));
}

function evenOut(rows: readonly string[][], column: number): void {
  const decimalsOf = (cell: string): number => (cell.includes(".") ? cell.length - cell.indexOf(".") - 1 : 0);
  const decimals = Math.max(...rows.map((row) => decimalsOf(row[column] ?? "")));
  for (const row of rows) {
    const cell = row[column] ?? "";
    const point = decimals > 0 && !cell.includes(".") ? "." : "";
    row[column] = cell + point + "0".repeat(decimals - decimalsOf(cell));
  }
}
