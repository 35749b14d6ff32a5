/** Test projects without servers: they share the machine's cores and run first. */
export const QUICK: readonly string[] = ["unit", "golden", "conformance", "model"];

/** Campaigns of random commands among the unit tests. They only compute, and take most of a minute each. */
export const CAMPAIGNS: readonly string[] = [
  "test/unit/maintenance/compact/campaign.test.ts",
  "test/unit/pipeline/crash-recovery.test.ts",
  "test/unit/query/change-feed.test.ts",
  "test/unit/query/feed-pairs.test.ts",
  "test/unit/sink/upsert-property/*.test.ts",
];

/** The environment variable that is set for tests that run beside others. */
export const BESIDE = "FRAZIL_TEST_BESIDE";

/** Tests with real servers that spend most of their time waiting for servers that are away. */
export const AWAY: readonly string[] = ["test/it/job/surroundings.test.ts"];

/**
 * What `npm test` runs, one step after the other. The tests with servers run one file at a time and leave a good part of two cores idle:
 * campaigns and the simulation fill it, at a low priority, in a process beside (`beside`).
 */
export const STEPS: readonly { readonly projects: readonly string[]; readonly beside?: readonly string[] }[] = [
  { projects: QUICK },
  // In a group projects run by their names: what waits longest begins first.
  { projects: ["it"], beside: ["away", "campaigns", "sim"] },
];
