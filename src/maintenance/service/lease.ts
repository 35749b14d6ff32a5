import type { FileIO } from "../../../table-format/index.ts";
import { randomUuid, type Runtime } from "../../core/runtime.ts";
import { leaseLocation } from "../history/names.ts";

/** Of a lease's time, how often it is renewed: two renewals may fail before anybody takes it over. */
const RENEWALS = 3;

/**
 * Which of several services works: one object in the warehouse, replaced with If-Match. Nobody compares clocks: a service that waits
 * takes the lease over when the object has not changed for as long as the lease lasts by its own clock. It decides who works, never whether
 * work is right: for that every commit asserts what it was made for, also of two services that both believe to lead.
 */
export class Lease {
  readonly #io: FileIO;
  readonly #location: string;
  readonly #runtime: Runtime;
  readonly #lastsMs: number;
  readonly #owner: string;
  #seen: { readonly etag: string | null; readonly sinceMs: number } | null = null;
  #renewals = 0;
  #held: { readonly etag: string; readonly sinceMs: number } | null = null;

  constructor(io: FileIO, warehouseLocation: string, runtime: Runtime, lastsMs: number) {
    this.#io = io;
    this.#location = leaseLocation(warehouseLocation);
    this.#runtime = runtime;
    this.#lastsMs = lastsMs;
    this.#owner = randomUuid(runtime.random);
  }

  /** How long to wait between two calls of `tryToLead` or `renew`. */
  get everyMs(): number {
    return this.#lastsMs / RENEWALS;
  }

  /** Whether this process may begin work: others wait until the lease's time has passed since its last renewal. */
  get leads(): boolean {
    return this.#held !== null && this.#runtime.clock.monotonicMs() - this.#held.sinceMs < this.#lastsMs;
  }

  /**
   * Takes the lease when it is free, was given back, or has not been renewed in its time.
   * @returns the owner before, null for none; false while another one leads. @throws FrazilError of the store.
   */
  async tryToLead(): Promise<{ readonly from: string | null } | false> {
    const nowMs = this.#runtime.clock.monotonicMs();
    const found = await this.#io.readTagged(this.#location);
    const holder = found === null ? null : parseHolder(found.bytes);
    const etag = found?.etag ?? null;
    if (this.#seen === null || this.#seen.etag !== etag) this.#seen = { etag, sinceMs: nowMs };
    const free = holder === null || holder.owner === this.#owner;
    if (!free && nowMs - this.#seen.sinceMs < holder.lastsMs) return false;
    return (await this.#put(etag, this.#owner)) ? { from: holder?.owner ?? null } : false;
  }

  /** Says that this process is still there. @returns whether it still leads. @throws FrazilError of the store; it may lead all the same. */
  async renew(): Promise<boolean> {
    if (this.#held === null) return false;
    const { etag } = this.#held;
    if (await this.#put(etag, this.#owner)) return true;
    this.#held = null;
    return false;
  }

  /** Gives the lease back, so that nobody has to wait. */
  async release(): Promise<void> {
    if (this.#held === null) return;
    const { etag } = this.#held;
    await this.#put(etag, null);
    this.#held = null;
  }

  /** Replaces the object that has `etag`. What this process wrote is known by its own bytes, also when the answer was lost. */
  async #put(etag: string | null, owner: string | null): Promise<boolean> {
    // Before the request: others count from when they see its effect, which is later.
    const sinceMs = this.#runtime.clock.monotonicMs();
    const bytes = Buffer.from(
      JSON.stringify({ version: 1, owner, by: this.#owner, renewals: ++this.#renewals, lastsMs: this.#lastsMs }),
    );
    let put: { readonly outcome: string; readonly etag?: string };
    try {
      put =
        etag === null
          ? await this.#io.create(this.#location, bytes)
          : await this.#io.replace(this.#location, bytes, etag);
    } catch (error) {
      const found = await this.#io.readTagged(this.#location);
      if (found === null || Buffer.compare(found.bytes, bytes) !== 0) throw error;
      put = { outcome: "replaced", etag: found.etag };
    }
    if (put.etag === undefined) return false;
    this.#held = { etag: put.etag, sinceMs };
    return true;
  }
}

/** Who holds the lease; null when it was given back, or is none that can be read. */
function parseHolder(bytes: Uint8Array): { readonly owner: string; readonly lastsMs: number } | null {
  try {
    const { owner, lastsMs } = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
      owner: string | null;
      lastsMs: number;
    };
    return owner === null || !(lastsMs > 0) ? null : { owner, lastsMs };
  } catch {
    return null;
  }
}
