import { jobShape } from "../../config/json-schema.ts";
import { sourceShapes } from "../../config/job-template.ts";
import { FORMATS, SOURCES } from "../../registry.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, tableText } from "../output.ts";

/** `frazil list sources|formats`: what stands behind `source.type` and `source.format`. */
export async function list(context: CliContext, what: "sources" | "formats"): Promise<void> {
  const { output } = context;
  const rows =
    what === "sources"
      ? [...sourceShapes(jobShape(SOURCES))].map(([name, shape]) => ({ name, summary: shape.description ?? "" }))
      : Object.entries(FORMATS).map(([name, { summary }]) => ({ name, summary }));
  if (output.json) {
    for (const row of rows) await output.write(jsonLine(row));
    return;
  }
  const columns = [
    { name: what === "sources" ? "source" : "format", align: "left" },
    { name: "what it is", align: "left" },
  ] as const;
  await output.write(
    tableText(
      columns,
      rows.map(({ name, summary }) => [name, summary]),
    ),
  );
}
