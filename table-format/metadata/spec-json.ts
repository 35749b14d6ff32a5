import { FrazilError } from "../errors.ts";
import { jsonText } from "../json/exact-json.ts";
import type { JsonFields } from "../json/fields.ts";
import { FIRST_PARTITION_ID } from "../partition/spec.ts";
import type { JsonValue, PartitionField, PartitionSpec, SortOrder } from "./table-metadata.ts";

/** Reads a partition spec's JSON form. */
export function parseSpec(json: JsonFields): PartitionSpec {
  return { specId: json.int("spec-id"), fields: parseSpecFields(json.objects("fields")) };
}

/** Reads the fields of a partition spec, as specs and manifest headers hold them. v1 may leave out the ids, which then count from 1000. */
export function parseSpecFields(fields: readonly JsonFields[]): PartitionField[] {
  return fields.map((field, i) => ({
    sourceId: sourceId(field),
    fieldId: field.has("field-id") ? field.int("field-id") : FIRST_PARTITION_ID + i,
    name: field.string("name"),
    transform: field.string("transform"),
  }));
}

/** v3 writes `source-ids` for transforms of several columns, which no released engine reads. */
function sourceId(field: JsonFields): number {
  if (field.has("source-id")) return field.int("source-id");
  const ids = field.ints("source-ids");
  if (ids.length === 1) return ids[0] as number;
  throw new FrazilError(
    "unsupported",
    "MULTI_ARGUMENT_TRANSFORM",
    `${field.path("source-ids")}: transform ${field.string("transform")} of ${ids.length} columns is not supported`,
  );
}

/** The JSON form of a partition spec. */
export function specJson(spec: PartitionSpec): JsonValue {
  return { "spec-id": BigInt(spec.specId), fields: specFieldsJson(spec) };
}

/** The text that a manifest's header holds under `partition-spec`. */
export function partitionFieldsJsonText(spec: PartitionSpec): string {
  return jsonText(specFieldsJson(spec));
}

/** The JSON form of a spec's fields alone: of manifests, and of tables of version 1. */
export function specFieldsJson(spec: PartitionSpec): JsonValue {
  return spec.fields.map((field) => ({
    name: field.name,
    transform: field.transform,
    "source-id": BigInt(field.sourceId),
    "field-id": BigInt(field.fieldId),
  }));
}

/** Reads a sort order's JSON form. */
export function parseSortOrder(json: JsonFields): SortOrder {
  return {
    orderId: json.int("order-id"),
    fields: json.objects("fields").map((field) => {
      const direction = field.string("direction");
      const nullOrder = field.string("null-order");
      if (direction !== "asc" && direction !== "desc") throw field.error("direction", '"asc" or "desc"');
      if (nullOrder !== "nulls-first" && nullOrder !== "nulls-last") {
        throw field.error("null-order", '"nulls-first" or "nulls-last"');
      }
      return { transform: field.string("transform"), sourceId: sourceId(field), direction, nullOrder };
    }),
  };
}

/** The JSON form of a sort order. */
export function sortOrderJson(order: SortOrder): JsonValue {
  return {
    "order-id": BigInt(order.orderId),
    fields: order.fields.map((field) => ({
      transform: field.transform,
      "source-id": BigInt(field.sourceId),
      direction: field.direction,
      "null-order": field.nullOrder,
    })),
  };
}
