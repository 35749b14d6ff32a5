import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { maskSession, recordSession } from "../docs/session.ts";
import { requireServers, withReason } from "../require.ts";

const PAGE = readFileSync(new URL("../../docs/session.md", import.meta.url), "utf8");

const missing = await requireServers("kafka", "minio");

describe.skipIf(missing !== null)(withReason("docs/session.md", missing), () => {
  it("shows what a terminal shows today; npm run docs:session records it anew", async () => {
    expect(maskSession(await recordSession())).toBe(maskSession(PAGE));
  });
});
