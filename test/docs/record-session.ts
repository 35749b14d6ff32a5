/** `npm run docs:session`: plays the sessions and writes their pages. Needs Kafka, MinIO and the Python readers, which it starts. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { recordBatchAndStream } from "./batch-and-stream.ts";
import { recordSession } from "./session.ts";

for (const [page, record] of [
  ["docs/session.md", recordSession],
  ["docs/batch-and-stream.md", recordBatchAndStream],
] as const) {
  writeFileSync(fileURLToPath(new URL(`../../${page}`, import.meta.url)), await record());
  process.stderr.write(`${page}\n`);
}
