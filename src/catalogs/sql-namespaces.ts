import {
  type CatalogNamespaces,
  checkNames,
  namespaceMissing,
  namespaceNotEmpty,
  type TableIdent,
} from "../../table-format/index.ts";
import { beginsWith, query, type SqlDatabase, type SqlSteps } from "./sql-steps.ts";
import { entryNames, EXISTS, markNamespace } from "./sql-tables.ts";

/** The namespaces of a SQL catalog: those that have properties, and those that tables or views are in. */
export class SqlNamespaces implements CatalogNamespaces {
  readonly #catalog: string;
  readonly #database: SqlDatabase;
  readonly #settle: (steps: () => SqlSteps<null>) => Promise<void>;

  /** @param settle runs steps in a transaction that is certain to be in effect afterwards, or throws */
  constructor(catalog: string, database: SqlDatabase, settle: (steps: () => SqlSteps<null>) => Promise<void>) {
    this.#catalog = catalog;
    this.#database = database;
    this.#settle = settle;
  }

  async list(): Promise<readonly (readonly string[])[]> {
    const rows = await this.#database.read(() =>
      query(
        `SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?
         UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?`,
        this.#catalog,
        this.#catalog,
      ),
    );
    const names = rows.map((row) => String(row["namespace"])).toSorted();
    return names.map((name) => name.split("."));
  }

  async ensure(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
    await this.#settle(() => markNamespace(this.#catalog, namespace));
  }

  properties(namespace: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    return this.#database.read(() => readProperties(this.#catalog, namespace));
  }

  async create(namespace: readonly string[], properties: ReadonlyMap<string, string>): Promise<boolean> {
    checkNames(namespace);
    const catalog = this.#catalog;
    let isNew = false;
    await this.#settle(function* () {
      isNew = (yield* readProperties(catalog, namespace)) === null;
      if (!isNew) return null;
      yield* markNamespace(catalog, namespace);
      yield* setProperties(catalog, namespace, properties);
      return null;
    });
    return isNew;
  }

  async change(
    namespace: readonly string[],
    updates: ReadonlyMap<string, string>,
    removals: readonly string[],
  ): Promise<void> {
    const catalog = this.#catalog;
    await this.#settle(function* () {
      if ((yield* readProperties(catalog, namespace)) === null) throw namespaceMissing(namespace);
      yield* markNamespace(catalog, namespace);
      yield* setProperties(catalog, namespace, updates);
      for (const property of removals) {
        if (property === EXISTS) continue;
        yield* query(
          "DELETE FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ? AND property_key = ?",
          catalog,
          namespace.join("."),
          property,
        );
      }
      return null;
    });
  }

  async drop(namespace: readonly string[]): Promise<void> {
    const catalog = this.#catalog;
    await this.#settle(function* () {
      if ((yield* readProperties(catalog, namespace)) === null) throw namespaceMissing(namespace);
      const name = namespace.join(".");
      const below = `${name}.`;
      const inside = yield* query(
        `SELECT table_namespace AS found FROM iceberg_tables
         WHERE catalog_name = ? AND (table_namespace = ? OR ${beginsWith("table_namespace")})
         UNION SELECT namespace FROM iceberg_namespace_properties
         WHERE catalog_name = ? AND ${beginsWith("namespace")}`,
        catalog,
        name,
        below,
        below,
        catalog,
        below,
        below,
      );
      if (inside.length > 0) throw namespaceNotEmpty(namespace);
      yield* query("DELETE FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?", catalog, name);
      return null;
    });
  }

  async views(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    const names = await this.#database.read(() => entryNames(this.#catalog, namespace.join("."), "view"));
    return names.map((name) => ({ namespace, name }));
  }
}

/** Null when there is no such namespace. */
function* readProperties(catalog: string, namespace: readonly string[]): SqlSteps<ReadonlyMap<string, string> | null> {
  const name = namespace.join(".");
  const rows = yield* query(
    "SELECT property_key, property_value FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?",
    catalog,
    name,
  );
  const properties = new Map(rows.map(({ property_key: key, property_value: value }) => [String(key), textOf(value)]));
  properties.delete(EXISTS);
  if (rows.length > 0) return properties;
  const inside = yield* query(
    "SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? LIMIT 1",
    catalog,
    name,
  );
  return inside.length > 0 ? properties : null;
}

/** Java may leave a value out. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function* setProperties(
  catalog: string,
  namespace: readonly string[],
  properties: ReadonlyMap<string, string>,
): SqlSteps<void> {
  for (const [property, value] of properties) {
    yield* query(
      `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
       VALUES (?, ?, ?, ?)
       ON CONFLICT (catalog_name, namespace, property_key) DO UPDATE SET property_value = excluded.property_value`,
      catalog,
      namespace.join("."),
      property,
      value,
    );
  }
}
