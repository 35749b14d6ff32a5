import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { end, onSignals, type SignalHandling } from "../../../src/cli/signals.ts";

let signals: SignalHandling;
const notes: string[] = [];
const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  notes.length = 0;
  exit.mockClear();
  signals = onSignals((line) => notes.push(line));
});
afterEach(() => {
  signals.close();
  process.off("SIGINT", end).off("SIGTERM", end);
  vi.useRealTimers();
});

it.each(["SIGINT", "SIGTERM"] as const)("takes a %s that is sent twice at once for one", (signal) => {
  process.emit(signal, signal);
  vi.advanceTimersByTime(20);
  process.emit(signal, signal);
  expect(signals.stop.aborted).toBe(true);
  expect(notes).toHaveLength(1);
  expect(exit).not.toHaveBeenCalled();
});

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("ends at once by a second %s", (signal, code) => {
  process.emit(signal, signal);
  vi.advanceTimersByTime(1_000);
  process.emit(signal, signal);
  expect(exit).toHaveBeenCalledWith(code);
});
