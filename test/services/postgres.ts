import { chownSync, existsSync, globSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { findExecutable } from "./owned-process.ts";
import { freePort } from "./ports.ts";
import type { Progress } from "./progress.ts";
import { type RunningServer, serverFolder, type StartOptions, startServer } from "./server.ts";
import { runTool } from "./tools.ts";
import { Unavailable } from "./unavailable.ts";

/** A PostgreSQL server with the empty database `lake`. */
export type RunningPostgres = RunningServer & {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** `postgres://user@host:port/database`, without the password. */
  readonly uri: string;
  /** Whom to trust, where the server was started with TLS: a PEM text's path. */
  readonly ca: string | null;
};

const access = { user: "frazil", password: "frazil-secret", database: "lake" } as const;

/** Nobody: PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65534;

/** The folder of PostgreSQL's programs, on PATH or where Debian puts them. */
export async function installPostgres(_progress: Progress): Promise<string> {
  const onPath = findExecutable("initdb");
  const folders = [
    ...(onPath === null ? [] : [dirname(onPath)]),
    ...globSync("/usr/lib/postgresql/*/bin").toReversed(),
  ];
  const folder = folders.find((each) => existsSync(join(each, "initdb")) && existsSync(join(each, "postgres")));
  if (folder !== undefined) return folder;
  throw new Unavailable("PostgreSQL is not installed", "install it, for example `apt-get install postgresql`");
}

/** Starts PostgreSQL. Data that was committed before a kill is there after the restart. */
export async function startPostgres(
  options: StartOptions & { readonly tls?: boolean; readonly progress?: Progress } = {},
): Promise<RunningPostgres> {
  const programs = await installPostgres(options.progress ?? (() => undefined));
  const folder = await serverFolder("postgres", options);
  const data = join(folder.path, "data");
  const isNew = !existsSync(data);
  if (isNew) mkdirSync(data, { mode: 0o700 });
  const passwords = join(folder.path, "password");
  writeFileSync(passwords, access.password);
  const ca = options.tls === true ? await certificate(folder.path) : null;
  own(folder.path);
  if (isNew) {
    const [command, ...args] = unprivileged(join(programs, "initdb"));
    const init = ["-D", data, "-U", access.user, "-A", "scram-sha-256", `--pwfile=${passwords}`];
    await runTool(command, [...args, ...init, "-E", "UTF8", "--no-locale", "--no-sync"], { cwd: folder.path });
  }
  const [host, port] = ["127.0.0.1", options.port ?? (await freePort())];
  const settings = [
    `port=${port}`,
    `listen_addresses=${host}`,
    "unix_socket_directories=",
    // What is lost with the machine does not matter here; a killed server loses nothing by it.
    "fsync=off",
    ...(ca === null ? [] : ["ssl=on", `ssl_cert_file=${ca}`, `ssl_key_file=${join(folder.path, "server.key")}`]),
  ];
  const uri = `postgres://${access.user}@${host}:${port}/${access.database}`;
  const server = await startServer({
    name: "postgres",
    address: `${host}:${port}`,
    env: { POSTGRES_URI: uri, POSTGRES_PASSWORD: access.password },
    folder,
    command: [...unprivileged(join(programs, "postgres")), "-D", data, ...settings.flatMap((each) => ["-c", each])],
    // Its SIGTERM waits for the clients to go.
    stopSignal: "SIGINT",
    answers: () => hasDatabase(host, port),
  });
  return Object.assign(server, { ...access, host, port, uri, ca });
}

/** Root gives the server's files to nobody, too. */
function own(path: string): void {
  if (process.getuid?.() !== 0) return;
  chownSync(path, UNPRIVILEGED, UNPRIVILEGED);
  for (const entry of readdirSync(path)) chownSync(join(path, entry), UNPRIVILEGED, UNPRIVILEGED);
}

/** The command that becomes `program`, without root's rights; it still dies with its parent, which a change of user makes it forget. */
function unprivileged(program: string): [string, ...string[]] {
  if (process.getuid?.() !== 0) return [program];
  const user = ["--reuid", String(UNPRIVILEGED), "--regid", String(UNPRIVILEGED), "--clear-groups"];
  return ["setpriv", ...user, "--", "setpriv", "--pdeathsig", "KILL", "--", program];
}

async function certificate(folder: string): Promise<string> {
  const [key, cert] = [join(folder, "server.key"), join(folder, "server.crt")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await runTool("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    ...subject,
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  return cert;
}

/** Asks the server, and makes the database on its first start. */
async function hasDatabase(host: string, port: number): Promise<boolean> {
  const client = new pg.Client({ ...access, host, port, database: "postgres", ssl: false });
  await client.connect();
  try {
    const { rows } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [access.database]);
    if (rows.length === 0) await client.query(`CREATE DATABASE ${access.database}`);
    return true;
  } finally {
    await client.end();
  }
}
