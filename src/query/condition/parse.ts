import type { ColumnPath, Comparison, Condition, Literal } from "./condition.ts";
import { KEYWORDS } from "./keywords.ts";
import { type Token, tokensOf } from "./tokens.ts";

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "=": "eq",
  "==": "eq",
  "<>": "not-eq",
  "!=": "not-eq",
  "<": "lt",
  "<=": "lt-eq",
  ">": "gt",
  ">=": "gt-eq",
};

/** Of `5 < x` and `x > 5`. */
const TURNED: Readonly<Record<Comparison, Comparison>> = {
  eq: "eq",
  "not-eq": "not-eq",
  lt: "gt",
  "lt-eq": "gt-eq",
  gt: "lt",
  "gt-eq": "lt-eq",
};

/** Levels of parentheses and NOT. */
const MOST_LEVELS = 200;

/** Thrown where the text leaves the language; it never leaves this file. */
const NOT_OURS = Symbol("not in the language");

/**
 * Reads a condition of a small part of SQL: columns compared with literals, IN, BETWEEN, IS NULL, LIKE, `isnan(…)`, joined by AND, OR and
 * NOT. Where it succeeds DuckDB's parser finds the same. Null for every other text, be it other SQL or none.
 */
export function parseCondition(text: string): Condition | null {
  const tokens = tokensOf(text);
  if (tokens === null) return null;
  try {
    const parser = new Parser(tokens);
    const condition = parser.either();
    parser.end();
    return condition;
  } catch (error) {
    if (error === NOT_OURS) return null;
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #level = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  either(): Condition {
    const parts = [this.#all()];
    while (this.#takeWord("or")) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "or", parts };
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw NOT_OURS;
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.#takeWord("and")) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "and", parts };
  }

  #one(): Condition {
    if (++this.#level > MOST_LEVELS) throw NOT_OURS;
    const condition = this.#takeWord("not")
      ? ({ kind: "not", part: this.#one() } as const)
      : this.#takeSign("(")
        ? this.#closed(this.either())
        : this.#predicate();
    this.#level--;
    return condition;
  }

  #closed(condition: Condition): Condition {
    this.#expectSign(")");
    return condition;
  }

  #predicate(): Condition {
    const literal = this.#literalOrNone();
    if (literal !== null) return this.#ofLiteral(literal);
    if (this.#isCall("isnan")) {
      this.#next += 2;
      const column = this.#column();
      this.#expectSign(")");
      return { kind: "nan", column };
    }
    return this.#ofColumn(this.#column());
  }

  #ofLiteral(literal: Literal): Condition {
    const operator = this.#comparisonOrNone();
    if (operator !== null) return { kind: "compare", column: this.#column(), operator: TURNED[operator], literal };
    if (literal.kind === "boolean") return { kind: "constant", value: literal.value };
    if (literal.kind === "null") return { kind: "constant", value: null };
    throw NOT_OURS;
  }

  #ofColumn(column: ColumnPath): Condition {
    const operator = this.#comparisonOrNone();
    if (operator !== null) return { kind: "compare", column, operator, literal: this.#literal() };
    if (this.#takeWord("is")) {
      const negated = this.#takeWord("not");
      this.#expectWord("null");
      return turned({ kind: "null", column }, negated);
    }
    const negated = this.#takeWord("not");
    if (this.#takeWord("in")) return turned(this.#in(column), negated);
    if (this.#takeWord("between")) return turned(this.#between(column), negated);
    if (this.#takeWord("like")) return turned(this.#like(column), negated);
    if (negated) throw NOT_OURS;
    return { kind: "column", column };
  }

  #in(column: ColumnPath): Condition {
    this.#expectSign("(");
    const literals = [this.#literal()];
    while (this.#takeSign(",")) literals.push(this.#literal());
    this.#expectSign(")");
    return { kind: "in", column, literals };
  }

  #between(column: ColumnPath): Condition {
    const low = this.#literal();
    this.#expectWord("and");
    const high = this.#literal();
    return {
      kind: "and",
      parts: [
        { kind: "compare", column, operator: "gt-eq", literal: low },
        { kind: "compare", column, operator: "lt-eq", literal: high },
      ],
    };
  }

  #like(column: ColumnPath): Condition {
    const pattern = this.#literal();
    if (pattern.kind !== "text") throw NOT_OURS;
    return { kind: "like", column, pattern: pattern.text };
  }

  #column(): ColumnPath {
    const path = [this.#name()];
    while (this.#takeSign(".")) path.push(this.#name());
    return path;
  }

  #name(): string {
    const token = this.#tokens[this.#next];
    if (token?.kind !== "name" || (!token.isQuoted && KEYWORDS.has(token.text.toLowerCase()))) throw NOT_OURS;
    this.#next++;
    return token.text;
  }

  #literal(): Literal {
    const literal = this.#literalOrNone();
    if (literal === null) throw NOT_OURS;
    return literal;
  }

  #literalOrNone(): Literal | null {
    const token = this.#tokens[this.#next];
    if (token?.kind === "text") {
      this.#next++;
      return { kind: "text", text: token.text };
    }
    for (const [word, literal] of WORDS) if (this.#takeWord(word)) return literal;
    return this.#numberOrNone() ?? this.#typedOrNone();
  }

  #numberOrNone(): Literal | null {
    const minus = this.#isSign("-", 0);
    const number = this.#tokens[this.#next + (minus || this.#isSign("+", 0) ? 1 : 0)];
    if (number?.kind !== "number") return null;
    this.#next = this.#tokens.indexOf(number, this.#next) + 1;
    return { kind: "number", text: `${minus ? "-" : ""}${number.text}` };
  }

  /** A word and the text behind it. */
  #typedOrNone(): Literal | null {
    const start = this.#next;
    for (const kind of TYPES) {
      if (!this.#takeWord(kind)) continue;
      const zoned = kind === "timestamp" && this.#takeWord("with");
      if (zoned) for (const word of ["time", "zone"]) this.#expectWord(word);
      const token = this.#tokens[this.#next];
      if (token?.kind === "text") {
        this.#next++;
        return { kind: zoned ? "timestamptz" : kind, text: token.text };
      }
      // A column of that name, if anything.
      this.#next = start;
    }
    return null;
  }

  #comparisonOrNone(): Comparison | null {
    const token = this.#tokens[this.#next];
    const operator = token?.kind === "sign" ? COMPARISONS[token.text] : undefined;
    if (operator === undefined) return null;
    this.#next++;
    return operator;
  }

  #isCall(name: string): boolean {
    return this.#isWord(name) && this.#isSign("(", 1);
  }

  #isWord(word: string): boolean {
    const token = this.#tokens[this.#next];
    return token?.kind === "name" && !token.isQuoted && token.text.toLowerCase() === word;
  }

  #isSign(sign: string, ahead: number): boolean {
    const token = this.#tokens[this.#next + ahead];
    return token?.kind === "sign" && token.text === sign;
  }

  #takeWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#next++;
    return true;
  }

  #takeSign(sign: string): boolean {
    if (!this.#isSign(sign, 0)) return false;
    this.#next++;
    return true;
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw NOT_OURS;
  }

  #expectSign(sign: string): void {
    if (!this.#takeSign(sign)) throw NOT_OURS;
  }
}

const WORDS: readonly (readonly [string, Literal])[] = [
  ["true", { kind: "boolean", value: true }],
  ["false", { kind: "boolean", value: false }],
  ["null", { kind: "null" }],
];

const TYPES = ["date", "timestamptz", "timestamp", "time"] as const;

function turned(condition: Condition, negated: boolean): Condition {
  return negated ? { kind: "not", part: condition } : condition;
}
