import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { parseJson } from "../json/exact-json.ts";
import { JsonFields } from "../json/fields.ts";
import type { TableIdent } from "./catalog.ts";
import { checkNames } from "./ident.ts";
import { namespaceMissing, namespaceNotEmpty } from "./lifecycle-errors.ts";
import type { CatalogNamespaces } from "./managed-catalog.ts";

/** What a namespace's folder holds where the namespace has properties, or is to be there without tables. */
export function namespaceFile(folder: string): string {
  return `${folder}/_namespace.json`;
}

/**
 * The namespaces of folders. One is there if a table is, or the file with its properties, which is replaced with `If-Match`: of two that
 * change properties at once, one gets a conflict.
 */
export class ObjectStoreNamespaces implements CatalogNamespaces {
  readonly #io: FileIO;
  readonly #folder: (namespace: readonly string[]) => string;
  readonly #holdsTables: (namespace: readonly string[]) => Promise<boolean>;

  constructor(
    io: FileIO,
    folder: (namespace: readonly string[]) => string,
    holdsTables: (namespace: readonly string[]) => Promise<boolean>,
  ) {
    this.#io = io;
    this.#folder = folder;
    this.#holdsTables = holdsTables;
  }

  async properties(namespace: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    const held = await this.#read(namespace);
    if (held !== null) return held.properties;
    return (await this.#holdsTables(namespace)) ? new Map() : null;
  }

  async create(namespace: readonly string[], properties: ReadonlyMap<string, string>): Promise<boolean> {
    if ((await this.properties(namespace)) !== null) return false;
    const { outcome } = await this.#io.create(this.#file(namespace), fileBytes(properties));
    return outcome === "created";
  }

  async change(
    namespace: readonly string[],
    updates: ReadonlyMap<string, string>,
    removals: readonly string[],
  ): Promise<void> {
    const held = await this.#read(namespace);
    if (held === null && !(await this.#holdsTables(namespace))) throw namespaceMissing(namespace);
    const properties = new Map([...(held?.properties ?? []), ...updates]);
    for (const key of removals) properties.delete(key);
    const [file, bytes] = [this.#file(namespace), fileBytes(properties)];
    const { outcome } =
      held === null ? await this.#io.create(file, bytes) : await this.#io.replace(file, bytes, held.etag);
    if (outcome === "created" || outcome === "replaced") return;
    const message = `somebody has changed the properties of ${namespace.join(".")} meanwhile`;
    throw new FrazilError("conflict", "NAMESPACE_CHANGED", message, { hint: "try again" });
  }

  async drop(namespace: readonly string[]): Promise<void> {
    const file = this.#file(namespace);
    if ((await this.properties(namespace)) === null) throw namespaceMissing(namespace);
    for await (const { location } of this.#io.list(this.#folder(namespace))) {
      const isInner = location !== file && location.endsWith(namespaceFile(""));
      if (isInner || location.endsWith("/metadata/version-hint.text")) throw namespaceNotEmpty(namespace);
    }
    await this.#io.delete(file);
  }

  async views(): Promise<readonly TableIdent[]> {
    return [];
  }

  async #read(
    namespace: readonly string[],
  ): Promise<{ readonly properties: ReadonlyMap<string, string>; readonly etag: string } | null> {
    const file = this.#file(namespace);
    const tagged = await this.#io.readTagged(file);
    if (tagged === null) return null;
    const json = new JsonFields(parseJson(new TextDecoder().decode(tagged.bytes)), file);
    return { properties: json.strings("properties"), etag: tagged.etag };
  }

  #file(namespace: readonly string[]): string {
    checkNames(namespace);
    return namespaceFile(this.#folder(namespace));
  }
}

function fileBytes(properties: ReadonlyMap<string, string>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ properties: Object.fromEntries(properties) }));
}
