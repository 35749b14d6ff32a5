import { FrazilError } from "../../core/errors.ts";
import type { DecodeNotices, TableBinding } from "../../core/table-binding.ts";
import { CLOSE_BRACE, OPEN_BRACE, QUOTE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import { nextMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipKey, skipSpace, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";
import { Layout } from "../json-columns/layout.ts";
import { checkColumnName } from "../json-columns/column-name.ts";
import { declareColumn, givenType, leaveOut } from "../json-columns/kept-columns.ts";
import { TableRows } from "../json-columns/table-rows.ts";
import { mysqlWire } from "./mysql-wire.ts";
import { parseMysqlType } from "./mysql-type.ts";

/** Declarations kept parsed: more than one table's versions ever make; then all are forgotten. */
const MAX_CACHED = 256;

/** The open batch of a table whose messages say in `mysqlType` what their columns are. */
export class CanalRows extends TableRows {
  private readonly layouts = new Map<string, Layout>();
  private lastText: Buffer = Buffer.alloc(0);
  private last: Layout | null = null;

  constructor(binding: TableBinding, notices: DecodeNotices) {
    super(binding, notices, mysqlWire(null));
  }

  /**
   * Chooses the columns by a message's `mysqlType`, which is nearly always the very text of the message before; without one what such
   * messages have shown.
   * @throws FrazilError `data` for a column whose values cannot be read by what it says, JsonFault when it is no object of texts.
   */
  useTypes(bytes: Uint8Array, types: Range): void {
    const { start, end } = types;
    if (start < 0) {
      this.useLayout(this.grown);
      return;
    }
    if (this.last === null || this.lastText.compare(bytes, start, end) !== 0) {
      const text = asciiText(bytes, start, end);
      let layout = this.layouts.get(text);
      if (layout === undefined) {
        layout = declaredLayout(this.binding, this.notices, bytes, start, end);
        if (this.layouts.size === MAX_CACHED) this.layouts.clear();
        this.layouts.set(text, layout);
      }
      this.last = layout;
      this.lastText = Buffer.from(bytes.slice(start, end));
    }
    this.useLayout(this.last);
  }
}

/** The columns that the object at `pos` declares; `columns:` of the job wins. A row may bring more, as without declarations. */
function declaredLayout(
  binding: TableBinding,
  notices: DecodeNotices,
  bytes: Uint8Array,
  pos: number,
  end: number,
): Layout {
  if (bytes[pos] !== OPEN_BRACE) throw new JsonFault(pos, "an object of column types");
  const layout = new Layout(true, mysqlWire(null));
  let at = skipSpace(bytes, pos + 1, end);
  if (bytes[at] === CLOSE_BRACE) return layout;
  while (at >= 0) {
    const value = skipKey(bytes, at, end);
    if (bytes[value] !== QUOTE) throw new JsonFault(value, "a column type in a text");
    const name = stringAt(bytes, at, end);
    if (!leaveOut(layout, binding, notices, name)) {
      const mysql = parseMysqlType(stringAt(bytes, value, end));
      const type = givenType(binding, name) ?? mysql.type;
      if (type === null) throw unreadable(binding, name, mysql.text);
      checkColumnName(binding, name);
      if (layout.find(name) === undefined) declareColumn(layout.add(name), binding, type, false, mysqlWire(mysql));
    }
    at = nextMember(bytes, skipValue(bytes, value, end), end);
  }
  return layout;
}

function unreadable(binding: TableBinding, column: string, text: string): FrazilError {
  return new FrazilError(
    "data",
    "COLUMN_TYPE_REFUSED",
    `column ${JSON.stringify(column)} of ${binding.target}: expected a mysqlType with its labels, found ${text}`,
    { hint: `keep the labels' numbers: columns: { ${column}: long }` },
  );
}
