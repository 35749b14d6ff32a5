import { createHash, type Hash } from "node:crypto";
import { seededRandom } from "../../support/virtual-runtime.ts";

/** A seeded generator with the draws that a simulation makes. */
export interface Draw {
  uint32(): number;
  /** A whole number from 0 to below. */
  below(limit: number): number;
  /** True once in `every` times; never for 0. */
  oneIn(every: number): boolean;
  between(least: number, most: number): number;
  pick<T>(items: readonly T[]): T;
}

export function drawFrom(seed: number): Draw {
  const { uint32 } = seededRandom(seed);
  const below = (limit: number): number => uint32() % limit;
  return {
    uint32,
    below,
    oneIn: (every) => every > 0 && below(every) === 0,
    between: (least, most) => least + below(most - least + 1),
    pick: (items) => items[below(items.length)] as (typeof items)[number],
  };
}

/** FNV-1a, so that streams of random numbers are told apart by name. */
export function nameSeed(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ seed) >>> 0;
}

/** Whoever waits for events: a process. While it is suspended its events wait; once it is dead they never come. */
export interface Host {
  readonly name: string;
  dead: boolean;
  suspended: boolean;
  readonly held: Event[];
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly host: Host | null;
  readonly run: () => void;
}

/** Characters of the trace that are hashed at once: each call takes its time. */
const HASHED_AT_ONCE = 1 << 14;

/** Events between two turns of the process's own event loop, which cost more than most events do. */
const TICKS_A_TURN = 256;

/** Virtual time: events in the order of their time, those of one time in the order in which they were asked for. */
export class Scheduler {
  readonly seed: number;
  readonly #events: Event[] = [];
  #nowMs: number;
  #order = 0;
  readonly #hash: Hash = createHash("sha256");
  /** Lines that are not in the hash yet. */
  #unhashed = "";
  #turns = 0;
  /** The lines of the trace; null: only their hash is kept. */
  readonly lines: string[] | null;

  constructor(seed: number, startMs: number, keepLines: boolean) {
    this.seed = seed;
    this.#nowMs = startMs;
    this.lines = keepLines ? [] : null;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have run. */
  get turns(): number {
    return this.#turns;
  }

  stream(name: string): Draw {
    return drawFrom(nameSeed(this.seed, name));
  }

  /** Runs later. Events of a host come only while it lives. */
  at(delayMs: number, host: Host | null, run: () => void): void {
    this.#push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, host, run });
  }

  /** Lets a suspended host go on: what it has missed comes at once, in order. */
  resume(host: Host): void {
    host.suspended = false;
    for (const { run } of host.held.splice(0)) this.at(0, host, run);
  }

  /** Moves the time while nobody looks. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** A line of the trace. */
  note(line: string): void {
    const whole = `${this.#nowMs.toFixed(3)} ${line}\n`;
    this.#unhashed += whole;
    if (this.#unhashed.length >= HASHED_AT_ONCE) this.#hashLines();
    this.lines?.push(whole);
  }

  /** The hash of all that has happened so far. */
  digest(): string {
    this.#hashLines();
    return this.#hash.copy().digest("hex");
  }

  #hashLines(): void {
    this.#hash.update(this.#unhashed);
    this.#unhashed = "";
  }

  /** Runs event after event until `done`, each with time for all that follows from it in memory. */
  async run(done: () => boolean, maxTurns: number): Promise<"done" | "idle" | "too-long"> {
    for (;;) {
      // A tick comes when all promises have been seen to; now and then the rest of the program has its turn as well.
      if (this.#turns % TICKS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      else await new Promise<void>((resolve) => process.nextTick(resolve));
      if (done()) return "done";
      const event = this.#pop();
      if (event === null) return "idle";
      if (++this.#turns > maxTurns) return "too-long";
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      const { host } = event;
      if (host?.dead === true) continue;
      if (host?.suspended === true) host.held.push(event);
      else event.run();
    }
  }

  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(event, heap[up] as Event)) break;
      heap[at] = heap[up] as Event;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): Event | null {
    const heap = this.#events;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Event, heap[down] as Event)) down++;
      if (!isBefore(heap[down] as Event, last)) break;
      heap[at] = heap[down] as Event;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
