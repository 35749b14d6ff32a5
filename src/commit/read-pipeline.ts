import type { Catalog, FileIO, LoadedTable, Snapshot } from "../../table-format/index.ts";
import { identText, parseIdent, refSnapshot } from "../../table-format/index.ts";
import { LedgerStore, type TaggedLedger } from "./ledger.ts";
import { anchorKey, tagName } from "./names.ts";
import { readStamp, type Stamp } from "./stamp.ts";

/** Where a pipeline is looked for. */
export interface PipelinePlace {
  readonly pipeline: string;
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly warehouseLocation: string;
}

/** A table that a pipeline writes to, as it was found. */
export interface PipelineTable {
  /** `namespace.table`. */
  readonly name: string;
  readonly loaded: LoadedTable;
  /** What the pipeline's tag names, with its stamp; null when the tag is gone or names a snapshot of somebody else. */
  readonly tagged: { readonly snapshot: Snapshot; readonly stamp: Stamp } | null;
}

/** What a pipeline has left in a warehouse. */
export interface PipelineState {
  /** The table whose stamp is the pipeline's position; null when nothing is recorded. */
  readonly anchor: string | null;
  /** By name, the anchor first. */
  readonly tables: readonly PipelineTable[];
  /** Only where tables are committed one by one. */
  readonly ledger: TaggedLedger | null;
}

/** Reads what a pipeline has left in the warehouse without taking it over; writes nothing. */
export async function readPipeline(place: PipelinePlace): Promise<PipelineState> {
  const { catalog, io, pipeline, warehouseLocation } = place;
  const ledger = catalog.claims ? null : await new LedgerStore(io, warehouseLocation, pipeline).read();
  const anchor = catalog.claims ? await catalog.readClaim(anchorKey(pipeline)) : (ledger?.ledger.anchor ?? null);
  const tables: PipelineTable[] = [];
  // Before the others, as the ledger is: what these note of tables the tables have.
  const first = anchor === null ? null : await catalog.loadTable(parseIdent(anchor));
  for (const namespace of await catalog.listNamespaces()) {
    for (const ident of await catalog.listTables(namespace)) {
      const loaded = identText(ident) === anchor ? first : await catalog.loadTable(ident);
      if (loaded !== null && pipelinesOf(loaded).includes(pipeline)) tables.push(pipelineTable(loaded, pipeline));
    }
  }
  const rank = ({ name }: PipelineTable): string => `${name === anchor ? 0 : 1}${name}`;
  tables.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  return { anchor, tables, ledger };
}

/** The pipelines that write to a table: by their tags, and by the marks (`markerProperty`) that stay when a tag is removed. */
export function pipelinesOf({ metadata }: LoadedTable): readonly string[] {
  const prefix = tagName("");
  const names = [...metadata.refs.keys(), ...metadata.properties.keys()].filter((name) => name.startsWith(prefix));
  return [...new Set(names.map((name) => name.slice(prefix.length)))];
}

/** One table of a pipeline. */
export function pipelineTable(loaded: LoadedTable, pipeline: string): PipelineTable {
  const snapshot = refSnapshot(loaded.metadata, tagName(pipeline));
  const stamp = snapshot === null ? null : readStamp(snapshot);
  const tagged = snapshot === null || stamp?.pipeline !== pipeline ? null : { snapshot, stamp };
  return { name: identText(loaded.ident), loaded, tagged };
}
