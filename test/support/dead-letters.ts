import { DEAD_LETTER_COLUMNS } from "../../src/core/dead-letter.ts";
import type { Warehouse } from "./checkpoints.ts";
import { tableRows } from "./table-rows.ts";

const NAMES = Object.keys(DEAD_LETTER_COLUMNS);

/** The rows of `shop.dead_letters` by column name, in the order in which the letters were written. */
export async function deadLetters({ io, catalog }: Warehouse): Promise<Record<string, string>[]> {
  const rows = await tableRows(io, catalog, { namespace: ["shop"], name: "dead_letters" });
  return rows
    .map((row) => Object.fromEntries(row.split("|").map((cell, index) => [NAMES[index], cell])))
    .sort((a, b) => Number(a["letter"]) - Number(b["letter"])) as Record<string, string>[];
}
