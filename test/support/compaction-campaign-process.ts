/** Runs the campaigns of every so many seeds: `<first> <end> <step> <commands>`; see `compaction-campaigns.ts`. */
import { noCounts, runCampaign } from "./compaction-campaign.ts";
import type { CampaignMessage } from "./compaction-campaigns.ts";

const [first = 0, end = 0, step = 1, commands = 0] = process.argv.slice(2).map(Number);
const counts = noCounts();
let message: CampaignMessage = { counts };
for (let seed = first; seed < end; seed += step) {
  try {
    await runCampaign(seed, commands, counts);
  } catch (error) {
    message = { failedSeed: seed, reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    break;
  }
}
process.send?.(message);
process.disconnect();
