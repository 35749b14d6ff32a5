import { describe, expect, it } from "vitest";
import { conforms } from "./conform.ts";
import type { ProtocolEvent, SentChange } from "./events.ts";

const at = (point: number) => ({ "t/0": point });

const create: SentChange = {
  table: "a",
  kind: "create",
  snapshot: "1",
  parent: null,
  setMain: "1",
  setTag: "1",
  stamp: { epoch: 1, checkpoint: 0, position: at(0) },
};

function checkpoint(snapshot: string, on: string, epoch: number, point: number): SentChange {
  return {
    table: "a",
    kind: "checkpoint",
    snapshot,
    parent: on,
    assertMain: on,
    assertTag: on,
    setMain: snapshot,
    setTag: snapshot,
    stamp: { epoch, checkpoint: point, position: at(point) },
    added: [`f${point}`],
  };
}

function fence(snapshot: string, on: string, epoch: number, point: number): SentChange {
  return { ...checkpoint(snapshot, on, epoch, point), kind: "fence", added: [] };
}

function withoutTag(change: SentChange): SentChange {
  return Object.fromEntries(Object.entries(change).filter(([name]) => name !== "assertTag")) as never;
}

function sent(request: string, process: string, ...changes: SentChange[]): ProtocolEvent {
  return { event: "commit sent", request, process, changes };
}

const applied = (request: string): ProtocolEvent => ({ event: "commit applied", request });

/** A process creates the table and commits a row; its second row lands after its answer was lost. */
const run: readonly ProtocolEvent[] = [
  { event: "start", process: "p" },
  { event: "load", process: "p", table: "a", main: null, tag: null },
  sent("r1", "p", create),
  applied("r1"),
  sent("r2", "p", checkpoint("2", "1", 1, 1)),
  applied("r2"),
  { event: "acknowledge", process: "p", position: at(1) },
  sent("r3", "p", checkpoint("3", "2", 1, 2)),
  { event: "answer lost", request: "r3" },
];

const takeOver: readonly ProtocolEvent[] = [
  { event: "start", process: "q" },
  sent("r4", "q", fence("4", "2", 2, 1)),
  applied("r4"),
];

describe("conforms", () => {
  it("takes a run with late requests, a take-over and a fenced process", () => {
    expect(conforms([...run, applied("r3"), { event: "exit", process: "p", reason: "done" }])).toEqual({ ok: true });
    expect(conforms([...run, ...takeOver, { event: "exit", process: "p", reason: "fenced" }])).toEqual({ ok: true });
  });

  /** `q` has looked at the tables when `p` opens another one; then it goes on, and the ledger is its own. */
  const openedLate = (atEpoch: number): readonly ProtocolEvent[] => [
    ...run,
    ...takeOver,
    sent("r6", "p", { ...create, table: "b", stamp: { epoch: atEpoch, checkpoint: 1, position: at(1) } }),
    applied("r6"),
    sent("r7", "q", checkpoint("7", "4", 2, 3)),
    applied("r7"),
    { event: "ledger applied", process: "q", epoch: 2, checkpoint: 3, position: at(3), tables: { a: "7" } },
    { event: "acknowledge", process: "q", position: at(3) },
  ];
  it("takes a table that an overtaken process opened too late", () => {
    expect(conforms(openedLate(1))).toEqual({ ok: true });
  });

  const wrong: readonly (readonly [string, readonly ProtocolEvent[], string])[] = [
    ["a fenced write", [...run, ...takeOver, applied("r3")], "main is 4, 2 was asserted"],
    ["a request that is applied twice", [...run, applied("r3"), applied("r3")], "main is 3"],
    [
      "a new id for the same checkpoint",
      [...run, sent("r5", "p", checkpoint("5", "2", 1, 2))],
      "snapshot 3 is tried again as 5",
    ],
    [
      "the tag of another process, adopted",
      [...run, ...takeOver, sent("r5", "p", { ...checkpoint("3", "4", 1, 2) })],
      "the tag 4 is not its own",
    ],
    [
      "no assertion of the tag",
      [...run, sent("r5", "p", withoutTag(checkpoint("3", "2", 1, 2)))],
      "main and the tag are not asserted",
    ],
    [
      "an acknowledgement ahead of the table",
      [...run, { event: "acknowledge", process: "p", position: at(2) }],
      "has not reached",
    ],
    ["an acknowledgement ahead of a table that the same process opened", openedLate(2), "table b has not reached"],
    [
      "a needed file that is deleted",
      [...run, { event: "delete", process: "p", table: "a", file: "f1" }],
      "snapshot 2 needs f1",
    ],
    [
      "a process that is not fenced and says so",
      [...run.slice(0, 4), { event: "exit", process: "p", reason: "fenced" }],
      "nobody else",
    ],
    ["a stale load", [...run, { event: "load", process: "p", table: "a", main: "1", tag: "1" }], "main of a is 2"],
    [
      "a dead process that writes",
      [...run, { event: "crash", process: "p" }, sent("r9", "p", checkpoint("9", "2", 1, 3))],
      "does not run",
    ],
    [
      "a ledger ahead of which a table is",
      [...run, { event: "ledger applied", process: "p", epoch: 1, checkpoint: 1, position: at(0), tables: { a: "2" } }],
      "ahead of the cut",
    ],
  ];
  it.each(wrong)("refuses %s", (_name, events, why) => {
    const verdict = conforms(events);
    expect(verdict).toMatchObject({ ok: false, why: expect.stringContaining(why) });
  });
});
