import type { ChangeBatch, ChangeColumn } from "../../src/core/change-batch.ts";
import type { FrazilError } from "../../src/core/errors.ts";
import type { Format } from "../../src/core/format.ts";
import type { DecodeNotices, TableBinding } from "../../src/core/table-binding.ts";
import { parsePrimitiveType } from "../../table-format/index.ts";
import { slabOf, type TestMessage } from "./slab.ts";

/** A binding as a job would make it; types by their texts. */
export function bindingOf(
  settings: {
    table?: number;
    target?: string;
    mode?: TableBinding["mode"];
    key?: readonly string[] | null;
    columns?: Record<string, string>;
    existing?: Record<string, string>;
  } = {},
): TableBinding {
  const types = (texts: Record<string, string> = {}) =>
    new Map(Object.entries(texts).map(([name, text]) => [name, parsePrimitiveType(text)]));
  return {
    table: settings.table ?? 0,
    target: settings.target ?? "shop.orders",
    mode: settings.mode ?? "upsert",
    key: settings.key ?? null,
    columns: types(settings.columns),
    existing: types(settings.existing),
  };
}

/** A decoder that takes slabs of test messages, and what it has noted. */
export interface TestDecoder {
  decode(messages: readonly TestMessage[]): ChangeBatch[];
  readonly inferred: ChangeColumn[];
  readonly unrouted: (string | null)[];
  readonly skipped: unknown;
  /** Statements that were skipped. */
  readonly statements: readonly string[];
  /** Messages that the decoder handed over, where the test takes them. */
  readonly rejected: readonly RejectedMessage[];
}

export interface RejectedMessage {
  readonly message: number;
  readonly error: FrazilError;
  readonly column: string | null;
}

/** One stream, bound to one table. `takesRejects`: bad messages go to `rejected`, else they are thrown. */
export function decoderOf(format: Format, binding: TableBinding = bindingOf(), takesRejects = false): TestDecoder {
  return routedDecoder(format, { byStream: () => binding, route: () => binding }, takesRejects);
}

/** One stream, whose tables are found by `router`. */
export function routedDecoder(
  format: Format,
  router: Parameters<Format["createDecoder"]>[0],
  takesRejects = false,
): TestDecoder {
  const rejected: RejectedMessage[] = [];
  const rejects = {
    reject: (_: unknown, message: number, error: FrazilError, column: string | null) =>
      void rejected.push({ message, error, column }),
  };
  const inferred: ChangeColumn[] = [];
  const unrouted: (string | null)[] = [];
  const statements: string[] = [];
  const notices: DecodeNotices = {
    inferred: (_, column) => void inferred.push(column),
    unrouted: (_, tableId) => void unrouted.push(tableId),
    statement: (_, __, kind) => void statements.push(kind),
  };
  const decoder = format.createDecoder(router, notices, takesRejects ? rejects : null);
  let offset = 0n;
  return {
    inferred,
    unrouted,
    statements,
    rejected,
    get skipped() {
      return (decoder as { skipped?: unknown }).skipped;
    },
    decode(messages) {
      const batches = decoder.decode(slabOf(messages, "shop.public.orders", offset));
      offset += BigInt(messages.length);
      return batches;
    },
  };
}
