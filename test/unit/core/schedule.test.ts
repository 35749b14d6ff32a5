import { expect, it } from "vitest";
import { cronProblem, newestPoint, nextPoint, pointText, type Schedule } from "../../../src/core/schedule.ts";

const at = (text: string): number => Date.parse(text);
const text = (pointMs: number | null): string | null => (pointMs === null ? null : new Date(pointMs).toISOString());

it.each<[Schedule, now: string, newest: string, next: string]>([
  [{ everyMs: 600_000 }, "2026-11-21T16:07:03Z", "2026-11-21T16:00:00.000Z", "2026-11-21T16:10:00.000Z"],
  [{ everyMs: 600_000 }, "2026-11-21T16:10:00Z", "2026-11-21T16:10:00.000Z", "2026-11-21T16:20:00.000Z"],
  [{ cron: "0 3 * * *", zone: "UTC" }, "2026-11-21T02:59:59Z", "2026-11-20T03:00:00.000Z", "2026-11-21T03:00:00.000Z"],
  [{ cron: "0 3 * * *", zone: "UTC" }, "2026-11-21T03:00:00Z", "2026-11-21T03:00:00.000Z", "2026-11-22T03:00:00.000Z"],
  // Berlin is an hour ahead in winter, two in summer.
  [
    { cron: "0 0 * * *", zone: "Europe/Berlin" },
    "2026-11-21T12:00:00Z",
    "2026-11-20T23:00:00.000Z",
    "2026-11-21T23:00:00.000Z",
  ],
  [
    { cron: "0 0 * * *", zone: "Europe/Berlin" },
    "2026-07-21T12:00:00Z",
    "2026-07-20T22:00:00.000Z",
    "2026-07-21T22:00:00.000Z",
  ],
  // 29 March has no 02:30 in Berlin: it comes at the moment in which the clocks go forward.
  [
    { cron: "30 2 * * *", zone: "Europe/Berlin" },
    "2026-03-29T12:00:00Z",
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T00:30:00.000Z",
  ],
])("%o at %s: %s, then %s", (schedule, now, newest, next) => {
  expect([text(newestPoint(schedule, at(now))), text(nextPoint(schedule, at(now)))]).toEqual([newest, next]);
});

it.each<[Schedule, string]>([
  [{ everyMs: 86_400_000 }, "2026-11-20"],
  [{ everyMs: 3_600_000 }, "2026-11-20T23"],
  [{ everyMs: 60_000 }, "2026-11-20T23-05"],
  [{ everyMs: 5_000 }, "2026-11-20T23-05-30"],
  [{ cron: "5 23 * * *", zone: "UTC" }, "2026-11-20"],
  [{ cron: "@daily", zone: "Europe/Berlin" }, "2026-11-21"],
  [{ cron: "0 9-17 * * *", zone: "Europe/Berlin" }, "2026-11-21T00"],
  [{ cron: "*/5 * * * *", zone: "UTC" }, "2026-11-20T23-05"],
])("%o names its points as exactly as it needs: %s", (schedule, expected) => {
  expect(pointText(schedule, at("2026-11-20T23:05:30Z"))).toBe(expected);
});

it("says what is wrong with an expression", () => {
  expect(cronProblem("0 3 * * *", "UTC")).toBeNull();
  expect(cronProblem("0 3 * *", "UTC")).toContain("not a cron expression");
  expect(cronProblem("61 3 * * *", "UTC")).toContain("not a cron expression");
  expect(cronProblem("* * * * * *", "UTC")).toContain("five fields");
  expect(cronProblem("0 0 31 2 *", "UTC")).toContain("never comes");
  expect(cronProblem("0 3 * * *", "Mars/Base")).toContain("not a time zone");
});
