import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recordBatchAndStream } from "../docs/batch-and-stream.ts";
import { maskSession } from "../docs/recorder.ts";
import { recordSession } from "../docs/session.ts";
import { requireServers, withReason } from "../require.ts";

const missing = await requireServers("kafka", "minio", "readers");

describe.skipIf(missing !== null).each([
  ["docs/session.md", recordSession],
  ["docs/batch-and-stream.md", recordBatchAndStream],
] as const)(withReason("%s", missing), (path, record) => {
  it("shows what a terminal shows today; npm run docs:session records it anew", async () => {
    const page = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
    expect(maskSession(await record())).toBe(maskSession(page));
  });
});
