import { type ColumnBuilder, createBuilder, valueAt } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op, offsetPoints } from "../../core/change-batch.ts";
import { DEAD_LETTER_COLUMNS, DEAD_LETTER_STREAM, type DeadLetterSettings, originOf } from "../../core/dead-letter.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { Rejects } from "../../core/format.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import { messageOf } from "../../core/kept-messages.ts";
import { DEAD_LETTER_SHARE_FROM, DEAD_LETTERS_SHOWN } from "../../core/limits.ts";
import type { TableBinding } from "../../core/table-binding.ts";
import type { TableRule } from "../../core/table-rule.ts";
import type { UnknownRow } from "../changes/partial-changes.ts";

type Name = keyof typeof DEAD_LETTER_COLUMNS;

const FIELDS: readonly ChangeColumn[] = Object.entries(DEAD_LETTER_COLUMNS).map(([name, type]) => ({
  name,
  type,
  required: false,
}));

/** The table's entry: an ordinary append table, so that letters are committed together with the position behind them. */
export function deadLetterRule(table: string): TableRule {
  return {
    from: DEAD_LETTER_STREAM,
    to: table,
    mode: "append",
    key: null,
    columns: new Map(),
    partitionBy: [],
    sortBy: null,
    formatVersion: 3,
    schemaChanges: "evolve",
  };
}

/** The letters of one generation of one split since the last `take`. */
interface OpenLetters {
  /** All but the number, which is given at `take`. */
  readonly columns: Readonly<Record<Name, ColumnBuilder>>;
  readonly nextOffsets: bigint[];
  readonly split: string;
  readonly generation: number;
}

/**
 * Keeps messages that cannot be decoded, as rows of the job's dead-letter table, and ends the job when they are too many. Between two
 * pulls `take` gives what the last pull left here, so that letters and the position behind them stand in one checkpoint.
 */
export class DeadLetters implements Rejects {
  readonly #table: number;
  readonly #pipeline: string;
  readonly #limits: Pick<DeadLetterSettings, "maxRows" | "maxShare">;
  readonly #open = new Map<string, OpenLetters>();
  readonly #first: string[] = [];
  readonly #byCode = new Map<string, number>();
  #nextLetter = 1n;
  #count = 0;
  #messages = 0;

  /** @param binding of the dead-letter table. */
  constructor(binding: TableBinding, pipeline: string, limits: Pick<DeadLetterSettings, "maxRows" | "maxShare">) {
    this.#table = binding.table;
    this.#pipeline = pipeline;
    this.#limits = limits;
  }

  /** Letters since the start. */
  get count(): number {
    return this.#count;
  }

  /** Those by error code. */
  get byCode(): ReadonlyMap<string, number> {
    return this.#byCode;
  }

  /** Sets the number of the next letter: higher than any in the table. */
  numberFrom(letter: bigint): void {
    this.#nextLetter = letter;
  }

  reject(slab: MessageSlab, message: number, error: FrazilError, column: string | null, target?: string | null): void {
    this.#count++;
    this.#byCode.set(error.code, (this.#byCode.get(error.code) ?? 0) + 1);
    const reason = reasonOf(error, slab, message);
    const { partition, offset } = originOf(slab, message);
    if (this.#first.length < DEAD_LETTERS_SHOWN) {
      this.#first.push(`${error.code} ${slab.stream}/${partition ?? "?"} offset ${offset}: ${reason}`);
    }
    if (this.#count > this.#limits.maxRows) {
      throw this.#tooMany(`more than dead_letter.max_rows (${this.#limits.maxRows}) allows`);
    }
    const { columns, nextOffsets } = this.#openFor(slab.split, slab.generation ?? 1);
    columns.topic.appendString(slab.stream);
    if (partition === null) columns.partition.appendNull();
    else columns.partition.appendI32(partition);
    columns.offset.appendI64(offset);
    columns.timestamp.appendI64(BigInt(slab.timestampsMs[message] as number) * 1_000n);
    appendPart(columns.key, slab.bytes, slab.keyStarts[message] as number, slab.keyEnds[message] as number);
    appendPart(columns.value, slab.bytes, slab.valueStarts[message] as number, slab.valueEnds[message] as number);
    columns.headers.appendString(headersText(slab.headers(message)));
    columns.code.appendString(error.code);
    columns.reason.appendString(reason);
    appendText(columns.column, column);
    appendText(columns.target, target ?? null);
    columns.pipeline.appendString(this.#pipeline);
    nextOffsets.push((slab.offsets[message] as bigint) + 1n);
  }

  /**
   * Letters for changes that could be decoded, but that change a row that nobody knows. They belong to the checkpoint that is being
   * prepared, whatever the source has read for the next one meanwhile.
   * @throws FrazilError `data`: a change's own error where its message was not kept; when the job has had enough of them.
   */
  late(rows: readonly UnknownRow[]): ChangeBatch[] {
    const next = [...this.#open];
    this.#open.clear();
    try {
      for (const { batch, row, error, column, target } of rows) {
        const kept = messageOf(batch, row);
        if (kept === null) throw error;
        this.reject(kept.slab, kept.message, error, column, target);
      }
      this.noteMessages(0);
      return this.take();
    } finally {
      for (const [split, letters] of next) this.#open.set(split, letters);
    }
  }

  /** The letters since the last call, a batch for each split. */
  take(): ChangeBatch[] {
    const batches = [...this.#open.values()].map((letters) => this.#batch(letters));
    this.#open.clear();
    return batches;
  }

  /** Forgets letters of a batch that `take` gave, from a row on: their messages are left to the next run. */
  giveBack({ fields, columns, length }: ChangeBatch, from: number): void {
    const codes = must(columns[fields.findIndex(({ name }) => name === "code")], "letters have a code");
    for (let row = from; row < length; row++) {
      const code = String(valueAt(codes, row));
      this.#count--;
      const left = (this.#byCode.get(code) ?? 0) - 1;
      if (left > 0) this.#byCode.set(code, left);
      else this.#byCode.delete(code);
    }
  }

  /** Counts messages, dead letters among them. @throws FrazilError `data` when too high a share of them are dead letters. */
  noteMessages(count: number): void {
    this.#messages += count;
    if (this.#messages >= DEAD_LETTER_SHARE_FROM) this.checkShare();
  }

  /** Also holds few messages against the share: for a run that has come to its end. @throws FrazilError `data`. */
  checkShare(): void {
    const { maxShare } = this.#limits;
    if (this.#count <= this.#messages * maxShare) return;
    throw this.#tooMany(`of ${this.#messages}, a higher share than dead_letter.max_share (${maxShare}) allows`);
  }

  #openFor(split: string, generation: number): OpenLetters {
    const name = `${split}@${generation}`;
    let open = this.#open.get(name);
    if (open === undefined) {
      const builders = Object.entries(DEAD_LETTER_COLUMNS).map(([name, type]) => [name, createBuilder(type)] as const);
      open = {
        columns: Object.fromEntries(builders) as Record<Name, ColumnBuilder>,
        nextOffsets: [],
        split,
        generation,
      };
      this.#open.set(name, open);
    }
    return open;
  }

  #batch({ columns, nextOffsets, split, generation }: OpenLetters): ChangeBatch {
    for (let row = 0; row < nextOffsets.length; row++) columns.letter.appendI64(this.#nextLetter++);
    const builders = Object.values(columns);
    const sizeBytes = builders.reduce((sum, builder) => sum + builder.sizeBytes, 0);
    return {
      table: this.#table,
      split,
      length: nextOffsets.length,
      ops: new Uint8Array(nextOffsets.length).fill(Op.insert),
      fields: FIELDS,
      columns: builders.map((builder) => builder.finish()),
      absent: FIELDS.map(() => null),
      key: null,
      points: offsetPoints(BigInt64Array.from(nextOffsets), generation),
      sizeBytes,
    };
  }

  #tooMany(limit: string): FrazilError {
    const lines = this.#first.map((line) => `\n  ${line}`).join("");
    const what = this.#count === 1 ? "1 message" : `${this.#count} messages`;
    return new FrazilError(
      "data",
      "TOO_MANY_DEAD_LETTERS",
      `${what} could not be decoded, ${limit}; the first:${lines}`,
      {
        hint: "set the job's format and columns: right, or raise the limits of dead_letter; frazil dead-letters list shows what was committed",
      },
    );
  }
}

function appendPart(builder: ColumnBuilder, bytes: Uint8Array, start: number, end: number): void {
  if (start < 0) builder.appendNull();
  else builder.appendBytes(bytes, start, end);
}

function appendText(builder: ColumnBuilder, text: string | null): void {
  if (text === null) builder.appendNull();
  else builder.appendString(text);
}

function headersText(headers: ReturnType<MessageSlab["headers"]>): string {
  return JSON.stringify(
    headers.map(([name, value]) => [name, value === null ? null : Buffer.from(value).toString("base64")]),
  );
}

/** The error's message without the place that it begins with, which has columns of its own. */
function reasonOf(error: FrazilError, slab: MessageSlab, message: number): string {
  const place = `stream ${slab.stream}, split ${slab.split}, offset ${slab.offsets[message]}`;
  if (!error.message.startsWith(place)) return error.message;
  return error.message.slice(place.length).replace(/^[:,] /, "");
}
