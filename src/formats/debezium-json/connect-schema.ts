import { FrazilError } from "../../core/errors.ts";
import { asciiText, utf8Text } from "../json-bytes/text.ts";
import { skipValue } from "../json-bytes/skip.ts";

/** A Kafka Connect schema as its JsonConverter writes it beside each payload. */
export interface ConnectSchema {
  /** `struct`, `int64`, `string`, ... */
  readonly type: string;
  /** What the type stands for, such as `io.debezium.time.Date`. */
  readonly name: string | null;
  /** Its name in the struct around it. */
  readonly field: string;
  readonly optional: boolean;
  /** JSON text of its default; null where it has none. */
  readonly fallback: string | null;
  readonly parameters: ReadonlyMap<string, string>;
  /** Of a struct. */
  readonly fields: readonly ConnectSchema[];
}

/** Schemas kept parsed: more than one Kafka topic's tables and their versions ever make; then all are forgotten. */
const MAX_CACHED = 4096;

/**
 * Finds the schema of a message without parsing it: it is nearly always the very bytes of the message before, and otherwise one of
 * those seen earlier. Equal texts give the same object.
 */
export class SchemaCache {
  private lastText: Buffer = Buffer.alloc(0);
  private last: ConnectSchema | null = null;
  private readonly byText = new Map<string, ConnectSchema>();
  /** The position after the schema that `at` found. */
  next = 0;

  /**
   * The schema whose text starts at `pos`; null for `null`.
   * @throws JsonFault when it is not JSON, FrazilError `data` when it is no schema.
   */
  at(bytes: Uint8Array, pos: number, end: number): ConnectSchema | null {
    const length = this.lastText.length;
    if (this.last !== null && pos + length <= end && this.lastText.compare(bytes, pos, pos + length) === 0) {
      this.next = pos + length;
      return this.last;
    }
    this.next = skipValue(bytes, pos, end);
    const text = asciiText(bytes, pos, this.next);
    if (text === "null") return null;
    let schema = this.byText.get(text);
    if (schema === undefined) {
      schema = parseSchema(JSON.parse(utf8Text(bytes, pos, this.next)), "");
      if (this.byText.size === MAX_CACHED) this.byText.clear();
      this.byText.set(text, schema);
    }
    this.last = schema;
    this.lastText = Buffer.from(bytes.slice(pos, this.next));
    return schema;
  }
}

function parseSchema(json: unknown, unnamed: string): ConnectSchema {
  if (typeof json !== "object" || json === null) throw malformed(json);
  const { type, name, field, optional, parameters, fields, default: preset } = json as Record<string, unknown>;
  if (typeof type !== "string" || (fields !== undefined && !Array.isArray(fields))) throw malformed(json);
  return {
    type,
    name: typeof name === "string" ? name : null,
    field: typeof field === "string" ? field : unnamed,
    optional: optional === true,
    fallback: preset === undefined ? null : JSON.stringify(preset),
    parameters: new Map(Object.entries(parameters ?? {}).map(([key, value]) => [key, String(value)])),
    fields: (fields ?? []).map((child: unknown, k: number) => parseSchema(child, String(k))),
  };
}

function malformed(json: unknown): FrazilError {
  return new FrazilError(
    "data",
    "NOT_A_CONNECT_SCHEMA",
    `"schema" is not a Kafka Connect schema: expected an object with "type", found ${JSON.stringify(json).slice(0, 80)}`,
    { hint: "use Connect's JsonConverter, with or without schemas.enable" },
  );
}

/** The columns of a row as the schema of a change event declares them; null when it is no such schema. */
export function rowFields(envelope: ConnectSchema): readonly ConnectSchema[] | null {
  const image =
    envelope.fields.find((field) => field.field === "after") ??
    envelope.fields.find((field) => field.field === "before");
  return image !== undefined && image.type === "struct" ? image.fields : null;
}
