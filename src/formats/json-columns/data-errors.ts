import { typeText } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { TableBinding } from "../../core/table-binding.ts";
import { JsonFault, ValueFault } from "../json-bytes/fault.ts";
import { skipValue } from "../json-bytes/skip.ts";
import { utf8Text } from "../json-bytes/text.ts";
import type { ColumnSlot } from "./column-slot.ts";

/** Longest piece of a message that an error shows. */
const MAX_EXCERPT = 60;

/** Where a message stands: `topic shop.orders, split shop.orders/0, offset 42`. */
export function placeText(slab: MessageSlab, message: number): string {
  return `stream ${slab.stream}, split ${slab.split}, offset ${slab.offsets[message]}`;
}

/** What a message says does not make a row change. */
export class MessageFault extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** Where decoding stood when something was thrown. */
export interface FaultPlace {
  readonly slab: MessageSlab;
  readonly message: number;
  /** Whether the message's key was being read, not its value. */
  readonly inKey: boolean;
  readonly binding: TableBinding | null;
  readonly slot: ColumnSlot | null;
}

/** The error that stops the job: names stream, split, offset, column and byte, what was expected and what was found. */
export function dataError(fault: unknown, place: FaultPlace): unknown {
  const { slab, message, inKey } = place;
  const where = placeText(slab, message);
  if (fault instanceof MessageFault) {
    return new FrazilError("data", fault.code, `${where}: ${fault.message}`, { hint: fault.hint });
  }
  if (fault instanceof FrazilError) {
    return new FrazilError(fault.kind, fault.code, `${where}: ${fault.message}`, { hint: fault.hint, cause: fault });
  }
  const part = inKey ? "key" : "value";
  const start = (inKey ? slab.keyStarts : slab.valueStarts)[message] as number;
  const end = (inKey ? slab.keyEnds : slab.valueEnds)[message] as number;
  if (fault instanceof JsonFault) {
    const found = excerpt(slab.bytes, fault.at, Math.min(end, fault.at + 20));
    return new FrazilError(
      "data",
      "MALFORMED_JSON",
      `${where}: expected ${fault.expected} at byte ${fault.at - start} of the ${part}, found ${found}`,
      {
        hint: "the job's format must be the one that the producer writes; JSON is read as in RFC 8259, in UTF-8",
      },
    );
  }
  if (!(fault instanceof ValueFault)) return fault;
  const found = excerpt(slab.bytes, fault.at, valueEnd(slab.bytes, fault.at, end));
  return new FrazilError(
    "data",
    "VALUE_MISMATCH",
    `${where}${columnText(place)}: expected ${fault.expected}, found ${found} at byte ${fault.at - start} of the ${part}`,
    { hint: hintText(place, fault) },
  );
}

/** Codes whose hint is the line to write into the job file. */
const NAMES_A_SETTING: ReadonlySet<string> = new Set(["VALUE_MISMATCH", "COLUMN_TYPE_REFUSED"]);

/** The error of a message that nothing keeps, so that it ends the job: with the way to go on without the message, where none is told yet. */
export function notKept(error: FrazilError): FrazilError {
  const { kind, code, message, hint, cause } = error;
  if (NAMES_A_SETTING.has(code) && hint !== undefined) return error;
  const way = "to go on, keep such messages: dead_letter: { table: shop.dead_letters }";
  return new FrazilError(kind, code, message, { hint: hint === undefined ? way : `${hint}; ${way}`, cause });
}

function columnText({ binding, slot }: FaultPlace): string {
  if (binding === null) return "";
  if (slot === null) return `, table ${binding.target}`;
  const type = slot.column === null ? "" : ` (${typeText(slot.column.type)})`;
  return `, column ${JSON.stringify(slot.name)}${type} of ${binding.target}`;
}

function hintText({ binding, slot }: FaultPlace, fault: ValueFault): string | undefined {
  if (binding === null || slot === null || fault.fittingType === null) return undefined;
  return `under the entry of ${binding.target} in tables: columns: { ${slot.name}: ${fault.fittingType} }`;
}

function excerpt(bytes: Uint8Array, start: number, end: number): string {
  if (start >= end) return "the end";
  const text = utf8Text(bytes, start, Math.min(end, start + MAX_EXCERPT));
  return end - start > MAX_EXCERPT ? `${text}…` : text;
}

/** Where the value that an error shows ends: the message itself when the value is malformed. */
function valueEnd(bytes: Uint8Array, start: number, end: number): number {
  try {
    return skipValue(bytes, start, end);
  } catch {
    return end;
  }
}
