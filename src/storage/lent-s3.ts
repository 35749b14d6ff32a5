import type { FileEntry, FileIO, LentCredential } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { createS3Storage, type S3Credentials, type S3Deps, type S3Settings } from "./s3.ts";

/**
 * S3 with access that a catalog lends for the locations below a prefix, in the place of the settings' own credentials. Where nothing
 * is lent the settings count.
 *
 * @param lend what is lent for a location, renewed when it is about to end; null: nothing
 */
export function createLentS3Storage(
  settings: S3Settings,
  deps: S3Deps,
  lend: (location: string) => Promise<LentCredential | null>,
): FileIO {
  const own = createS3Storage(settings, deps);
  const stores = new Map<string, FileIO>();
  const storeOf = async (location: string): Promise<FileIO> => {
    const lent = await lend(location);
    if (lent === null) return own;
    const held = stores.get(lent.prefix);
    if (held !== undefined) return held;
    const credentials = async (): Promise<S3Credentials> => credentialsOf((await lend(location)) ?? lent);
    const store = createS3Storage(lentSettings(settings, lent, credentials), deps);
    stores.set(lent.prefix, store);
    return store;
  };
  return {
    read: async (location) => (await storeOf(location)).read(location),
    readRange: async (location, offset, length) => (await storeOf(location)).readRange(location, offset, length),
    stat: async (location) => (await storeOf(location)).stat(location),
    readTagged: async (location) => (await storeOf(location)).readTagged(location),
    write: async (location, bytes) => (await storeOf(location)).write(location, bytes),
    openWrite: async (location) => (await storeOf(location)).openWrite(location),
    create: async (location, bytes) => (await storeOf(location)).create(location, bytes),
    replace: async (location, bytes, etag) => (await storeOf(location)).replace(location, bytes, etag),
    async *list(prefix): AsyncGenerator<FileEntry> {
      yield* (await storeOf(prefix)).list(prefix);
    },
    delete: async (location) => (await storeOf(location)).delete(location),
  };
}

/** The catalog's words for the store over the job's. */
function lentSettings(
  settings: S3Settings,
  { properties }: LentCredential,
  credentials: () => Promise<S3Credentials>,
): S3Settings {
  const pathStyle = properties.get("s3.path-style-access");
  return {
    ...settings,
    endpoint: properties.get("s3.endpoint") ?? settings.endpoint,
    region: properties.get("client.region") ?? properties.get("s3.region") ?? settings.region,
    pathStyle: pathStyle === undefined ? settings.pathStyle : pathStyle === "true",
    accessKeyId: undefined,
    secretAccessKey: undefined,
    sessionToken: undefined,
    credentials,
  };
}

function credentialsOf({ prefix, properties }: LentCredential): S3Credentials {
  const accessKeyId = properties.get("s3.access-key-id");
  const secretAccessKey = properties.get("s3.secret-access-key");
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new FrazilError("unsupported", "LENT_ACCESS", `${prefix}: the catalog lends access that is not S3's`);
  }
  const sessionToken = properties.get("s3.session-token");
  const end = properties.get("s3.session-token-expires-at-ms");
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(end === undefined ? {} : { expiration: new Date(Number(end)) }),
  };
}
