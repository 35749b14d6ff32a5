import type { ChangeBatch } from "../../core/change-batch.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { DecodeNotices, TableBinding, TableRouter } from "../../core/table-binding.ts";
import type { TableRows } from "./table-rows.ts";

/** The tables that a decoder writes to, each made when its first change comes, and the notices for changes that no table takes. */
export class RoutedTables<Rows extends TableRows> {
  private readonly router: TableRouter;
  private readonly notices: DecodeNotices;
  private readonly create: (binding: TableBinding) => Rows;
  private readonly tables = new Map<number, Rows>();
  private readonly unrouted = new Set<string>();
  private slab!: MessageSlab;

  constructor(router: TableRouter, notices: DecodeNotices, create: (binding: TableBinding) => Rows) {
    this.router = router;
    this.notices = notices;
    this.create = create;
  }

  /** Starts reading a slab. */
  begin(slab: MessageSlab): void {
    this.slab = slab;
    for (const table of this.tables.values()) table.begin(slab);
  }

  /** The table that takes all messages of the stream; null where the table id decides, or none does. */
  byStream(stream: string): Rows | null {
    const binding = this.router.byStream(stream);
    return binding === null ? null : this.tableOf(binding);
  }

  /** The table of a change; null where no entry of `tables:` takes it, which is noted once. */
  route(stream: string, tableId: string | null): Rows | null {
    const binding = this.router.route(stream, tableId);
    if (binding !== null) return this.tableOf(binding);
    const subject = JSON.stringify([stream, tableId]);
    if (!this.unrouted.has(subject)) {
      this.unrouted.add(subject);
      this.notices.unrouted(stream, tableId);
    }
    return null;
  }

  private tableOf(binding: TableBinding): Rows {
    let table = this.tables.get(binding.table);
    if (table === undefined) {
      table = this.create(binding);
      table.begin(this.slab);
      this.tables.set(binding.table, table);
    }
    return table;
  }

  /** The batches of the slab. */
  take(): ChangeBatch[] {
    return [...this.tables.values()].flatMap((table) => table.take());
  }
}
