import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { requireServers, withReason } from "../require.ts";

const script = fileURLToPath(new URL("../../jobs/demo/demo.ts", import.meta.url));

/** Runs the demo as `npm run demo` does, on what `npm run build` made. */
async function demo(...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

function expectWholeStory({ code, text }: { code: number | null; text: string }): void {
  expect(text.match(/kill -9 just/g), text).toHaveLength(2);
  expect(text.match(/: all equal/g), text).toHaveLength(3);
  expect(Number(/caught up: (\d+) checkpoints/.exec(text)?.[1]), text).toBeGreaterThanOrEqual(3);
  for (const sign of ["+I", "-U", "+U", "-D"]) expect(text).toContain(`     ${sign}  `);
  // Colour belongs to terminals.
  expect(text).not.toContain("\u001b");
  expect(code, text).toBe(0);
}

test("npm run demo", async () => {
  expectWholeStory(await demo());
});

const missing = await requireServers("kafka", "minio");
describe.skipIf(missing !== null)(withReason("npm run demo -- --kafka", missing), () => {
  test("the same story through Kafka and MinIO", async () => {
    expectWholeStory(await demo("--kafka"));
  });
});
