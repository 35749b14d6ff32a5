/** SQL text cut at its semicolons. */
export interface CutStatements {
  /** Without their semicolons; empty ones are left out. */
  readonly statements: readonly string[];
  /** What stands behind the last semicolon: the beginning of a statement, or nothing but space and comments. */
  readonly rest: string;
  /** Whether `rest` holds anything but space and comments. */
  readonly open: boolean;
}

/** What may hold a semicolon that ends nothing: texts, quoted names, dollar-quoted texts, comments. The last of each may lack its end. */
const TOKEN =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\$([A-Za-z_]\w*)?\$[^]*?(?:\$\1\$|$)|--[^\n]*|\/\*[^]*?(?:\*\/|$)|;|\s+|[^'"$;\s/-]+|[^]/gy;

/** Cuts what somebody has typed so far into statements, as DuckDB's own shell does. */
export function cutStatements(text: string): CutStatements {
  const statements: string[] = [];
  let start = 0;
  let open = false;
  for (const match of text.matchAll(TOKEN)) {
    const [token] = match;
    if (token === ";") {
      if (open) statements.push(text.slice(start, match.index).trim());
      start = match.index + 1;
      open = false;
    } else if (!/^(\s|--|\/\*)/.test(token)) {
      open = true;
    }
  }
  return { statements, rest: text.slice(start), open };
}
