// Run by local.test.ts in several processes: adds 1 to the number in a file, so many times.
import { createLocalStorage } from "../../../src/storage/local.ts";

const [location = "", times = ""] = process.argv.slice(2);
const io = createLocalStorage();
for (let k = 0; k < Number(times);) {
  const now = await io.readTagged(location);
  if (now === null) throw new Error("the counter is gone");
  const next = String(Number(new TextDecoder().decode(now.bytes)) + 1);
  if ((await io.replace(location, new TextEncoder().encode(next), now.etag)).outcome === "replaced") k++;
}
