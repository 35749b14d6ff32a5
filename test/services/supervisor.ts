/**
 * The background process behind `npm run services -- up <name>`: it owns one server as its direct child, announces it in
 * the cache folder, and ends with it. Started by `cli.ts` as `supervisor.ts <name> <StartOptions as JSON>`.
 */
import { tryLock } from "./cache.ts";
import { type ServerName, serverNames, servers } from "./registry.ts";
import type { StartOptions } from "./server.ts";
import { removeSupervised, supervisionFiles, writeSupervised } from "./supervised.ts";

const [name, options] = process.argv.slice(2) as [ServerName, string];
if (!serverNames.includes(name)) throw new Error(`expected one of ${serverNames.join(", ")}, found ${name}`);

// Held until this process ends: it is what tells others that the announcement is true.
const lock = tryLock((await supervisionFiles(name)).lock);
if (lock === null) throw new Error(`${name} is already running`);
await removeSupervised(name);

const asked = new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => resolve());
});
const server = await servers[name].start(JSON.parse(options) as StartOptions);
await writeSupervised({
  name,
  supervisorPid: process.pid,
  address: server.address,
  folder: server.folder,
  env: server.env,
});
// Without this a server that died by itself would still be announced.
const poll = setInterval(() => {
  if (server.pid === null) process.kill(process.pid, "SIGTERM");
}, 500);
await asked;
clearInterval(poll);
await removeSupervised(name);
await server.stop();
lock[Symbol.dispose]();
