import { grouped } from "../../core/count-text.ts";
import {
  currentSchema,
  currentSnapshot,
  defaultSpec,
  fieldById,
  identText,
  type LoadedTable,
  type NestedField,
  schemaById,
  type TableMetadata,
  typeText,
} from "../../../table-format/index.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText, tableText } from "../output.ts";
import { figure, liveRows, timeText } from "../snapshot-figures.ts";
import { withWarehouse } from "../warehouse-option.ts";

/** `frazil describe <table>`: what the table's metadata says. */
export async function describe(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  await withWarehouse(context, async (warehouse) => {
    const table = await namedTable(warehouse, name);
    await output.write(output.json ? jsonLine(record(table)) : text(table));
  });
}

function record(table: LoadedTable): Record<string, unknown> {
  const { metadata } = table;
  const snapshot = currentSnapshot(metadata);
  return {
    table: identText(table.ident),
    location: metadata.location,
    metadataLocation: table.metadataLocation,
    uuid: metadata.tableUuid,
    formatVersion: metadata.formatVersion,
    updated: timeText(metadata.lastUpdatedMs),
    schemaId: metadata.currentSchemaId,
    columns: currentSchema(metadata).fields.map((field) => ({
      id: field.id,
      name: field.name,
      type: typeText(field.type),
      required: field.required,
      identifier: isIdentifier(metadata, field),
      doc: field.doc,
    })),
    partitionBy: defaultSpec(metadata).fields.map(({ name, transform, sourceId }) => ({
      name,
      transform,
      column: columnOf(metadata, sourceId),
    })),
    sortBy: sortFields(metadata),
    properties: Object.fromEntries(metadata.properties),
    refs: Object.fromEntries([...metadata.refs].map(([ref, { type, snapshotId }]) => [ref, { type, snapshotId }])),
    snapshots: metadata.snapshots.length,
    currentSnapshot:
      snapshot === null
        ? null
        : {
            snapshotId: snapshot.snapshotId,
            time: timeText(snapshot.timestampMs),
            sequenceNumber: snapshot.sequenceNumber,
            summary: Object.fromEntries(snapshot.summary),
          },
    ...sizes(table),
  };
}

function sizes({ metadata }: LoadedTable) {
  const snapshot = currentSnapshot(metadata);
  if (snapshot === null) return { rows: 0n, dataFiles: 0n, deleteFiles: 0n, sizeBytes: 0n };
  return {
    rows: liveRows(snapshot),
    dataFiles: figure(snapshot, "total-data-files"),
    deleteFiles: figure(snapshot, "total-delete-files"),
    sizeBytes: figure(snapshot, "total-files-size"),
  };
}

function text(table: LoadedTable): string {
  const { metadata } = table;
  const snapshot = currentSnapshot(metadata);
  const { rows, dataFiles, deleteFiles, sizeBytes } = sizes(table);
  const spec = defaultSpec(metadata).fields.map((field) =>
    transformText(field.transform, columnOf(metadata, field.sourceId)),
  );
  const sort = sortFields(metadata).map(
    ({ transform, column, direction, nullOrder }) => `${transformText(transform, column)} ${direction} ${nullOrder}`,
  );
  const count = (value: bigint | null): string => (value === null ? "?" : grouped(value));
  const facts: [string, string][] = [
    ["table", identText(table.ident)],
    ["location", metadata.location],
    ["metadata", table.metadataLocation],
    ["uuid", metadata.tableUuid],
    ["format version", String(metadata.formatVersion)],
    ["partitioned by", spec.length === 0 ? "nothing" : spec.join(", ")],
    ["sorted by", sort.length === 0 ? "nothing" : sort.join(", ")],
    ["rows", count(rows)],
    ["files", `${count(dataFiles)} data, ${count(deleteFiles)} delete`],
    ["size", sizeBytes === null ? "?" : sizeText(sizeBytes)],
    ["snapshots", grouped(metadata.snapshots.length)],
    ["current", snapshot === null ? "none" : `${snapshot.snapshotId}, ${timeText(snapshot.timestampMs)}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const columns = tableText(
    [
      { name: "id", align: "right" },
      { name: "column", align: "left" },
      { name: "type", align: "left" },
      { name: "null", align: "left" },
      { name: "key", align: "left" },
      { name: "doc", align: "left" },
    ],
    currentSchema(metadata).fields.map((field) => [
      String(field.id),
      field.name,
      typeText(field.type),
      field.required ? "no" : "yes",
      isIdentifier(metadata, field) ? "key" : "",
      field.doc ?? "",
    ]),
  );
  const sections = [facts.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join(""), columns];
  if (metadata.refs.size > 0) {
    sections.push(
      tableText(
        [
          { name: "ref", align: "left" },
          { name: "kind", align: "left" },
          { name: "snapshot", align: "right" },
        ],
        [...metadata.refs].map(([ref, { type, snapshotId }]) => [ref, type, String(snapshotId)]),
      ),
    );
  }
  if (metadata.properties.size > 0) {
    sections.push(
      tableText(
        [
          { name: "property", align: "left" },
          { name: "value", align: "left" },
        ],
        [...metadata.properties].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ),
    );
  }
  return sections.join("\n");
}

function isIdentifier(metadata: TableMetadata, field: NestedField): boolean {
  return currentSchema(metadata).identifierFieldIds.includes(field.id);
}

function sortFields(metadata: TableMetadata) {
  const order = metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId);
  return (order?.fields ?? []).map(({ transform, sourceId, direction, nullOrder }) => ({
    transform,
    column: columnOf(metadata, sourceId),
    direction,
    nullOrder,
  }));
}

/** The name of a column that a spec or an order is about; it may be gone from the current schema. */
function columnOf(metadata: TableMetadata, id: number): string {
  const schemas = [metadata.currentSchemaId, ...metadata.schemas.map(({ schemaId }) => schemaId).reverse()];
  for (const schemaId of schemas) {
    const field = fieldById(schemaById(metadata, schemaId), id);
    if (field !== null) return field.name;
  }
  return `field ${id}`;
}

function transformText(transform: string, column: string): string {
  return transform === "identity" ? column : `${transform}(${column})`;
}
