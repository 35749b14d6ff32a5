import { hash } from "node:crypto";
import type { FileIO, TableIdent } from "../../table-format/index.ts";
import { FrazilError } from "./errors.ts";

/**
 * How far a named reader of a table's changes has come. It lies in the warehouse, at `consumerLocation`, and is replaced with If-Match
 * only: whoever was fenced cannot write it.
 */
export interface ConsumerState {
  /** The table that is read: one of the same name that was made anew is another one. */
  readonly tableUuid: string;
  /** Rises by one with every process that takes the consumer over. */
  readonly epoch: bigint;
  /** The snapshot up to which all changes have been handled; null: none, from the empty table on. */
  readonly after: bigint | null;
  /**
   * Snapshots behind `after`, in order, whose changes were given out and not committed yet. A reader that begins again gets these very
   * steps once more, also when `main` has moved on: rows that he may have taken must be there to be changed or deleted by what follows.
   */
  readonly given: readonly bigint[];
  /** When it was written: milliseconds since 1970 UTC. */
  readonly updatedMs: number;
  /** Whoever wrote it, and how often, so that no two objects have equal bytes. */
  readonly by: string;
  readonly revision: number;
}

/** A consumer of a table, by its name. */
export interface NamedConsumer {
  readonly name: string;
  readonly state: ConsumerState;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** What no reader can be called: a job that reads the table, and where it writes to when that is another warehouse. */
const JOB_NAME = /^job\.[a-z0-9-]{1,40}(\.[0-9a-f]{8})?$/;

/** @throws FrazilError `config`, code `BAD_CONSUMER`, for a name that cannot be one of an object. */
export function checkConsumerName(name: string): void {
  if (NAME.test(name)) return;
  throw new FrazilError("config", "BAD_CONSUMER", `a consumer cannot be called "${name}"`, {
    hint: "write a letter or digit, then up to 63 letters, digits, _ and -",
  });
}

/**
 * The name under which a job that reads a table holds what it has yet to read.
 * @param warehouse where it writes to; null: into the warehouse that it reads from
 */
export function jobConsumerName(pipeline: string, warehouse: string | null): string {
  const suffix = warehouse === null ? "" : `.${hash("sha256", warehouse, "hex").slice(0, 8)}`;
  return `job.${pipeline}${suffix}`;
}

/** Whether a consumer is a job, whose position is in its own tables: what is known here is only what it may still need. */
export function isJobConsumer(name: string): boolean {
  return JOB_NAME.test(name);
}

/** Where a consumer's state lies: `<warehouse>/_frazil/consumers/<namespace>/<table>/<name>.json`. */
export function consumerLocation(warehouseLocation: string, ident: TableIdent, name: string): string {
  return `${consumerFolder(warehouseLocation, ident)}/${name}.json`;
}

/** The folder of a table's consumers, outside of the table's own: no clean-up of the table looks there. */
function consumerFolder(warehouseLocation: string, { namespace, name }: TableIdent): string {
  return `${warehouseLocation}/_frazil/consumers/${namespace.map(folderName).join(".")}/${folderName(name)}`;
}

/** Letters, digits, `_` and `-` stay; every other byte becomes `~` and two digits, so that two names never share a folder. */
function folderName(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `~${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** All consumers of a table, by name. @throws FrazilError `corrupt` for a state that cannot be read. */
export async function listConsumers(
  io: FileIO,
  warehouseLocation: string,
  ident: TableIdent,
): Promise<NamedConsumer[]> {
  const folder = consumerFolder(warehouseLocation, ident);
  const found: NamedConsumer[] = [];
  for await (const { location } of io.list(folder)) {
    const name = /^([^/]+)\.json$/.exec(location.slice(folder.length + 1))?.[1];
    if (name === undefined || !(NAME.test(name) || JOB_NAME.test(name))) continue;
    const tagged = await io.readTagged(location);
    if (tagged !== null) found.push({ name, state: parseConsumerState(tagged.bytes, location) });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The bytes of a state. */
export function consumerStateBytes(state: ConsumerState): Uint8Array {
  const { tableUuid, epoch, after, given, updatedMs, by, revision } = state;
  return Buffer.from(
    JSON.stringify({
      version: 1,
      table_uuid: tableUuid,
      epoch: String(epoch),
      after: after === null ? null : String(after),
      given: given.map(String),
      updated: new Date(updatedMs).toISOString(),
      by,
      revision,
    }),
  );
}

/** Reads `consumerStateBytes` back. @throws FrazilError `corrupt`, code `CONSUMER_CORRUPT`. */
export function parseConsumerState(bytes: Uint8Array, location: string): ConsumerState {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
      version: number;
      table_uuid: string;
      epoch: string;
      after: string | null;
      given: string[];
      updated: string;
      by: string;
      revision: number;
    };
    if (json.version !== 1) throw new Error(`version 1 expected, ${json.version} found`);
    return {
      tableUuid: json.table_uuid,
      epoch: BigInt(json.epoch),
      after: json.after === null ? null : BigInt(json.after),
      given: json.given.map(BigInt),
      updatedMs: Date.parse(json.updated),
      by: json.by,
      revision: json.revision,
    };
  } catch (cause) {
    throw new FrazilError("corrupt", "CONSUMER_CORRUPT", `the consumer ${location} cannot be read: ${String(cause)}`, {
      cause,
      hint: "remove it with frazil consumers --delete, or put the object back as it was",
    });
  }
}
