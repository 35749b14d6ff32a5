import type { TableIdent } from "./catalog.ts";
import { checkNames } from "./ident.ts";
import { namespaceMissing, namespaceNotEmpty } from "./lifecycle-errors.ts";
import type { CatalogNamespaces } from "./managed-catalog.ts";

interface Namespace {
  readonly levels: readonly string[];
  readonly properties: ReadonlyMap<string, string>;
}

/** The namespaces of a catalog in memory. */
export class MemoryNamespaces implements CatalogNamespaces {
  readonly #all = new Map<string, Namespace>();
  readonly #tables: (namespace: readonly string[]) => readonly TableIdent[];

  constructor(tables: (namespace: readonly string[]) => readonly TableIdent[]) {
    this.#tables = tables;
  }

  list(): readonly (readonly string[])[] {
    return [...this.#all.values()].map(({ levels }) => levels);
  }

  ensure(levels: readonly string[]): void {
    checkNames(levels);
    const key = levels.join(".");
    if (!this.#all.has(key)) this.#all.set(key, { levels, properties: new Map() });
  }

  async properties(levels: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    return this.#all.get(levels.join("."))?.properties ?? null;
  }

  async create(levels: readonly string[], properties: ReadonlyMap<string, string>): Promise<boolean> {
    if (this.#all.has(levels.join("."))) return false;
    checkNames(levels);
    this.#all.set(levels.join("."), { levels, properties: new Map(properties) });
    return true;
  }

  async change(
    levels: readonly string[],
    updates: ReadonlyMap<string, string>,
    removals: readonly string[],
  ): Promise<void> {
    const held = this.#all.get(levels.join("."));
    if (held === undefined) throw namespaceMissing(levels);
    const properties = new Map([...held.properties, ...updates]);
    for (const key of removals) properties.delete(key);
    this.#all.set(levels.join("."), { levels, properties });
  }

  async drop(levels: readonly string[]): Promise<void> {
    const key = levels.join(".");
    if (!this.#all.has(key)) throw namespaceMissing(levels);
    const isInner = [...this.#all.keys()].some((other) => other.startsWith(`${key}.`));
    if (isInner || this.#tables(levels).length > 0) throw namespaceNotEmpty(levels);
    this.#all.delete(key);
  }

  async views(): Promise<readonly TableIdent[]> {
    return [];
  }
}
