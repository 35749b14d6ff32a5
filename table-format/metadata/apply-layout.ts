import { FrazilError } from "../errors.ts";
import { bindSpec, FIRST_PARTITION_ID } from "../partition/spec.ts";
import { parseTransform } from "../partition/transform.ts";
import { highestFieldId, MAX_FIELD_ID, nestedFields } from "../schema/schema.ts";
import { sameSchema } from "../schema/schema-json.ts";
import { hasNoDefault, typeText } from "../schema/type-json.ts";
import type { Schema } from "../schema/types.ts";
import { change, type Draft, invalid, stale } from "./draft.ts";
import type { PartitionField, PartitionSpec, SortOrder, TableMetadata } from "./table-metadata.ts";

/** Types and field attributes that came with version 3. */
const SINCE_V3: ReadonlySet<string> = new Set([
  "timestamp_ns",
  "timestamptz_ns",
  "variant",
  "unknown",
  "geometry",
  "geography",
]);

/** Reuses the id of an equal schema, as the spec wants; the id in the update itself does not count. */
export function addSchema(draft: Draft, schema: Schema, lastColumnId: number): void {
  const { schemas } = draft.metadata;
  checkFields(schema);
  const same = schemas.find((other) => sameSchema(other, schema));
  const schemaId = same?.schemaId ?? nextId(schemas.map((other) => other.schemaId));
  const highest = Math.max(draft.metadata.lastColumnId, lastColumnId, highestFieldId(schema));
  draft.lastSchemaId = schemaId;
  change(draft, {
    lastColumnId: highest,
    ...(same === undefined && { schemas: [...schemas, { ...schema, schemaId }] }),
  });
}

/** The id that `add-schema` will give this schema. */
export function schemaIdFor(metadata: TableMetadata, schema: Schema): number {
  const same = metadata.schemas.find((other) => sameSchema(other, schema));
  return same?.schemaId ?? nextId(metadata.schemas.map((other) => other.schemaId));
}

function checkFields(schema: Schema): void {
  const ids = new Map<number, string>();
  for (const field of nestedFields(schema.fields)) {
    const other = ids.get(field.id);
    if (other !== undefined) throw invalid(`columns ${other} and ${field.name} share field id ${field.id}`);
    if (field.id < 1 || field.id > MAX_FIELD_ID)
      throw invalid(`column ${field.name}: field id ${field.id} is not allowed`);
    ids.set(field.id, field.name);
  }
  const names = new Set(schema.fields.map((field) => field.name));
  if (names.size < schema.fields.length) throw invalid("the schema has two columns of the same name");
  for (const id of schema.identifierFieldIds) {
    if (!ids.has(id)) throw invalid(`identifier field id ${id} is not in the schema`);
  }
}

export function setCurrentSchema(draft: Draft, id: number): void {
  const schemaId = chosen(id, draft.lastSchemaId, "add-schema");
  known(
    draft.metadata.schemas.some((schema) => schema.schemaId === schemaId),
    `schema ${schemaId}`,
  );
  change(draft, { currentSchemaId: schemaId });
}

/**
 * Reuses the id of an equal spec, and of each field that any spec already has (spec, "Partition Evolution"). In version 1 fields have the
 * ids that they come with, and new ones the next: they stay where they are, without a gap.
 */
export function addSpec(draft: Draft, spec: PartitionSpec): void {
  const { formatVersion, partitionSpecs } = draft.metadata;
  const same = partitionSpecs.find((other) => sameFields(other.fields, spec.fields));
  if (same !== undefined) {
    draft.lastSpecId = same.specId;
    return;
  }
  const assigned = partitionSpecs.flatMap((other) => other.fields);
  let last = draft.metadata.lastPartitionId;
  // One that stays as void in a table that was of version 1 keeps its id, also from the field that it was.
  const taken = new Set(spec.fields.filter(({ transform }) => transform === "void").map(({ fieldId }) => fieldId));
  const reused = (fields: readonly PartitionField[]): PartitionField | undefined =>
    formatVersion === 1 ? undefined : fields.find(({ fieldId }) => !taken.has(fieldId));
  const fields = spec.fields.map((field) => {
    const before = assigned.filter((other) => other.sourceId === field.sourceId && other.transform === field.transform);
    const isKept = before.some(({ fieldId }) => fieldId === field.fieldId);
    const known = isKept || (formatVersion === 1 && field.fieldId > 0) ? field.fieldId : reused(before)?.fieldId;
    const fieldId = known ?? Math.max(last + 1, field.fieldId, FIRST_PARTITION_ID);
    last = Math.max(last, fieldId);
    return { ...field, fieldId };
  });
  const gap = fields.find(({ fieldId }, i) => fieldId !== FIRST_PARTITION_ID + i);
  if (formatVersion === 1 && gap !== undefined) {
    throw invalid(
      `partition field ${gap.name} has id ${gap.fieldId}: version 1 counts them from ${FIRST_PARTITION_ID} on`,
    );
  }
  if (new Set(fields.map((field) => field.name)).size < fields.length) {
    throw invalid("the partition spec has two fields of the same name");
  }
  const specId = nextId(partitionSpecs.map((other) => other.specId));
  draft.lastSpecId = specId;
  change(draft, { partitionSpecs: [...partitionSpecs, { specId, fields }], lastPartitionId: last });
}

function sameFields(a: readonly PartitionField[], b: readonly PartitionField[]): boolean {
  return (
    a.length === b.length &&
    a.every((field, i) => {
      const other = b[i] as PartitionField;
      return field.sourceId === other.sourceId && field.transform === other.transform && field.name === other.name;
    })
  );
}

export function setDefaultSpec(draft: Draft, id: number): void {
  const specId = chosen(id, draft.lastSpecId, "add-spec");
  known(
    draft.metadata.partitionSpecs.some((spec) => spec.specId === specId),
    `partition spec ${specId}`,
  );
  change(draft, { defaultSpecId: specId });
}

/** Order 0 is the unsorted one. */
export function addSortOrder(draft: Draft, order: SortOrder): void {
  const { sortOrders } = draft.metadata;
  const text = JSON.stringify(order.fields);
  const same = sortOrders.find((other) => JSON.stringify(other.fields) === text);
  const orderId =
    same?.orderId ?? (order.fields.length === 0 ? 0 : nextId([0, ...sortOrders.map((other) => other.orderId)]));
  draft.lastSortOrderId = orderId;
  if (same === undefined) change(draft, { sortOrders: [...sortOrders, { ...order, orderId }] });
}

export function setDefaultSortOrder(draft: Draft, id: number): void {
  const orderId = chosen(id, draft.lastSortOrderId, "add-sort-order");
  known(
    draft.metadata.sortOrders.some((order) => order.orderId === orderId),
    `sort order ${orderId}`,
  );
  change(draft, { defaultSortOrderId: orderId });
}

/** @throws FrazilError `conflict` for the current schema: somebody has gone back to it meanwhile. */
export function removeSchemas(draft: Draft, schemaIds: readonly number[]): void {
  const { schemas, currentSchemaId } = draft.metadata;
  if (schemaIds.includes(currentSchemaId))
    throw stale(`schema ${currentSchemaId} cannot be removed: it is the current one`);
  change(draft, { schemas: schemas.filter(({ schemaId }) => !schemaIds.includes(schemaId)) });
}

/** @throws FrazilError `conflict` for the default spec: somebody has gone back to it meanwhile. */
export function removeSpecs(draft: Draft, specIds: readonly number[]): void {
  const { partitionSpecs, defaultSpecId } = draft.metadata;
  if (specIds.includes(defaultSpecId))
    throw stale(`partition spec ${defaultSpecId} cannot be removed: it is the default`);
  change(draft, { partitionSpecs: partitionSpecs.filter(({ specId }) => !specIds.includes(specId)) });
}

/**
 * What holds between schema, spec and version once all updates are applied.
 * @throws FrazilError kind `data`.
 */
export function checkLayout({ formatVersion, schemas, partitionSpecs, ...m }: TableMetadata): void {
  const schema = schemas.find((other) => other.schemaId === m.currentSchemaId);
  const spec = partitionSpecs.find((other) => other.specId === m.defaultSpecId);
  if (schema === undefined) throw invalid("the table has no current schema");
  if (spec === undefined) throw invalid("the table has no default partition spec");
  if (!m.sortOrders.some((order) => order.orderId === m.defaultSortOrderId)) {
    throw invalid("the table has no default sort order");
  }
  if (formatVersion < 3) {
    for (const field of nestedFields(schema.fields)) {
      if (SINCE_V3.has(field.type.kind)) {
        throw invalid(
          `column ${field.name}: type ${typeText(field.type)} needs format version 3, the table has ${formatVersion}`,
        );
      }
      if (field.initialDefault !== undefined || field.writeDefault !== undefined) {
        throw invalid(`column ${field.name}: default values need format version 3, the table has ${formatVersion}`);
      }
    }
  }
  for (const { name, type, initialDefault = null, writeDefault = null } of nestedFields(schema.fields)) {
    if (hasNoDefault(type) && (initialDefault !== null || writeDefault !== null)) {
      throw invalid(`column ${name}: the default of a column of type ${typeText(type)} is null`);
    }
  }
  checkSources(spec, schema);
}

/** Dropping or retyping a column that the live spec reads would make the table unreadable for Java. */
function checkSources(spec: PartitionSpec, schema: Schema): void {
  const fields = spec.fields.filter((field) => parseTransform(field.transform).kind !== "other");
  try {
    bindSpec({ ...spec, fields }, schema);
  } catch (cause) {
    const why = cause instanceof FrazilError ? cause.message : String(cause);
    throw new FrazilError("data", "INVALID_UPDATE", `the schema does not fit the partition spec: ${why}`, { cause });
  }
}

function nextId(ids: readonly number[]): number {
  return Math.max(-1, ...ids) + 1;
}

function chosen(id: number, last: number | null, action: string): number {
  if (id !== -1) return id;
  if (last === null) throw invalid(`-1 stands for what ${action} added, but the list has no ${action} before it`);
  return last;
}

function known(exists: boolean, what: string): void {
  if (!exists) throw stale(`${what} does not exist (any more)`);
}
