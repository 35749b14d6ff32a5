import { Cron } from "croner";

/**
 * When something is to be done again and again. `everyMs`: at the multiples of that time since 1970 UTC, so that two processes and two runs
 * of one process mean the same points. `cron`: five fields, in a time zone by its IANA name.
 */
export type Schedule = { readonly everyMs: number } | { readonly cron: string; readonly zone: string };

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Why a cron expression or its zone is none; null when both are fine. */
export function cronProblem(cron: string, zone: string): string | null {
  try {
    Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    return `"${zone}" is not a time zone; write UTC or Europe/Berlin`;
  }
  try {
    // The time is of no matter: an expression that never comes true has no run after any.
    if (parsed(cron, zone).nextRun(new Date(0)) === null) return `"${cron}" never comes`;
    return null;
  } catch {
    return `"${cron}" is not a cron expression; write five fields, such as "0 3 * * *"`;
  }
}

/** The last point of a schedule at or before a time (milliseconds since 1970 UTC); null when there is none. */
export function newestPoint(schedule: Schedule, nowMs: number): number | null {
  if ("everyMs" in schedule) return Math.floor(nowMs / schedule.everyMs) * schedule.everyMs;
  // What lies strictly before is asked for.
  const [run] = parsed(schedule.cron, schedule.zone).previousRuns(1, new Date(nowMs + 1));
  return run?.getTime() ?? null;
}

/** The first point of a schedule after a time; null when none will come. */
export function nextPoint(schedule: Schedule, afterMs: number): number | null {
  if ("everyMs" in schedule) return (Math.floor(afterMs / schedule.everyMs) + 1) * schedule.everyMs;
  return parsed(schedule.cron, schedule.zone).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/**
 * A point as a part of a name, as exact as the schedule needs it: `2026-11-21` where it comes once a day or less often, `2026-11-21T13`
 * once an hour, `2026-11-21T13-05` once a minute, `2026-11-21T13-05-30` for more; in the schedule's zone.
 */
export function pointText(schedule: Schedule, pointMs: number): string {
  if ("everyMs" in schedule) {
    // As a formatter for UTC writes it, which takes a hundred times as long to make as this.
    const [day = "", rest = ""] = new Date(pointMs).toISOString().split("T");
    return joined(day, rest.slice(0, 8).split(":"), schedule);
  }
  const { zone } = schedule;
  const parts = new Map(
    new Intl.DateTimeFormat("en", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    })
      .formatToParts(pointMs)
      .map(({ type, value }) => [type, value]),
  );
  const date = `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`;
  return joined(date, [parts.get("hour"), parts.get("minute"), parts.get("second")], schedule);
}

function joined(date: string, hms: readonly (string | undefined)[], schedule: Schedule): string {
  const time = hms.slice(0, exactness(schedule));
  return time.length === 0 ? date : `${date}T${time.join("-")}`;
}

/** How many of hour, minute and second tell the points of a schedule apart. */
function exactness(schedule: Schedule): number {
  if ("everyMs" in schedule) {
    const index = [DAY_MS, HOUR_MS, MINUTE_MS].findIndex((unit) => schedule.everyMs % unit === 0);
    return index < 0 ? 3 : index;
  }
  const [minute = "", hour = ""] = (parsed(schedule.cron, schedule.zone).getPattern() ?? "").split(" ");
  if (!/^\d+$/.test(minute)) return 2;
  return /^\d+$/.test(hour) ? 0 : 1;
}

function parsed(cron: string, zone: string): Cron {
  return new Cron(cron, { timezone: zone, mode: "5-part", paused: true });
}
