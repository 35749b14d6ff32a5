import { createServer } from "node:net";

/** Below the ranges that operating systems hand out to outgoing connections, so that a port stays free over a restart. */
const [firstPort, lastPort] =
  // Tests that run beside others have ports of their own: that of a server that is away belongs to nobody else meanwhile.
  process.env["FRAZIL_TEST_PORTS"] === "upper" ? [22_500, 29_999] : [15_000, 22_499];

const handedOut = new Set<number>();

/** A TCP port that is free on the loopback interface and that no other call in this process was given. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`expected a free port between ${firstPort} and ${lastPort}, found none in 200 attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
