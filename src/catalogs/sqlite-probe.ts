import { execFile } from "node:child_process";
import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { FrazilError } from "../core/errors.ts";
import { randomUuid, type Runtime } from "../core/runtime.ts";

/** SQLite's answer when somebody else holds the lock. */
const SQLITE_BUSY = 5;

const CHILD_TIMEOUT_MS = 30_000;

/** In another process: tries to write, and prints SQLite's code, or 0 and how many rows there are. */
const CHILD = `
import { DatabaseSync } from "node:sqlite";
const database = new DatabaseSync(process.argv[1], { timeout: 0 });
try {
  database.exec("BEGIN IMMEDIATE");
  database.exec("INSERT INTO probe VALUES ('child')");
  database.exec("COMMIT");
  console.log("0 " + database.prepare("SELECT count(*) AS n FROM probe").get().n);
} catch (error) {
  console.log(((error.errcode ?? 0) % 256) + " 0");
}
`;

/** Linux's types (statfs(2)) of file systems on disks and in the memory of one machine: ext2-4, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs, overlayfs. */
const OWN_DISKS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x01021994, 0x794c7630,
]);

/**
 * At a start: tries locks as `probeSqlite` where they may do nothing, which is on file systems other than this machine's own. It takes two
 * processes, a tenth of a second each, so disks are taken at their word.
 *
 * @param typeOf for tests
 * @throws FrazilError as `probeSqlite`
 */
export async function probeForeignDisk(
  folder: string,
  node: string,
  { random, log }: Pick<Runtime, "random" | "log">,
  typeOf: (path: string) => Promise<number> = async (path) => (await statfs(path)).type,
): Promise<void> {
  if (OWN_DISKS.has(await typeOf(folder))) return;
  try {
    await probeSqlite(join(folder, `.frazil-probe-${randomUuid(random)}.sqlite`), node);
  } catch (error) {
    if (error instanceof FrazilError) throw error;
    // Nothing was seen of the locks: a program that cannot be started here says nothing of them.
    log.warn("the locks of the catalog's file could not be tried", { folder, cause: String(error) });
  }
}

/**
 * Tries transactions and locks of SQLite on the file system of a catalog: a writer of another process is kept out while one of ours is at
 * it, sees what it has committed, and what is taken back is gone. Network file systems whose locks do nothing lose commits.
 *
 * @param path of a file that is not there; it is removed @param node the program that runs the other process
 * @throws FrazilError kind `config`, code `SQLITE_LOCKS`
 */
export async function probeSqlite(path: string, node: string): Promise<string> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("CREATE TABLE probe (who TEXT)");
    database.exec("BEGIN IMMEDIATE");
    database.exec("INSERT INTO probe VALUES ('parent')");
    const [meanwhile] = await inAnotherProcess(path, node);
    if (meanwhile !== SQLITE_BUSY) throw refused("a second writer to be kept out", `SQLite's code ${meanwhile}`);
    database.exec("COMMIT");
    const [after, rows] = await inAnotherProcess(path, node);
    if (after !== 0) throw refused("another process to write once the first one is done", `SQLite's code ${after}`);
    if (rows !== 2) throw refused("another process to see what was committed", `${rows} rows`);
    database.exec("BEGIN IMMEDIATE");
    database.exec("INSERT INTO probe VALUES ('taken back')");
    database.exec("ROLLBACK");
    const count = database.prepare("SELECT count(*) AS n FROM probe").get()?.["n"];
    if (count !== 2) throw refused("2 rows behind a rollback", String(count));
    return "a second process is kept out during a transaction, and sees what was committed";
  } finally {
    database.close();
    for (const suffix of ["", "-journal", "-wal", "-shm"]) await rm(path + suffix, { force: true });
  }
}

async function inAnotherProcess(path: string, node: string): Promise<[code: number, rows: number]> {
  const args = ["--no-warnings", "--input-type=module", "--eval", CHILD, path];
  const { stdout } = await promisify(execFile)(node, args, { timeout: CHILD_TIMEOUT_MS });
  const [code = NaN, rows = NaN] = stdout.trim().split(" ").map(Number);
  return [code, rows];
}

function refused(expected: string, found: string): FrazilError {
  return new FrazilError("config", "SQLITE_LOCKS", `expected ${expected}, found ${found}`, {
    hint: "keep the catalog's file (catalog.path) or the warehouse's folder on a disk of this machine, or the warehouse on a store that speaks S3",
  });
}
