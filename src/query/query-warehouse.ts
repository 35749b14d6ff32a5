import type { Catalog, FileIO } from "../../table-format/index.ts";
import type { ScratchFolder } from "../core/runtime.ts";
import type { HoldSnapshot } from "../core/snapshot-holds.ts";

/** What a query needs of a warehouse. */
export interface QueryWarehouse {
  /** Absolute, without a trailing slash. */
  readonly location: string;
  readonly io: FileIO;
  readonly catalog: Catalog;
  /** The path behind a location of this warehouse; null where locations have none. */
  readonly localPath: ((location: string) => string) | null;
  /** Folders below which alone files are touched, in every way that their locations are spelled; null is anywhere. */
  readonly roots?: readonly string[] | null | undefined;
  /** A folder of this machine for what does not fit in memory. */
  readonly scratch: () => Promise<ScratchFolder>;
  /** Keeps what is read from being expired meanwhile; without it nothing is held. */
  readonly hold?: HoldSnapshot | undefined;
}
