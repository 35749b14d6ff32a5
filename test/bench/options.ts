/** The number behind `--name` on the command line, for trials at a smaller scale. */
export function numberOption(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return usual;
  const text = process.argv[at + 1] ?? "";
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name}: expected a whole number above 0, found ${text}`);
  return Number(text);
}
