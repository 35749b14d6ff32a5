import { FrazilError } from "../../core/errors.ts";

/** A condition over partition fields and columns. */
export type Condition = { readonly kind: "and" | "or"; readonly parts: readonly Condition[] } | Comparison;

export interface Comparison {
  readonly kind: "comparison";
  readonly term: Term;
  readonly operator: "=" | "<>" | "<" | "<=" | ">" | ">=" | "in" | "is null" | "is not null";
  readonly literals: readonly Literal[];
}

/** `region`, or `day(created_at)`: the transform as metadata spells it, `bucket[16]`. */
export interface Term {
  readonly text: string;
  readonly name: string;
  readonly transform: string | null;
}

export interface Literal {
  readonly text: string;
  readonly kind: "text" | "number" | "boolean" | "now";
  /** Of a text what is in the quotes; of `now - 7d` the milliseconds behind. */
  readonly value: string;
}

const TOKEN = /\s*(?:('(?:[^']|'')*')|("(?:[^"]|"")*")|(<=|>=|<>|!=|[=<>(),-])|([A-Za-z_][\w.]*)|(\d[\w.]*))/y;
const MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Conditions are written by hand. */
const MOST_TOKENS = 1_000;

/**
 * Reads comparisons joined by `and`, `or` and parentheses: `region = 'eu' and day(created_at) >= now - 7d`, `id in (1, 2)`, `x is null`.
 * @throws FrazilError `config`, code `COMPACT_SCOPE`, saying what was expected where.
 */
export function parseCondition(text: string): Condition {
  const parser = new Parser(text);
  const condition = parser.either();
  parser.end();
  return condition;
}

class Parser {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    TOKEN.lastIndex = 0;
    for (let at = 0; text.slice(at).trim() !== "";) {
      const found = TOKEN.exec(text);
      if (found === null || this.#tokens.length === MOST_TOKENS) throw this.#refused(`near ${text.slice(at).trim()}`);
      this.#tokens.push(found[0].trim());
      at = TOKEN.lastIndex;
    }
  }

  either(): Condition {
    const parts = [this.#all()];
    while (this.#take("or")) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "or", parts };
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#refused(`"and", "or" or the end`);
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.#take("and")) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: "and", parts };
  }

  #one(): Condition {
    if (this.#take("(")) {
      const inner = this.either();
      this.#expect(")");
      return inner;
    }
    return this.#comparison();
  }

  #comparison(): Comparison {
    const term = this.#term();
    if (this.#take("is")) {
      const operator = this.#take("not") ? "is not null" : "is null";
      this.#expect("null");
      return { kind: "comparison", term, operator, literals: [] };
    }
    if (this.#take("in")) {
      this.#expect("(");
      const literals = [this.#literal()];
      while (this.#take(",")) literals.push(this.#literal());
      this.#expect(")");
      return { kind: "comparison", term, operator: "in", literals };
    }
    for (const operator of ["=", "<>", "<", "<=", ">", ">="] as const) {
      if (this.#take(operator) || (operator === "<>" && this.#take("!="))) {
        return { kind: "comparison", term, operator, literals: [this.#literal()] };
      }
    }
    throw this.#refused("=, <>, <, <=, >, >=, in or is null");
  }

  #term(): Term {
    const first = this.#name();
    if (!this.#take("(")) return { text: first, name: first, transform: null };
    const parameter = /^\d+$/.test(this.#peek()) ? this.#advance() : null;
    if (parameter !== null) this.#expect(",");
    const name = this.#name();
    this.#expect(")");
    const kind = first.toLowerCase();
    return {
      text: `${kind}(${parameter === null ? "" : `${parameter}, `}${name})`,
      name,
      transform: parameter === null ? kind : `${kind}[${parameter}]`,
    };
  }

  #name(): string {
    const token = this.#peek();
    if (token.startsWith('"')) return this.#advance().slice(1, -1).replaceAll('""', '"');
    if (!/^[A-Za-z_]/.test(token)) throw this.#refused("a partition field or a column");
    return this.#advance();
  }

  #literal(): Literal {
    const token = this.#peek();
    if (token.startsWith("'")) {
      this.#advance();
      return { text: token, kind: "text", value: token.slice(1, -1).replaceAll("''", "'") };
    }
    if (/^(true|false)$/i.test(token)) {
      return { text: this.#advance(), kind: "boolean", value: token.toLowerCase() };
    }
    if (this.#take("now")) return this.#now();
    const sign = this.#take("-") ? "-" : "";
    if (!/^\d+(\.\d+)?$/.test(this.#peek()))
      throw this.#refused("a number, a text in single quotes, true, false or now");
    const number = sign + this.#advance();
    return { text: number, kind: "number", value: number };
  }

  #now(): Literal {
    if (this.#take("(")) this.#expect(")");
    if (!this.#take("-")) return { text: "now", kind: "now", value: "0" };
    const token = this.#peek();
    const [, count, unit] = /^(\d+)([mhd])$/.exec(token) ?? [];
    if (count === undefined || unit === undefined) throw this.#refused("a time such as 7d, 12h or 30m");
    this.#advance();
    return { text: `now - ${token}`, kind: "now", value: String(Number(count) * (MS[unit] ?? 0)) };
  }

  #peek(): string {
    return this.#tokens[this.#next] ?? "";
  }

  #advance(): string {
    return this.#tokens[this.#next++] ?? "";
  }

  #take(word: string): boolean {
    if (this.#peek().toLowerCase() !== word) return false;
    this.#next++;
    return true;
  }

  #expect(word: string): void {
    if (!this.#take(word)) throw this.#refused(`"${word}"`);
  }

  #refused(expected: string): FrazilError {
    const found = this.#peek();
    return new FrazilError(
      "config",
      "COMPACT_SCOPE",
      `${JSON.stringify(this.#text)}: expected ${expected}, found ${found === "" ? "the end" : found}`,
      { hint: "--where \"region = 'eu' and day(created_at) >= now - 7d\"" },
    );
  }
}
