/** A piece of a condition's text. */
export type Token =
  | { readonly kind: "name"; readonly text: string; readonly isQuoted: boolean }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "sign"; readonly text: string };

/** Conditions are written by hand, or by programs that list some keys. */
const MOST_TOKENS = 100_000;

const TOKEN =
  /\s*(?:'(?<text>(?:[^']|'')*)'|"(?<quoted>(?:[^"]|"")+)"|(?<name>[A-Za-z_]\w*)|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<sign><=|>=|<>|!=|==|[=<>(),.+-]))/y;

/** What could be part of an operator of more characters, or of a comment, behind one of ours. */
const OPERATOR = /[<>=!]$/;
const LONGER_OPERATOR = /^(?:[<>=!~@#%^&|`?*/]|--)/;

/** The tokens of a condition; null for a text with anything else in it. */
export function tokensOf(condition: string): readonly Token[] | null {
  const tokens: Token[] = [];
  const end = condition.trimEnd().length;
  let at = 0;
  while (at < end) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(condition);
    if (found === null || tokens.length === MOST_TOKENS) return null;
    at = TOKEN.lastIndex;
    const token = tokenOf(found.groups ?? {});
    if (!endsThere(token, condition.slice(at, at + 2))) return null;
    tokens.push(token);
  }
  return tokens;
}

function tokenOf({ text, quoted, name, number, sign = "" }: Record<string, string | undefined>): Token {
  if (text !== undefined) return { kind: "text", text: text.replaceAll("''", "'") };
  if (quoted !== undefined) return { kind: "name", text: quoted.replaceAll('""', '"'), isQuoted: true };
  if (name !== undefined) return { kind: "name", text: name, isQuoted: false };
  if (number !== undefined) return { kind: "number", text: number };
  return { kind: "sign", text: sign };
}

/** Whether what follows a token belongs to another one: `5abc`, `e'\n'`, `<->` and `--` do not. */
function endsThere(token: Token, behind: string): boolean {
  switch (token.kind) {
    case "number":
      return !/^[\w.]/.test(behind);
    case "name":
      return !/^['"$]|^[^\0-\x7f]/.test(behind);
    case "text":
      return !/^['"\w]/.test(behind);
    case "sign":
      if (token.text === "-") return !/^[->]/.test(behind);
      return !OPERATOR.test(token.text) || !LONGER_OPERATOR.test(behind);
  }
}
