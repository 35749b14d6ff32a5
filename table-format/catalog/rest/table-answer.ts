import { FrazilError } from "../../errors.ts";
import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";
import { tableMetadataOf } from "../../metadata/metadata-json.ts";
import { METADATA_ELEMENTS } from "../../metadata/snapshot-reader.ts";
import type { LoadedTable, TableIdent } from "../catalog.ts";

/** Access to a store that the catalog lends for the locations that begin with `prefix` (REST spec, `StorageCredential`). */
export interface LentCredential {
  readonly prefix: string;
  /** `s3.access-key-id`, `s3.secret-access-key`, `s3.session-token`, `s3.session-token-expires-at-ms`, `s3.endpoint`, … */
  readonly properties: ReadonlyMap<string, string>;
}

/** A table as the catalog answers it (REST spec, `LoadTableResult`). */
export interface TableAnswer {
  readonly table: LoadedTable;
  readonly lent: readonly LentCredential[];
}

const ANSWER_ELEMENTS = new Map([["metadata", METADATA_ELEMENTS]]);

/**
 * Reads a table from the answer to load, create, register or commit.
 * @throws FrazilError `corrupt` when it is none; `unsupported` for later format versions and encrypted tables.
 */
export function parseTableAnswer(text: string, ident: TableIdent): TableAnswer {
  const json = new JsonFields(parseJson(text, ANSWER_ELEMENTS), "");
  // A table that is staged has no file yet.
  const metadataLocation = json.has("metadata-location") ? json.string("metadata-location") : "";
  const metadata = tableMetadataOf(json.get("metadata") ?? null, metadataLocation || "metadata");
  return { table: { ident, metadata, metadataLocation }, lent: lentOf(json, metadata.location) };
}

/** What an answer lends: for several prefixes, or in the older form for the whole table. */
function lentOf(json: JsonFields, tableLocation: string): LentCredential[] {
  if (json.has("storage-credentials") && json.array("storage-credentials").length > 0) return parseCredentials(json);
  if (!json.has("config")) return [];
  const properties = json.strings("config");
  return properties.has("s3.access-key-id") || properties.get("s3.remote-signing-enabled") === "true"
    ? [{ prefix: tableLocation, properties }]
    : [];
}

/** The credentials of an answer (REST spec, `LoadCredentialsResponse`). */
export function parseCredentials(json: JsonFields): LentCredential[] {
  return json
    .objects("storage-credentials")
    .map((entry) => ({ prefix: entry.string("prefix"), properties: entry.strings("config") }));
}

/** @throws FrazilError `unsupported` where the catalog wants to sign each request to the store itself. */
export function refuseRemoteSigning(lent: readonly LentCredential[], table: string): void {
  for (const { properties } of lent) {
    if (properties.has("s3.access-key-id") || properties.get("s3.remote-signing-enabled") !== "true") continue;
    throw new FrazilError(
      "unsupported",
      "REST_REMOTE_SIGNING",
      `${table}: the catalog wants to sign requests to S3 itself`,
      {
        hint: "let the catalog vend credentials, or set warehouse.s3 and vended_credentials: false",
      },
    );
  }
}
