import { installGoCommand } from "./go-install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningServer, serverFolder, startServer } from "./server.ts";

/** What toxiproxy can do to one direction of a connection; the attributes are its own, times in milliseconds, rates in KB/s. */
export type Toxic = {
  readonly type: "latency" | "timeout" | "reset_peer" | "bandwidth" | "slicer" | "limit_data";
  readonly attributes: Readonly<Record<string, number>>;
};

/** A TCP proxy in front of one address. */
export interface TcpProxy extends AsyncDisposable {
  /** `host:port` to connect to. */
  readonly address: string;
  /** Adds a fault to what comes from the server; it lasts until `heal`. */
  poison(toxic: Toxic): Promise<void>;
  /** Cuts all connections and refuses new ones until `heal`. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

/** The path of toxiproxy's server, built on first use. The module's newest tag is not its newest release. */
export function installToxiproxy(progress: Progress): Promise<string> {
  return installGoCommand(
    {
      name: "server",
      folder: "toxiproxy",
      importPath: "github.com/Shopify/toxiproxy/v2/cmd/server",
      version: "v2.12.0",
      coldBuild: "once, some seconds",
    },
    progress,
  );
}

/** Starts toxiproxy with one proxy, which listens on `listen` (`host:port`) and leads to `upstream`. */
export async function startTcpProxy(listen: string, upstream: string): Promise<TcpProxy> {
  const binary = await installToxiproxy(progressOnStderr);
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const server: RunningServer = await startServer({
    name: "toxiproxy",
    address: `127.0.0.1:${port}`,
    env: {},
    folder: await serverFolder("toxiproxy", {}),
    command: [binary, "-host", "127.0.0.1", "-port", String(port)],
    answers: async () => (await fetch(`${api}/version`)).ok,
  });
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${api}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`toxiproxy answered ${answer.status} to ${method} ${path}: ${text}`);
    return text === "" ? null : JSON.parse(text);
  };
  await call("POST", "/proxies", { name: "it", listen, upstream, enabled: true });
  return {
    address: listen,
    async poison({ type, attributes }) {
      await call("POST", "/proxies/it/toxics", { type, stream: "downstream", attributes });
    },
    async cut() {
      await call("POST", "/proxies/it", { enabled: false });
    },
    async heal() {
      await call("POST", "/reset");
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
