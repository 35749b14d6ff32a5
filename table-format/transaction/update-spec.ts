import { FrazilError } from "../errors.ts";
import { currentSchema, defaultSpec } from "../metadata/refs.ts";
import type { PartitionField } from "../metadata/table-metadata.ts";
import { parsePartitionBy } from "../partition/spec.ts";
import { parseTransform } from "../partition/transform.ts";
import { fieldById, fieldByName } from "../schema/schema.ts";
import type { Schema } from "../schema/types.ts";
import { metadataOperation } from "./manage-snapshots.ts";
import type { TableOperation } from "./operation.ts";

/** A step of a change of the partition spec (Java's `UpdatePartitionSpec`). Terms are written `region`, `day(ts)`, `bucket(16, id)`. */
export type SpecChange =
  /** The name is by default Java's: `id_bucket_16`, `name_trunc_4`, `ts_day`. */
  | { readonly change: "add-field"; readonly term: string; readonly name?: string }
  | { readonly change: "remove-field"; readonly name: string }
  | { readonly change: "rename-field"; readonly name: string; readonly to: string };

/**
 * Changes what new files are partitioned by; those that are there keep their spec (spec, "Partition Evolution"). A field that an older
 * spec had gets its old id.
 *
 * In format version 1 a field that is removed stays as `void` (spec, "Partition Evolution"), and gives up its name to one that wants it.
 *
 * With `addNonDefaultSpec` the table only learns the spec, for files that are written with it by their own wish.
 *
 * The commit throws `config` naming the field and what is wrong with it.
 */
export function updateSpec(
  changes: readonly SpecChange[],
  options: { readonly addNonDefaultSpec?: boolean } = {},
): TableOperation {
  return metadataOperation("update partition spec", (base) => {
    const schema = currentSchema(base);
    const before = defaultSpec(base).fields;
    const unknown = before.find(({ transform }) => parseTransform(transform).kind === "other");
    if (unknown !== undefined) {
      throw refused(`partition field ${unknown.name} has a transform that is not known here: ${unknown.transform}`);
    }
    let fields = before;
    for (const change of changes) fields = applyChange(fields, change, schema, base.formatVersion === 1);
    if (sameFields(fields, before)) return [];
    return [
      { action: "add-spec", spec: { specId: 0, fields } },
      ...(options.addNonDefaultSpec === true ? [] : [{ action: "set-default-spec" as const, specId: -1 }]),
    ];
  });
}

function applyChange(
  fields: readonly PartitionField[],
  change: SpecChange,
  schema: Schema,
  keepsRemoved: boolean,
): PartitionField[] {
  if (change.change === "add-field") {
    const field = added(fields, change, schema);
    return [...fields.map((other) => (other.name === field.name ? outOfTheWay(other) : other)), field];
  }
  const index = fields.findIndex(
    ({ name, transform }) => name === change.name && !(keepsRemoved && transform === VOID),
  );
  const field = fields[index];
  if (field === undefined) {
    throw refused(`partition field ${change.name} does not exist`, fields.map(({ name }) => name).join(", "));
  }
  if (change.change === "remove-field") {
    return keepsRemoved ? fields.with(index, { ...field, transform: VOID }) : fields.toSpliced(index, 1);
  }
  checkName(fields, change.to, field, schema);
  return fields.toSpliced(index, 1, { ...field, name: change.to });
}

const VOID = "void";
/** The table gives the id. */
const NEW_FIELD = 0;

/** A removed field of version 1 under another name, as Java gives it. */
function outOfTheWay(field: PartitionField): PartitionField {
  return { ...field, name: `${field.name}_${field.fieldId}` };
}

function added(
  fields: readonly PartitionField[],
  { term, name }: Extract<SpecChange, { change: "add-field" }>,
  schema: Schema,
): PartitionField {
  const [parsed] = parsePartitionBy([term], schema).fields;
  if (parsed === undefined) throw refused(`${term} is no partition term`);
  const twin = fields.find((field) => field.sourceId === parsed.sourceId && isRedundant(field, parsed));
  if (twin !== undefined) throw refused(`${term} says what partition field ${twin.name} says`);
  const field = { ...parsed, fieldId: NEW_FIELD, name: name ?? defaultName(parsed, schema) };
  checkName(fields, field.name, field, schema);
  return field;
}

/** Two fields that say the same, or two widths of time that are added at once: beside one that is there Java takes another. */
function isRedundant(there: PartitionField, added: PartitionField): boolean {
  const isTime = (transform: string): boolean => /^(?:year|month|day|hour)$/.test(transform);
  if (there.transform === added.transform) return true;
  return there.fieldId === NEW_FIELD && isTime(there.transform) && isTime(added.transform);
}

/** As Java's `BaseUpdatePartitionSpec` names fields. */
function defaultName({ sourceId, transform, name }: PartitionField, schema: Schema): string {
  const parsed = parseTransform(transform);
  const column = fieldById(schema, sourceId)?.name ?? name;
  if (parsed.kind === "bucket") return `${column}_bucket_${parsed.buckets}`;
  return parsed.kind === "truncate" ? `${column}_trunc_${parsed.width}` : name;
}

function checkName(fields: readonly PartitionField[], name: string, field: PartitionField, schema: Schema): void {
  if (fields.some((other) => other.name === name && other !== field && other.transform !== VOID)) {
    throw refused(`a partition field ${name} is already there`, "give the new one another name");
  }
  const column = fieldByName(schema, name);
  if (column === null || (column.id === field.sourceId && field.transform === "identity")) return;
  throw refused(`partition field ${name} would have the name of a column`, "give it another name");
}

function sameFields(a: readonly PartitionField[], b: readonly PartitionField[]): boolean {
  const text = (fields: readonly PartitionField[]): string =>
    JSON.stringify(fields.map(({ sourceId, transform, name }) => [sourceId, transform, name]));
  return text(a) === text(b);
}

function refused(message: string, hint?: string): FrazilError {
  return new FrazilError("config", "SPEC_CHANGE", message, { hint });
}
