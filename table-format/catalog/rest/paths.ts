import type { TableIdent } from "../catalog.ts";

/** Between the levels of a namespace unless the server names another: the unit separator, encoded. */
const UNIT_SEPARATOR = "%1F";

/** Writes names into the paths of a catalog's routes. */
export class RestPaths {
  readonly #base: string;
  readonly #separator: string;
  readonly #decodedSeparator: string;

  /**
   * @param properties the merged configuration: `prefix` goes behind `v1` as it stands, `namespace-separator` comes encoded.
   * @throws URIError for a separator that is not encoded as it must be.
   */
  constructor(properties: ReadonlyMap<string, string>) {
    const prefix = properties.get("prefix")?.replace(/^\/+|\/+$/g, "") ?? "";
    this.#base = prefix === "" ? "v1" : `v1/${prefix}`;
    this.#separator = properties.get("namespace-separator") ?? UNIT_SEPARATOR;
    this.#decodedSeparator = decodeURIComponent(this.#separator);
  }

  namespaces(): string {
    return `${this.#base}/namespaces`;
  }

  namespace(levels: readonly string[]): string {
    return `${this.namespaces()}/${levels.map(encodeURIComponent).join(this.#separator)}`;
  }

  /** The levels as the value of `parent=`, not encoded yet. */
  parent(levels: readonly string[]): string {
    return levels.join(this.#decodedSeparator);
  }

  tables(namespace: readonly string[]): string {
    return `${this.namespace(namespace)}/tables`;
  }

  table({ namespace, name }: TableIdent): string {
    return `${this.tables(namespace)}/${encodeURIComponent(name)}`;
  }

  views(namespace: readonly string[]): string {
    return `${this.namespace(namespace)}/views`;
  }

  register(namespace: readonly string[]): string {
    return `${this.namespace(namespace)}/register`;
  }

  rename(): string {
    return `${this.#base}/tables/rename`;
  }

  transaction(): string {
    return `${this.#base}/transactions/commit`;
  }
}
