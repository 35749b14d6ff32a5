import { type FileIO, identText, type LoadedTable } from "../../../table-format/index.ts";
import { forgetStatistics } from "../../commit/statistics-commit.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { type NamedStatistics, statisticsFiles } from "../verify/references.ts";
import { NOTHING, type RepairPlan } from "./repair.ts";

/** Statistics whose file is gone are dropped from the metadata: they only help planners, and `frazil analyze` counts them anew. */
export async function planStatisticsRepair(context: MaintenanceContext, table: LoadedTable): Promise<RepairPlan> {
  const gone = await missing(context.io, table);
  if (gone.length === 0) return NOTHING;
  const name = identText(table.ident);
  const paths = gone.map(({ path }) => path).join(", ");
  return {
    refusals: [],
    repairs: [
      {
        repair: "statistics",
        table: name,
        plan: `statistics that are gone are dropped from the metadata: ${paths}`,
        rows: 0n,
        async run() {
          await forgetStatistics(context, table, gone);
          return `${name} no longer names ${paths}; frazil analyze counts them anew`;
        },
      },
    ],
  };
}

async function missing(io: FileIO, { metadata }: LoadedTable): Promise<NamedStatistics[]> {
  const gone: NamedStatistics[] = [];
  for (const file of statisticsFiles(metadata)) if ((await io.stat(file.path)) === null) gone.push(file);
  return gone;
}
