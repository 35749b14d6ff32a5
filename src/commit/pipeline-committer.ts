import { type Claim, identText, type TableIdent } from "../../table-format/index.ts";
import { assert, FrazilError, must } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import { randomSnapshotId } from "../core/runtime.ts";
import { latestIds, type StreamIds } from "../core/stream-id.ts";
import { commitGroup, type TableCommit } from "./commit-group.ts";
import type { CommitContext } from "./context.ts";
import { type NewTable, openTable } from "./create-table.ts";
import { claimAnchor, findPipeline, tableKey } from "./find-pipeline.ts";
import { laterOf, reachedByAll, samePosition, withinCut } from "./merge-position.ts";
import { fileNames, type FileNames } from "./names.ts";
import { growingPauses, isOutage } from "./pauses.ts";
import { cutLedger, type Ledger, LedgerStore, naming, type TaggedLedger } from "./ledger.ts";
import { noteOnAnchor } from "./put-back.ts";
import { type FileChanges, NO_FILES } from "./snapshot-change.ts";
import type { Stamp } from "./stamp.ts";
import { checkStillOurs, fencedError, lastStamp, type TrackedTable } from "./tracked-table.ts";

/** A table's part of a checkpoint: how to get its files on a given base. */
export interface CheckpointPart {
  readonly table: TrackedTable;
  readonly filesFor: TableCommit["filesFor"];
  /** Where tables go one by one: committed before the tables of changes, so that a crash between them loses nothing of it. */
  readonly first?: boolean;
}

export interface CommittedTable {
  readonly table: TrackedTable;
  readonly snapshotId: bigint;
}

/** How long a store that is gone is waited for when the ledger is to be written. */
const LEDGER_PATIENCE_MS = 600_000;

/**
 * One process's hold on a pipeline: its epoch, its tables, and the only way to commit a checkpoint.
 *
 * Where the catalog commits several tables atomically, a checkpoint is one commit that always includes the anchor table, whose stamp is the
 * pipeline's position. Elsewhere tables go one by one, the anchor first, each at its own position, and the ledger follows when all agree.
 */
export class PipelineCommitter {
  readonly #context: CommitContext;
  readonly #ledgerStore: LedgerStore;
  readonly #tables = new Map<string, TrackedTable>();
  #ledger: TaggedLedger | null;
  #anchor: string | null;
  #epoch: bigint;
  #checkpoint: bigint;
  #acknowledged: Position;

  private constructor(context: CommitContext, found: Awaited<ReturnType<typeof findPipeline>>) {
    this.#context = context;
    this.#ledgerStore = new LedgerStore(context.io, context.warehouseLocation, context.pipeline);
    this.#ledger = found.ledger;
    this.#anchor = found.anchor;
    this.#epoch = found.epoch;
    this.#checkpoint = found.checkpoint;
    for (const table of found.tables) this.#tables.set(table.name, table);
    this.#acknowledged = this.resumePosition() ?? new Map();
  }

  /**
   * Takes the pipeline over: finds its tables, raises the epoch on them, so that an older process can commit no more, and takes the ledger.
   * @param mayWrite whether the job can write to a table, by name; a table that the job no longer writes to keeps its old position.
   * @throws FrazilError `fenced`, `data` (rolled back, dropped, tag lost), `unavailable`.
   */
  static async start(context: CommitContext, mayWrite: (table: TableIdent) => boolean): Promise<PipelineCommitter> {
    return new PipelineCommitter(context, await findPipeline(context, mayWrite));
  }

  get epoch(): bigint {
    return this.#epoch;
  }

  /** Number of the last checkpoint; the next one is one higher. */
  get checkpoint(): bigint {
    return this.#checkpoint;
  }

  get tables(): ReadonlyMap<string, TrackedTable> {
    return this.#tables;
  }

  /** What every table has reached; null for a pipeline that has no table yet. */
  resumePosition(): Position | null {
    if (this.#tables.size === 0) return null;
    if (this.#context.catalog.atomicAcrossTables) return this.#anchorTable().position;
    return reachedByAll(
      [...this.#tables.values()].map((table) => table.position),
      this.#context.comparePoints,
    );
  }

  /** The latest source time that a table not beyond the resume position was stamped with, milliseconds since 1970 UTC; null: none was. */
  resumeValidThroughMs(): number | null {
    const resume = this.resumePosition() ?? new Map<string, string>();
    return [...this.#tables.values()]
      .filter(({ position }) => withinCut(position, resume, this.#context.comparePoints))
      .reduce<number | null>((latest, table) => laterTime(latest, lastStamp(table)?.validThroughMs ?? null), null);
  }

  /** The streams that the tables' positions are of, as far as the source could tell. */
  streamIds(): StreamIds {
    return latestIds([...this.#tables.values()].map((table) => lastStamp(table)?.streams));
  }

  /** The splits that some table has a point of. */
  knownSplits(): ReadonlySet<string> {
    return new Set([...this.#tables.values()].flatMap((table) => [...table.position.keys()]));
  }

  /** The position that the source may forget: on it or before it every table is complete. */
  get acknowledged(): Position {
    return this.#acknowledged;
  }

  /** Names for the files of the checkpoint in preparation. */
  namesFor(table: TrackedTable): FileNames {
    return fileNames(
      {
        tableLocation: table.loaded.metadata.location,
        pipeline: this.#context.pipeline,
        epoch: this.#epoch,
        checkpoint: this.#checkpoint + 1n,
      },
      this.#context.runtime.random,
    );
  }

  /**
   * Opens a table that a checkpoint needs and the pipeline does not hold yet: creates, takes over or adopts it, empty of this checkpoint.
   * @param reached the pipeline's position before the checkpoint.
   */
  async open(wanted: NewTable, reached: Position): Promise<TrackedTable> {
    const name = identText(wanted.ident);
    assert(!this.#tables.has(name), `table ${name} is not open yet`);
    const first = this.#anchor === null || this.#tables.size === 0;
    // A table that is recorded and gone is missed at the next start; without a record it would be opened anew, as if it were new.
    let claim: Claim | null = this.#context.catalog.claims
      ? { key: tableKey(this.#context.pipeline, name), value: name }
      : null;
    if (first) {
      const claimed = await claimAnchor(this.#context, this.#ledgerStore, this.#ledger, name);
      this.#anchor = name;
      this.#ledger = claimed.ledger;
      this.#epoch = claimed.epoch;
      claim = claimed.claim;
    }
    const stamp: Stamp = {
      pipeline: this.#context.pipeline,
      epoch: this.#epoch,
      checkpoint: this.#checkpoint,
      position: reached,
      validThroughMs: null,
      streams: this.#context.streamIds?.(),
    };
    const table = await openTable(this.#context, wanted, stamp, claim);
    this.#tables.set(name, table);
    if (this.#ledger !== null) {
      const { ledger } = this.#ledger;
      // Empty as it is, the table agrees with a position that has been reached. One beyond it, as a rollback leaves behind, says of rows
      // that they are in the table which are yet to come: then each table's own stamp counts.
      const agrees = withinCut(ledger.position, reached, this.#context.comparePoints);
      const position: Position = agrees ? ledger.position : new Map();
      await this.#writeLedger(naming({ ...ledger, epoch: this.#epoch, position }, [table]));
    }
    return table;
  }

  /**
   * Commits a checkpoint: afterwards everything up to `cut` is in the tables, exactly once.
   * @throws FrazilError `fenced`, `conflict`, `unavailable`, `data`: the process must stop; what is committed stays, nothing is deleted.
   */
  async commit(
    parts: readonly CheckpointPart[],
    cut: Position,
    validThroughMs: number | null,
  ): Promise<readonly CommittedTable[]> {
    const checkpoint = this.#checkpoint + 1n;
    const streams = this.#context.streamIds?.();
    const anchor = this.#anchorTable();
    const withAnchor = parts.some((part) => part.table === anchor)
      ? parts
      : [{ table: anchor, filesFor: async (): Promise<FileChanges> => NO_FILES }, ...parts];
    // The anchor first: a process that has lost it must not reach the other tables.
    const ordered = withAnchor.toSorted((a, b) => Number(b.table === anchor) - Number(a.table === anchor));
    const others = ordered.filter(({ table }) => table !== anchor).map(({ table }) => table.name);
    const note = this.#context.catalog.atomicAcrossTables
      ? noteOnAnchor(anchor.loaded, this.#context.pipeline, others, checkpoint)
      : [];
    const commits = ordered.map((part): TableCommit => ({
      ...part,
      updates: part.table === anchor ? note : [],
      snapshotId: randomSnapshotId(this.#context.runtime.random),
      names: this.namesFor(part.table),
      stamp: {
        pipeline: this.#context.pipeline,
        epoch: this.#epoch,
        checkpoint,
        position: laterOf(part.table.position, cut, this.#context.comparePoints),
        validThroughMs: laterTime(lastStamp(part.table)?.validThroughMs ?? null, validThroughMs),
        streams: latestIds([lastStamp(part.table)?.streams, streams]),
      },
    }));
    if (this.#context.catalog.atomicAcrossTables) await commitGroup(this.#context, commits);
    else await this.#commitInTurn(commits);
    this.#checkpoint = checkpoint;
    if (this.#context.catalog.atomicAcrossTables) this.#acknowledged = anchor.position;
    else await this.#advanceLedger(cut);
    return commits.map(({ table, snapshotId }) => ({ table, snapshotId }));
  }

  /** Table by table. Who has lost the anchor must not reach the others: where one of them goes first, the anchor is asserted as it is. */
  async #commitInTurn(commits: readonly (TableCommit & Pick<CheckpointPart, "first">)[]): Promise<void> {
    const anchor = this.#anchorTable();
    const leading = commits.filter(({ first, table }) => first === true && table !== anchor);
    const [held] = commits.filter(({ table }) => table === anchor);
    if (leading.length > 0 && held !== undefined) {
      const { position } = anchor;
      const validThroughMs = lastStamp(anchor)?.validThroughMs ?? null;
      await commitGroup(this.#context, [
        {
          ...held,
          filesFor: async (): Promise<FileChanges> => NO_FILES,
          snapshotId: randomSnapshotId(this.#context.runtime.random),
          names: this.namesFor(anchor),
          stamp: { ...held.stamp, checkpoint: this.#checkpoint, position, validThroughMs },
        },
      ]);
    }
    for (const commit of leading) await commitGroup(this.#context, [commit]);
    for (const commit of commits) if (!leading.includes(commit)) await commitGroup(this.#context, [commit]);
  }

  /** Reads every table's refs, so that an idle process notices that it was fenced or a table rolled back. @throws FrazilError as `commit`. */
  async checkStillOwner(): Promise<void> {
    for (const table of this.#tables.values()) {
      const loaded = await this.#context.catalog.loadTable(table.loaded.ident);
      if (loaded === null) {
        throw new FrazilError("data", "TABLE_DROPPED", `table ${table.name} no longer exists`, {
          hint: "restore the table, or start the job under another name to load everything anew",
        });
      }
      checkStillOurs(loaded, table, this.#context.pipeline, this.#epoch);
    }
  }

  #anchorTable(): TrackedTable {
    const name = must(this.#anchor, "a pipeline with tables has an anchor");
    return must(this.#tables.get(name), "the anchor is among the pipeline's tables");
  }

  /**
   * Writes the ledger once all tables have the cut. A table beyond it (after a crash between two tables) means that the cut is no
   * consistent state, whatever the checkpoint numbers say. Tables without changes in the checkpoint are complete up to the cut.
   */
  async #advanceLedger(cut: Position): Promise<void> {
    const { comparePoints } = this.#context;
    for (const table of this.#tables.values()) {
      if (!withinCut(table.position, cut, comparePoints)) return;
    }
    const anchor = must(this.#anchor, "a pipeline with tables has an anchor");
    const head = { anchor, epoch: this.#epoch, checkpoint: this.#checkpoint, position: cut };
    await this.#writeLedger(cutLedger(head, [...this.#tables.values()]));
    for (const table of this.#tables.values()) table.position = laterOf(table.position, cut, comparePoints);
    if (!samePosition(this.#acknowledged, cut)) this.#acknowledged = cut;
  }

  async #writeLedger(ledger: Ledger): Promise<void> {
    const { runtime, giveUp } = this.#context;
    const pauses = growingPauses(runtime, LEDGER_PATIENCE_MS, giveUp);
    runtime.step("ledger.sent");
    for (;;) {
      try {
        this.#ledger = await this.#swapLedger(ledger);
        break;
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.#context.figures?.retry();
        runtime.log.warn("the ledger cannot be written; trying again", { cause: error.message });
        await pauses.next(() => error);
      }
    }
    runtime.step("ledger.answered");
  }

  async #swapLedger(ledger: Ledger): Promise<TaggedLedger> {
    const store = this.#ledgerStore;
    const swapped = await store.swap(ledger, this.#ledger?.etag ?? null);
    if (swapped !== null) return swapped;
    // A request of ours whose answer was lost may have landed late: then the ledger still carries our epoch, and our anchor.
    const current = await store.read();
    if (current === null || current.ledger.epoch > this.#epoch || current.ledger.anchor !== ledger.anchor) {
      throw fencedError(this.#context.pipeline, this.#epoch, "the ledger", current?.ledger.epoch ?? 0n);
    }
    const again = await store.swap(ledger, current.etag);
    if (again === null) throw fencedError(this.#context.pipeline, this.#epoch, "the ledger", this.#epoch + 1n);
    return again;
  }
}

function laterTime(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
