import type { FileIO } from "../../../table-format/index.ts";
import { type Fault, type Faults, noAnswer, type RequestKind, storeFull } from "./faults.ts";
import { bytesOf, type ObjectStore, rangeOf, statOf, streamTo } from "./object-store.ts";
import { never, type SimProcess } from "./process.ts";
import type { Draw } from "./scheduler.ts";

/** The way between processes and servers: requests take time, and some of them get lost, come late or come twice. */
export class Network {
  readonly faults: Faults;
  readonly #draw: Draw;

  constructor(faults: Faults, draw: Draw) {
    this.faults = faults;
    this.#draw = draw;
  }

  /**
   * Sends a request. `effect` runs at the server, perhaps never, later or twice.
   * @param again what the adapter makes of an answer to a request that was done before, for conditional ones
   */
  request<T>(
    process: SimProcess,
    {
      what,
      kind,
      mayGarble = false,
    }: { readonly what: string; readonly kind: RequestKind; readonly mayGarble?: boolean },
    location: string,
    effect: (garbled: boolean) => T | Promise<T>,
  ): Promise<T> {
    const { scheduler } = process;
    const isCommit = COMMITS.has(what);
    if (isCommit && process.unsure && process.reach("unknown.resend")) return never();
    if (process.reach(`before ${what}`)) return never();
    const fault = this.faults.next(kind, scheduler.nowMs, mayGarble);
    scheduler.note(`${process.name} ${what} ${location}${fault === null ? "" : ` ${fault}`}`);
    if (isCommit) process.unsure = false;
    const promise = new Promise<T>((resolve, reject) => {
      const answer = (delayMs: number, give: () => void): void => scheduler.at(delayMs, process, give);
      const fail = (delayMs: number): void =>
        answer(delayMs, () => {
          if (isCommit) process.unsure = true;
          if (isCommit) process.next = "unknown.reload";
          reject(noAnswer(`${what} ${location}`));
        });
      const perform = async (): Promise<T> => effect(false);
      const quietly = (): void => void perform().then(undefined, () => undefined);
      const apply = (fate: Fault | null): void => {
        void (async () => effect(fate === "unnoticed"))().then(
          (value) => {
            if (process.reach(`after ${what}`)) return;
            if (fate === "error-after") fail(this.#latencyMs());
            else {
              answer(this.#latencyMs(), () => {
                if (isCommit && isRefusal(value)) process.next = "commit.refused";
                resolve(value);
              });
            }
          },
          (error: unknown) => answer(this.#latencyMs(), () => reject(error)),
        );
      };
      const arriveMs = this.#latencyMs();
      switch (fault) {
        case "error-before":
        case "outage":
          return fail(arriveMs);
        case "lost":
          return fail(5_000 + arriveMs);
        case "full":
          return answer(arriveMs, () => reject(storeFull(`${what} ${location}`)));
        case "delayed":
          scheduler.at(this.faults.delayMs(), null, () => {
            scheduler.note(`late: ${what} ${location}`);
            quietly();
          });
          return fail(5_000 + arriveMs);
        case "duplicated":
          scheduler.at(arriveMs, null, () => apply(fault));
          return scheduler.at(this.faults.delayMs(), null, () => {
            scheduler.note(`again: ${what} ${location}`);
            quietly();
          });
        case "repeated":
          return scheduler.at(arriveMs, null, () => void perform().then(() => apply(fault), reject));
        case "truncated":
        case "garbled":
          return scheduler.at(arriveMs + 100 + this.#latencyMs(), null, () => apply(fault));
        case "error-after":
        case "unnoticed":
        case null:
          return scheduler.at(arriveMs, null, () => apply(fault));
      }
    });
    return process.reach(`sent ${what}`) ? never() : promise;
  }

  /** Mostly some milliseconds, now and then a second. */
  #latencyMs(): number {
    const ms = this.#draw.below(2_000) / 100;
    return this.#draw.oneIn(40) ? ms * 60 : ms;
  }
}

/** The requests that change a table. */
const COMMITS: ReadonlySet<string> = new Set(["swap hint", "catalog commit"]);

function isRefusal(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "outcome" in answer && answer.outcome === "conflict";
}

/** The store as a process sees it. */
export function clientOf(store: ObjectStore, network: Network, process: SimProcess): FileIO {
  const read = <T>(what: string, location: string, effect: (garbled: boolean) => T): Promise<T> => {
    const named = `${what} ${objectKind(location)}`;
    const mayGarble = what === "read" && location.endsWith(".puffin");
    return network.request(process, { what: named, kind: "read", mayGarble }, location, effect);
  };
  const write = <T>(what: string, location: string, kind: RequestKind, effect: () => T): Promise<T> =>
    network.request(process, { what: `${what} ${objectKind(location)}`, kind }, location, effect);
  return {
    read: (location) => read("read", location, (garbled) => garbledIf(garbled, bytesOf(store, location).slice())),
    readRange: (location, offset, length) =>
      read("read", location, (garbled) =>
        garbledIf(garbled, rangeOf(bytesOf(store, location), location, offset, length)),
      ),
    stat: (location) => read("stat", location, () => statOf(store.get(location))),
    readTagged: (location) => read("read", location, () => store.get(location)),
    write(location, bytes) {
      const copy = new Uint8Array(bytes);
      return write("put", location, "write", () => void store.put(location, copy));
    },
    openWrite: async (location) =>
      streamTo((bytes) => write("put", location, "write", () => void store.put(location, bytes))),
    create(location, bytes) {
      const copy = new Uint8Array(bytes);
      return write("create", location, "conditional", () => store.create(location, copy));
    },
    replace(location, bytes, etag) {
      const copy = new Uint8Array(bytes);
      return write("swap", location, "conditional", () => store.replace(location, copy, etag));
    },
    async *list(prefix) {
      for (let after = "", isLast = false; !isLast;) {
        const from = after;
        const found = await read("list", `${prefix}/`, () => store.page(`${prefix}/`, from));
        yield* found.entries;
        after = found.entries.at(-1)?.location ?? after;
        isLast = found.isLast;
      }
    },
    delete: (location) => write("delete", location, "write", () => store.delete(location)),
  };
}

/** What kind of object a location names: crash points are told apart by it. */
export function objectKind(location: string): string {
  if (location.endsWith("/version-hint.text")) return "hint";
  if (location.endsWith("/ledger.json")) return "ledger";
  if (location.endsWith("/maintenance/lease.json")) return "lease";
  if (location.includes("/_frazil/maintenance/")) return "account";
  if (location.endsWith(".metadata.json")) return "metadata";
  if (location.includes("/_frazil/probe/")) return "probe";
  if (location.includes("/_scratch/")) return "scratch";
  if (/(?:\/|-a\d+-)snap-[^/]*\.avro$/.test(location)) return "manifest-list";
  if (location.endsWith(".avro")) return "manifest";
  if (/-stats-[^/]*\.puffin$/.test(location)) return "statistics";
  if (location.endsWith(".puffin")) return "vector";
  if (/-pd-[^/]*\.parquet$/.test(location)) return "position-deletes";
  if (location.endsWith(".parquet")) return "data";
  return location.endsWith("/") ? "folder" : "other";
}

function garbledIf(garbled: boolean, bytes: Uint8Array): Uint8Array {
  const at = bytes.length >> 1;
  if (garbled && bytes.length > 0) bytes[at] = (bytes[at] as number) ^ 0x10;
  return bytes;
}
