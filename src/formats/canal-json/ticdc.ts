import { Op } from "../../core/change-batch.ts";
import { LETTER_t, OPEN_BRACE, QUOTE } from "../json-bytes/ascii.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { MessageFault } from "../json-columns/data-errors.ts";

const ONLY_HANDLE_KEY = keyText("onlyHandleKey");
const CLAIM_CHECK = keyText("claimCheckLocation");

/**
 * Refuses rows that TiCDC has left out of a message because it was too large: what is there is the key alone, and the other columns would
 * become null. Deletes need no more than the key.
 */
export function refuseClaims(bytes: Uint8Array, tidb: Range, op: number): void {
  if (tidb.start < 0 || bytes[tidb.start] !== OPEN_BRACE) return;
  const handleOnly = findMember(bytes, tidb.start, tidb.end, ONLY_HANDLE_KEY);
  const claim = findMember(bytes, tidb.start, tidb.end, CLAIM_CHECK);
  const left =
    (handleOnly >= 0 && bytes[handleOnly] === LETTER_t) ||
    (claim >= 0 && bytes[claim] === QUOTE && bytes[claim + 1] !== QUOTE);
  if (!left || op === Op.delete) return;
  throw new MessageFault(
    "ROW_LEFT_OUT",
    "expected a whole row, found TiCDC's note that it was too large for a message",
    "raise TiCDC's max-message-bytes, and set large-message-handle-option = none",
  );
}
