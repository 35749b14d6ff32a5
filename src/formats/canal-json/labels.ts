import type { BytesBuilder } from "../../../table-format/index.ts";
import { QUOTE } from "../json-bytes/ascii.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";
import type { Convert } from "../json-columns/wire.ts";

/** Values kept with their labels: an enum has few; of a set's 2^64 only those that come. */
const MAX_CACHED = 4096;

/**
 * The label of an enum, or those of a set with commas between. Canal sends an enum's ordinal (from 1; 0 is what MySQL makes of an invalid
 * value, the empty text) and a set's bit mask, in a text; a text that is no number must be labels itself. A label that looks like a
 * number is never taken for itself, because it is an ordinal all the same.
 */
export function labelText(labels: readonly string[], isSet: boolean): Convert {
  const known = new Map<string, string>();
  return (bytes, pos, end, builder) => {
    const next = skipValue(bytes, pos, end);
    const sent = bytes[pos] === QUOTE ? stringAt(bytes, pos, end) : asciiText(bytes, pos, next);
    let found = known.get(sent);
    if (found === undefined) {
      const label = isSet ? setLabels(labels, sent) : enumLabel(labels, sent);
      if (label === null) throw new ValueFault(pos, `a label of mysqlType, or its number, of ${labels.length}`);
      if (known.size === MAX_CACHED) known.clear();
      known.set(sent, label);
      found = label;
    }
    (builder as BytesBuilder).appendString(found);
    return next;
  };
}

function enumLabel(labels: readonly string[], sent: string): string | null {
  if (sent === "") return "";
  if (!/^\d+$/.test(sent)) return labels.includes(sent) ? sent : null;
  const ordinal = Number(sent);
  return ordinal === 0 ? "" : (labels[ordinal - 1] ?? null);
}

function setLabels(labels: readonly string[], sent: string): string | null {
  if (sent === "") return "";
  if (!/^-?\d+$/.test(sent)) return sent.split(",").every((part) => labels.includes(part)) ? sent : null;
  // Java prints the 64th label's bit as a sign.
  const mask = BigInt.asUintN(64, BigInt(sent));
  if (mask >> BigInt(labels.length) !== 0n) return null;
  return labels.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n).join(",");
}
