import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { Problem } from "./problems.ts";

/** A place in a text (both from 1) and what is wrong there. */
export interface PlacedProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const VARIABLE_IN_FLOW = '; inside {…} and […] put "${VARIABLE}" in quotes';

/** Whether an error lies on a line where `${` stands without quotes inside braces or brackets: YAML takes its brace for a map. */
function isUnquotedVariable(text: string, offset: number): boolean {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1).split("\n", 1)[0] ?? "";
  return /[[{,:]\s*\$\{/.test(line) && /[[{]/.test(line.replaceAll("${", ""));
}

/** A YAML text as plain data, with the way back from a path in the data to a place in the text. */
export interface YamlText {
  readonly value: unknown;
  /** Why it is no YAML; `value` is null then. */
  readonly problems: readonly PlacedProblem[];
  /** Scalars that `substitute` could not fill, in the order of the text. */
  readonly unfilled: readonly PlacedProblem[];
  positionOf(problem: Problem): { line: number; column: number };
}

/**
 * Parses YAML 1.2 (core schema) and passes every text scalar that is a value, never a key, through `substitute`: after parsing,
 * so that no value can change the structure of the file.
 */
export function readYaml(
  text: string,
  substitute: (scalar: string, problem: (message: string) => void) => string,
): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: PlacedProblem[] = document.errors.map((error) => ({
    ...place(error.pos[0]),
    message: error.message + (isUnquotedVariable(text, error.pos[0]) ? VARIABLE_IN_FLOW : ""),
  }));
  const unfilled: PlacedProblem[] = [];
  if (problems.length > 0) return { value: null, problems, unfilled, positionOf: () => place(0) };

  visit(document, {
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string") return;
      node.value = substitute(node.value, (message) => unfilled.push({ ...place(node.range?.[0] ?? 0), message }));
    },
  });
  return {
    value: document.toJS({ maxAliasCount: 100 }) as unknown,
    problems,
    unfilled,
    positionOf: (problem) => place(offsetOf(problem)),
  };

  /** Where a key or a value begins; for what is not in the text, where the map begins that lacks it. */
  function offsetOf(problem: Problem): number {
    let node: Node | null = document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [depth, part] of problem.path.entries()) {
      if (isAlias(node)) node = node.resolve(document) ?? null;
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
        if (!pair) break;
        const keyOffset = (pair.key as Node).range?.[0] ?? offset;
        next = pair.value;
        offset = keyOffset;
        const isLast = depth === problem.path.length - 1;
        // What a missing key inside a map lacks is reported at the map's own key.
        if (isLast && problem.at === "value" && next !== null) offset = (next as Node).range?.[0] ?? keyOffset;
      } else if (isSeq(node)) {
        next = node.items[Number(part)];
        if (next === undefined) break;
        offset = (next as Node).range?.[0] ?? offset;
      } else {
        break;
      }
      node = next as Node | null;
    }
    return offset;
  }
}
