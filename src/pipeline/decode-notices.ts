import { typeText } from "../../table-format/index.ts";
import type { DecodeNotices } from "../core/table-binding.ts";
import type { JobObserver } from "./job-run.ts";

/** What decoding has to say to whoever watches the job, each sentence once. */
export function noticesTo(observer: JobObserver): DecodeNotices {
  const said = new Set<string>();
  const once = (message: string) => {
    if (said.has(message)) return;
    said.add(message);
    observer.notice(message);
  };
  return {
    inferred: (binding, column) =>
      once(
        `${binding.target}: the type of column ${column.name} is inferred as ${typeText(column.type)}; declare it with columns: { ${column.name}: ${typeText(column.type)} }`,
      ),
    unrouted: (stream, tableId) =>
      once(`${tableId ?? stream} of ${stream} matches no entry of tables:; its changes are not written anywhere`),
    leftOut: (binding, column) =>
      once(`${binding.target}: column ${column} is left out: the table lacks it, and schema_changes is ignore`),
    statement: (stream, tableId, kind) =>
      once(
        `${kind} of ${tableId ?? stream} is not applied: only changes of rows and TRUNCATE are; new columns come with their rows`,
      ),
  };
}
