import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a PostgreSQL server, and holds back the next COMMIT while it is armed. */
export interface Relay {
  readonly port: number;
  armed: boolean;
  /** Sends the COMMIT on. */
  forward(): Promise<void>;
  /** Ends the connection that it came over, on both sides. */
  cut(): void;
  close(): Promise<void>;
}

/** What the protocol sends for `COMMIT`: the statement's text and a zero. */
const COMMIT = Buffer.from("COMMIT\0");

/** @param onCommit called with each COMMIT that comes while the relay is armed, which then waits for `forward` */
export async function startRelay(serverPort: number, onCommit: (relay: Relay) => Promise<void>): Promise<Relay> {
  const sockets = new Set<Socket>();
  let held: { readonly bytes: Buffer; readonly client: Socket; readonly server: Socket } | null = null;
  const listener = createServer((client) => {
    const server = connect(serverPort, "127.0.0.1");
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    server.on("data", (bytes) => client.write(bytes));
    client.on("data", (bytes) => {
      if (!relay.armed || !bytes.includes(COMMIT)) return void server.write(bytes);
      relay.armed = false;
      held = { bytes, client, server };
      // What the server answers to it does not arrive.
      server.removeAllListeners("data");
      void onCommit(relay);
    });
  });
  await new Promise<void>((resolve) => void listener.listen(0, "127.0.0.1", resolve));
  const relay: Relay = {
    port: (listener.address() as AddressInfo).port,
    armed: false,
    forward: () => new Promise((resolve) => void held?.server.write(held.bytes, () => resolve())),
    cut() {
      held?.client.destroy();
      held?.server.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        listener.close(() => resolve());
      }),
  };
  return relay;
}
