import { FrazilError } from "../core/errors.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import { type WarehouseSettings, warehouseSchema } from "./job-schema.ts";
import { parseWarehouse, warehouseAt, withEnvironment } from "./load.ts";
import { check, problemText } from "./problems.ts";
import { readYaml } from "./yaml-text.ts";

const POSTGRES = /^postgres(ql)?:\/\//;
const POSTGRES_FORM = "postgres://user@host:port/database?location=<a folder or s3://bucket/prefix>";
/** What may stand behind the `?` of such an address. */
const PARAMETERS = ["location", "name", "tls"];

/**
 * What `--warehouse` names, but for files: a location, which means what a job file with that location alone would; or a catalog in PostgreSQL
 * with the location of its warehouse, `postgres://user@host:port/database?location=s3://bucket/prefix`, and where they are needed the
 * `catalog_name` of its rows (`&name=…`) and `&tls=true`. The password is `PGPASSWORD`.
 *
 * @throws FrazilError kind `config`, code `WAREHOUSE_INVALID`; it never shows an address with a password.
 */
export function warehouseNamed(text: string, env: Environment): WarehouseSettings {
  if (!POSTGRES.test(text)) return warehouseAt(text, env);
  const mark = text.indexOf("?");
  const uri = mark < 0 ? text : text.slice(0, mark);
  const given = new Map(new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)));
  if (/^[^/]*\/\/[^@/]*:[^@/]*@/.test(uri)) {
    throw invalid("the address of a catalog must hold no password: others on the machine could read it", {
      hint: "leave it out, and set PGPASSWORD",
    });
  }
  const unknown = [...given.keys()].find((key) => !PARAMETERS.includes(key));
  if (unknown !== undefined) {
    throw invalid(`the address of a catalog: unknown parameter ${unknown}; there are ${PARAMETERS.join(", ")}`);
  }
  const [location, name, tls = "false"] = PARAMETERS.map((key) => given.get(key));
  if (location === undefined || location === "") {
    throw invalid("a catalog in PostgreSQL does not say where the warehouse's files are", { hint: POSTGRES_FORM });
  }
  if (tls !== "true" && tls !== "false") {
    throw invalid("the address of a catalog: tls must be true or false", {
      hint: "name a job file that says whom to trust: --warehouse job.yaml",
    });
  }
  return parseWarehouse(
    {
      location,
      catalog: {
        type: "postgres",
        uri,
        ...(name !== undefined && { name }),
        ...(env["PGPASSWORD"] !== undefined && { password: env["PGPASSWORD"] }),
        tls: tls === "true",
      },
    },
    env,
  );
}

/**
 * The `warehouse:` block of a job file or a file of policies. What else stands in the file is not looked at, and its variables need no values.
 *
 * @throws FrazilError kind `config`, code `WAREHOUSE_INVALID`: every problem on a line of its own.
 */
export function warehouseOfFile(text: string, path: string, env: Environment): WarehouseSettings {
  const yaml = readYaml(text, (scalar) => scalar);
  const problems = yaml.problems.map(({ line, column, message }) => `${path}:${line}:${column}  error  ${message}`);
  if (problems.length > 0) throw invalid(problems.join("\n"));
  const top = yaml.value;
  const block = top !== null && typeof top === "object" && "warehouse" in top ? top.warehouse : null;
  if (block === null) {
    throw invalid(`${path} has no block warehouse:`, { hint: "name a job file, a folder or s3://bucket/prefix" });
  }
  const filled = mapTexts(block, (scalar) =>
    interpolate(scalar, env, (message) => problems.push(`${path}: ${message}`)),
  );
  if (problems.length > 0) throw invalid(problems.join("\n"));
  const checked = check(warehouseSchema, filled);
  if ("value" in checked) return withEnvironment(checked.value, env);
  const lines = checked.problems.map((problem) => {
    const placed = { ...problem, path: ["warehouse", ...problem.path] };
    const { line, column } = yaml.positionOf(placed);
    return `${path}:${line}:${column}  error  ${problemText(placed)}`;
  });
  throw invalid(lines.join("\n"));
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((each) => mapTexts(each, map));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mapTexts(each, map)]));
}

function invalid(message: string, options: { readonly hint?: string } = {}): FrazilError {
  return new FrazilError("config", "WAREHOUSE_INVALID", message, options);
}
