import type { PrimitiveType, TableIdent } from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { TableBinding, TableRouter } from "../../core/table-binding.ts";
import { needsTimes, type TableRule } from "../../core/table-rule.ts";
import { ownColumn } from "../changes/history-batch.ts";

/** A binding together with the rule that made it and the table it names. */
export interface RoutedTable {
  readonly binding: TableBinding;
  readonly rule: TableRule;
  readonly ident: TableIdent;
  /** The table's present types; decoders see changes at once. */
  readonly existing: Map<string, PrimitiveType>;
}

/** Routes changes to tables by the job's rules, the first match winning, and numbers the tables as they come up. */
export class RuleRouter implements TableRouter {
  readonly #rules: readonly { readonly rule: TableRule; readonly pattern: RegExp }[];
  readonly #existing: ReadonlyMap<string, ReadonlyMap<string, PrimitiveType>>;
  readonly #byTarget = new Map<string, RoutedTable>();
  readonly #byInput = new Map<string, TableBinding | null>();
  readonly #tables: RoutedTable[] = [];

  /** @param existing the types of tables that exist already, by `namespace.table`. */
  constructor(rules: readonly TableRule[], existing: ReadonlyMap<string, ReadonlyMap<string, PrimitiveType>>) {
    this.#rules = rules.map((rule) => ({ rule, pattern: globPattern(rule.from) }));
    this.#existing = existing;
  }

  /** The table behind `ChangeBatch.table`. */
  table(number: number): RoutedTable {
    return must(this.#tables[number], `table ${number} was routed before`);
  }

  byStream(stream: string): TableBinding | null {
    return this.#cached(`s\0${stream}`, () => {
      const found = this.#rules.find(({ pattern }) => pattern.test(stream));
      return found === undefined ? null : this.#bind(found.rule, stream, null);
    });
  }

  route(stream: string, tableId: string | null): TableBinding | null {
    if (tableId === null) return this.byStream(stream);
    return this.#cached(`t\0${stream}\0${tableId}`, () => {
      const found = this.#rules.find(({ pattern }) => pattern.test(stream) || pattern.test(tableId));
      return found === undefined ? null : this.#bind(found.rule, stream, tableId);
    });
  }

  #cached(input: string, find: () => TableBinding | null): TableBinding | null {
    let binding = this.#byInput.get(input);
    if (binding === undefined) {
      binding = find();
      this.#byInput.set(input, binding);
    }
    return binding;
  }

  #bind(rule: TableRule, stream: string, tableId: string | null): TableBinding {
    const target = fillTarget(rule.to, stream, tableId);
    const known = this.#byTarget.get(target);
    if (known !== undefined) {
      if (known.rule === rule) return known.binding;
      throw new FrazilError(
        "config",
        "TARGET_TWICE",
        `table ${target} is the target of two entries of tables: (from: ${known.rule.from} and from: ${rule.from})`,
        { hint: "give one entry a pattern that covers both, or write to two tables" },
      );
    }
    const existing = new Map(this.#existing.get(target));
    const keepsColumns = rule.schemaChanges === "ignore";
    const binding: TableBinding = {
      table: this.#tables.length,
      target,
      mode: rule.mode,
      timed: needsTimes(rule),
      orderBy: rule.orderBy,
      ownColumn: ownColumn(rule) ?? undefined,
      onceDeleted: rule.softDelete !== undefined || rule.orderBy !== undefined || rule.ignoreDeletes === true,
      key: rule.key,
      columns: rule.columns,
      existing,
      keepsColumns,
    };
    const routed = { binding, rule, ident: parseTarget(target), existing };
    this.#tables.push(routed);
    this.#byTarget.set(target, routed);
    return binding;
  }
}

/** Whether some rule can write to a table: placeholders match any text. */
export function targetMatcher(rules: readonly TableRule[]): (ident: TableIdent) => boolean {
  const patterns = rules.map(
    (rule) =>
      new RegExp(
        `^${rule.to
          .split(/\$\{[a-z]+\}/)
          .map(escapeRegExp)
          .join(".+")}$`,
      ),
  );
  return (ident) => {
    const name = [...ident.namespace, ident.name].join(".");
    return patterns.some((pattern) => pattern.test(name));
  };
}

function globPattern(glob: string): RegExp {
  const body = glob
    .split(/([*?])/)
    .map((part) => (part === "*" ? ".*" : part === "?" ? "." : escapeRegExp(part)))
    .join("");
  return new RegExp(`^${body}$`);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** `${table}` is the last part of the table id, or of the stream when the format carries none; `${schema}` and `${db}` what stands before it. */
function fillTarget(to: string, stream: string, tableId: string | null): string {
  const parts = (tableId ?? stream).split(".");
  const table = parts[parts.length - 1] as string;
  const parent = parts[parts.length - 2];
  return to.replace(/\$\{([a-z]+)\}/g, (placeholder, name: string) => {
    const value = { topic: stream.replaceAll(".", "_"), table, schema: parent, db: parent }[name];
    if (value !== undefined) return value;
    throw new FrazilError(
      "config",
      "TARGET_PLACEHOLDER",
      `tables: to: ${to} uses ${placeholder}, but ${tableId ?? stream} has no such part`,
      { hint: "known are ${topic}, ${table}, ${schema} and ${db}" },
    );
  });
}

function parseTarget(target: string): TableIdent {
  const parts = target.split(".");
  const name = parts.pop();
  if (name === undefined || name === "" || parts.length === 0 || parts.includes("")) {
    throw new FrazilError("config", "TARGET_NAME", `tables: to: ${JSON.stringify(target)} is not namespace.table`, {
      hint: "write to: shop.orders",
    });
  }
  return { namespace: parts, name };
}
