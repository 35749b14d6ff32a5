import { z } from "zod";
import { jobSchema, type SourceSchema } from "./job-schema.ts";
import { policiesSchema } from "./policies.ts";

/** The keywords of JSON Schema that a job file's declaration makes use of. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly type?: string;
  readonly const?: string | number | boolean;
  readonly enum?: readonly (string | number | boolean)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
}

/** A text with an environment variable in it, which may stand for a value of any type. */
const VARIABLE = {
  title: "environment variable",
  type: "string",
  pattern: String.raw`\$\{[A-Z_][A-Z0-9_]*(:[-?][^}]*)?\}`,
};

/** The shape of a job file before variables are put in: what the reference and the templates are made from. */
export function jobShape(sources: readonly SourceSchema[]): JsonSchema {
  return shapeOf(jobSchema(sources));
}

/** The shape of a file of policies, as `jobShape`. */
export function policiesShape(): JsonSchema {
  return shapeOf(policiesSchema);
}

function shapeOf(declared: z.ZodType): JsonSchema {
  const schema = z.toJSONSchema(declared, {
    io: "input",
    unrepresentable: "any",
    target: "draft-07",
    override({ jsonSchema }) {
      // zod leaves `examples` away where the input is transformed; those of the declarations are inputs.
      const { example } = jsonSchema;
      delete jsonSchema["example"];
      if (example !== undefined) jsonSchema.examples = [example as never];
    },
  });
  return schema as JsonSchema;
}

/** The JSON Schema of a job file, for editors: `${VARIABLE}` may stand wherever a value has a type or a form. */
export function jobJsonSchema(sources: readonly SourceSchema[]): JsonSchema & { readonly definitions: object } {
  return {
    title: "Frazil job",
    ...withVariables(jobShape(sources)),
    definitions: { variable: VARIABLE },
  };
}

function withVariables(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, oneOf, anyOf } = schema;
  if (properties !== undefined) {
    const taken = Object.entries(properties).map(([name, value]): [string, JsonSchema] => [name, withVariables(value)]);
    return { ...schema, properties: Object.fromEntries(taken) };
  }
  if (items !== undefined) return { ...schema, items: withVariables(items) };
  if (typeof additionalProperties === "object") {
    return { ...schema, additionalProperties: withVariables(additionalProperties) };
  }
  if (oneOf !== undefined) return { ...schema, oneOf: oneOf.map(withVariables) };
  if (anyOf !== undefined) return { ...schema, anyOf: anyOf.map(withVariables) };
  return takesAnyText(schema) ? schema : orVariable(schema);
}

/** A constant tells the forms of a choice apart, so it is never a variable. */
function takesAnyText({ type, enum: values, pattern, const: constant, ...rest }: JsonSchema): boolean {
  return (
    constant !== undefined ||
    (type === "string" && values === undefined && pattern === undefined && !("format" in rest))
  );
}

function orVariable({ description, default: usual, examples, ...form }: JsonSchema): JsonSchema {
  return {
    ...(description === undefined ? {} : { description }),
    ...(usual === undefined ? {} : { default: usual }),
    ...(examples === undefined ? {} : { examples }),
    anyOf: [form, { $ref: "#/definitions/variable" }],
  };
}
