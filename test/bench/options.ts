/** The number behind `--name` on the command line, for trials at a smaller scale. */
export function numberOption(name: string, usual: number): number {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return usual;
  const text = process.argv[at + 1] ?? "";
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name}: expected a whole number above 0, found ${text}`);
  return Number(text);
}

/** The names behind `--name` on the command line, with commas between them; all of them if it is not given. */
export function choiceOption<T extends string>(name: string, all: readonly T[]): readonly T[] {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return all;
  const chosen = (process.argv[at + 1] ?? "").split(",");
  const known = all.filter((one) => chosen.includes(one));
  if (known.length !== chosen.length)
    throw new Error(`--${name}: expected some of ${all.join(",")}, found ${chosen.join(",")}`);
  return known;
}
