import {
  parseTransform,
  type PrimitiveType,
  type SortOrder,
  type TableIdent,
  typeText,
  type Value,
  valueText,
} from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";

/** A name in backquotes. */
function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A text in single quotes; a backslash begins an escape in Spark's SQL. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** The table as a procedure's argument `table` has it. */
function identLiteral({ namespace, name }: TableIdent): string {
  return textLiteral([...namespace, name].map(quoted).join("."));
}

/** The table's name in statements. */
export function tableName(catalog: string, { namespace, name }: TableIdent): string {
  return [catalog, ...namespace, name].map(quoted).join(".");
}

/** `CALL catalog.system.procedure(table => …, …)`; the arguments' values are SQL already. */
export function callText(
  catalog: string,
  procedure: string,
  ident: TableIdent,
  args: Readonly<Record<string, string>>,
): string {
  const given = Object.entries({ table: identLiteral(ident), ...args }).map(([name, value]) => `${name} => ${value}`);
  return `CALL ${quoted(catalog)}.system.${procedure}(${given.join(", ")})`;
}

/** `map('key', 'value', …)` */
export function mapLiteral(options: Readonly<Record<string, string>>): string {
  return `map(${Object.entries(options)
    .flat()
    .map((text) => textLiteral(text))
    .join(", ")})`;
}

const FUNCTIONS: Readonly<Record<string, string>> = { year: "years", month: "months", day: "days", hour: "hours" };

/**
 * A column, or a transform of one, as Spark's conditions have it: `` `region` ``, `` catalog.system.days(`at`) ``.
 * @param catalog null in sort orders, where transforms stand alone
 */
export function termText(catalog: string | null, transformText: string, column: string): string {
  const transform = parseTransform(transformText);
  const prefix = catalog === null ? "" : `${quoted(catalog)}.system.`;
  switch (transform.kind) {
    case "identity":
      return quoted(column);
    case "bucket":
      return `${prefix}bucket(${transform.buckets}, ${quoted(column)})`;
    case "truncate":
      return `${prefix}truncate(${transform.width}, ${quoted(column)})`;
    default: {
      const name = FUNCTIONS[transform.kind];
      if (name !== undefined) return `${prefix}${name}(${quoted(column)})`;
      throw new FrazilError("config", "USAGE", `Spark has no transform ${transformText}`, { hint: WITHOUT_ENGINE });
    }
  }
}

/** Said where Spark cannot do what our own engine can. */
export const WITHOUT_ENGINE = "leave out --engine spark: Frazil's own engine does it";

/** A sort order as the argument `sort_order`: `` `region` ASC NULLS FIRST, days(`at`) DESC NULLS LAST ``. */
export function sortOrderText(order: SortOrder, nameOf: (fieldId: number) => string): string {
  return order.fields
    .map(({ transform, sourceId, direction, nullOrder }) => {
      const nulls = nullOrder === "nulls-first" ? "NULLS FIRST" : "NULLS LAST";
      return `${termText(null, transform, nameOf(sourceId))} ${direction.toUpperCase()} ${nulls}`;
    })
    .join(", ");
}

/** The argument `sort_order` for a z-order. */
export function zOrderText(columns: readonly string[]): string {
  return `zorder(${columns.map(quoted).join(", ")})`;
}

/** A value in a condition. @throws FrazilError `config`, code `USAGE`, for types that Spark does not have. */
export function valueLiteral(type: PrimitiveType, value: Value): string {
  const text = valueText(type, value);
  switch (type.kind) {
    case "boolean":
    case "int":
    case "long":
      return text;
    case "float":
    case "double":
      return `CAST(${textLiteral(text)} AS ${type.kind === "float" ? "FLOAT" : "DOUBLE"})`;
    case "decimal":
      return `CAST(${textLiteral(text)} AS DECIMAL(${type.precision}, ${type.scale}))`;
    case "date":
      return `DATE ${textLiteral(text)}`;
    case "timestamp":
      return `TIMESTAMP_NTZ ${textLiteral(text)}`;
    case "timestamptz":
      return `TIMESTAMP ${textLiteral(text)}`;
    case "string":
    case "uuid":
      return textLiteral(text);
    case "fixed":
    case "binary":
      return `X'${Buffer.from(value as Uint8Array).toString("hex")}'`;
    default:
      throw new FrazilError("config", "USAGE", `Spark compares no values of type ${typeText(type)}`, {
        hint: WITHOUT_ENGINE,
      });
  }
}
