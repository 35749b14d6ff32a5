/** `npm run docs:session`: plays the session and writes `docs/session.md`. Needs Kafka and MinIO, which it starts. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { recordSession } from "./session.ts";

const PAGE = fileURLToPath(new URL("../../docs/session.md", import.meta.url));

writeFileSync(PAGE, await recordSession());
process.stderr.write("docs/session.md\n");
