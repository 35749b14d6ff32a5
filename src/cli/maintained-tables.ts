import { counted } from "../core/count-text.ts";
import { policyOf } from "../maintenance/service/service.ts";
import { identText, type TableIdent } from "../../table-format/index.ts";

/** Names that a line shows before it says how many more there are. */
const SHOWN = 5;

/**
 * Says which tables a service looks after, once it knows them, and later which new ones it leaves alone: a pattern with a mistake in it would
 * not be noticed otherwise.
 *
 * @param patterns of the policies, the first that matches a table decides
 */
export function maintainedTables(
  patterns: readonly string[],
  note: (line: string) => void,
): (tables: readonly TableIdent[]) => void {
  const decides = policyOf(patterns);
  const told = new Set<string>();
  let isFirst = true;
  return (tables) => {
    const left = tables.filter((table) => decides(table) < 0).map(identText);
    const news = left.filter((name) => !told.has(name));
    for (const name of news) told.add(name);
    if (isFirst) {
      note(`looks after ${tables.length - left.length} of ${counted(tables.length, "table")}`);
      const used = new Set(tables.map(decides));
      // One of a table that is yet to come is no mistake.
      for (const [index, pattern] of patterns.entries()) {
        if (!used.has(index)) note(`policies[${index}] decides on no table so far: ${JSON.stringify(pattern)}`);
      }
    }
    isFirst = false;
    if (news.length > 0) note(`left alone, as no policy matches: ${namesText(news)}`);
  };
}

function namesText(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
