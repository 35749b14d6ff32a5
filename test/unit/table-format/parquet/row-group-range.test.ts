import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { readFooter } from "../../../../table-format/parquet/footer.ts";
import { rowGroupRanges } from "../../../../table-format/parquet/row-group-range.ts";
import { batchOf, schemaOf, writeFile } from "./files.ts";

test("bounds of texts say nothing where the writer compares UTF-16 units, as parquetjs-lite does", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([{ kind: "string" }, { kind: "string" }, { kind: "long" }]);
  const rows = [
    ["a", "b"],
    ["c", "c"],
    [1n, 2n],
  ];
  const { fileSizeBytes } = await writeFile(io, "mem://f.parquet", schema, [batchOf(schema, rows)]);
  const footer = await readFooter(io, { filePath: "mem://f.parquet", fileSizeBytes }, null);
  const boundsBy = (writer: string) => {
    const rangeOf = rowGroupRanges({ ...footer, metadata: { ...footer.metadata, created_by: writer } })(0);
    return schema.fields.map(({ id, name, type }) => {
      const range = rangeOf({ fieldId: id, name, type, isNested: false });
      return [range?.lower, range?.upper];
    });
  };
  const bounds = [
    ["a", "b"],
    ["c", "c"],
    [1n, 2n],
  ];
  expect(boundsBy("parquet-cpp-arrow version 26.0.1")).toEqual(bounds);
  // U+1F600 comes before U+FFFD there, and after it in Iceberg. One value is one in any order.
  for (const writer of ["parquet.js", "parquetjs-lite"]) {
    expect(boundsBy(writer)).toEqual([[null, null], ...bounds.slice(1)]);
  }
});
