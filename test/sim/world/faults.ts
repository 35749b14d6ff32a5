import { FrazilError } from "../../../src/core/errors.ts";
import type { Draw } from "./scheduler.ts";

/** What can go wrong with a request. */
export const FAULTS = [
  /** An error, and nothing was done. */
  "error-before",
  /** It was done, and the answer is an error. */
  "error-after",
  /** No answer in time, and nothing was done. */
  "lost",
  /** No answer in time; it takes effect later, whoever has died or taken over meanwhile. */
  "delayed",
  /** It takes effect, and then once more, later. */
  "duplicated",
  /** A layer below has sent it twice, and the answer is that of the second. */
  "repeated",
  /** The store refuses to write. */
  "full",
  /** Bytes of the body are missing: noticed by its length, and asked for again. */
  "truncated",
  /** Bytes of the body are wrong: noticed by the checksum that it is stored with, and asked for again. */
  "garbled",
  /** Wrong bytes that no layer below has noticed, where the format has a checksum. */
  "unnoticed",
  /** Every request fails for a while. */
  "outage",
] as const;

export type Fault = (typeof FAULTS)[number];

/** Once in so many requests; 0 or absent: never. */
export type FaultRates = Partial<Record<Fault, number>>;

const READ: readonly Fault[] = ["error-before", "lost", "truncated", "garbled", "unnoticed"];
const WRITE: readonly Fault[] = ["error-before", "error-after", "lost", "delayed", "duplicated", "full"];
const CONDITIONAL: readonly Fault[] = ["repeated"];

/** How a request is meant. */
export type RequestKind = "read" | "write" | "conditional";

/** Draws what happens to each request, and counts it. */
export class Faults {
  readonly counts = new Map<string, number>();
  readonly #draw: Draw;
  readonly #rates: FaultRates;
  #outageUntilMs = 0;
  /** Nothing goes wrong any more. */
  over = false;

  constructor(rates: FaultRates, draw: Draw) {
    this.#rates = rates;
    this.#draw = draw;
  }

  /** What happens to one request; null: nothing. */
  next(kind: RequestKind, nowMs: number, mayGarble: boolean): Fault | null {
    // Drawn in any case, so that what follows does not hang on it.
    const chance = this.#draw.uint32();
    if (this.over) return null;
    if (nowMs < this.#outageUntilMs) return this.#count("outage");
    if (this.#hits("outage", chance)) {
      this.#outageUntilMs = nowMs + this.#draw.between(1_000, 90_000);
      return this.#count("outage");
    }
    const faults = kind === "read" ? READ : kind === "write" ? WRITE : [...WRITE, ...CONDITIONAL];
    for (const fault of faults) {
      if (fault === "unnoticed" && !mayGarble) continue;
      if (this.#rates[fault] !== undefined && this.#draw.oneIn(this.#rates[fault])) return this.#count(fault);
    }
    return null;
  }

  /** How long a delayed request is under way: mostly seconds, now and then minutes. */
  delayMs(): number {
    return this.#draw.oneIn(3) ? this.#draw.between(30_000, 900_000) : this.#draw.between(500, 30_000);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #hits(fault: Fault, chance: number): boolean {
    const every = this.#rates[fault] ?? 0;
    return every > 0 && chance % every === 0;
  }

  #count(fault: Fault): Fault {
    this.count(fault);
    return fault;
  }
}

export function noAnswer(what: string): FrazilError {
  return new FrazilError("unavailable", "SIM_NO_ANSWER", `no answer to ${what}`);
}

export function storeFull(what: string): FrazilError {
  return new FrazilError("io", "SIM_STORE_FULL", `no room for ${what}`);
}
