import { checkTagName, setTag } from "../../commit/tag-snapshot.ts";
import { FrazilError } from "../../core/errors.ts";
import { tableAt } from "../../query/as-of.ts";
import type { LoadedTable } from "../../../table-format/index.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../output.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface TagOptions {
  readonly snapshot?: string;
  readonly delete?: boolean;
  readonly yes?: boolean;
}

/** `frazil tag <table> <name>`: a new tag at once; one that is there is moved or removed with `--yes` only. */
export async function tag(context: CliContext, name: string, tagName: string, options: TagOptions): Promise<void> {
  const { output, runtime } = context;
  await withWarehouse(context, async (warehouse) => {
    const table = await namedTable(warehouse, name);
    const before = checkTagName(table, tagName)?.snapshotId ?? null;
    const after = options.delete === true ? null : target(table, name, options.snapshot);
    if (options.delete === true && before === null) {
      throw new FrazilError("not-found", "TAG_NOT_FOUND", `${name} has no tag ${tagName}`, {
        hint: `frazil describe ${name} lists its refs`,
      });
    }
    const act = before === null || before === after || options.yes === true;
    const record = { table: name, tag: tagName, before, snapshotId: after, done: act };
    const plan =
      after === null
        ? `remove tag ${tagName} of ${name}, which names snapshot ${before}; unless a ref names it, it may expire`
        : before === null
          ? `tag ${tagName} of ${name}: snapshot ${after}`
          : before === after
            ? `tag ${tagName} of ${name} names snapshot ${after} already`
            : `move tag ${tagName} of ${name} from snapshot ${before} to ${after}`;
    if (act && before !== after) await setTag({ catalog: warehouse.catalog, runtime }, table, tagName, after);
    await output.write(output.json ? jsonLine(record) : `${plan}\n`);
    if (!act) output.note("nothing is changed yet: --yes does it");
  });
}

function target(table: LoadedTable, name: string, point: string | undefined): bigint {
  const { snapshot } = tableAt(table, point ?? null);
  if (snapshot !== null) return snapshot.snapshotId;
  throw new FrazilError("not-found", "SNAPSHOT_NOT_FOUND", `${name} has no snapshot yet that could be tagged`);
}
